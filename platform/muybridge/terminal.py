"""Where commands print, and how they end when something is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import rich.markup
import typer
from rich.console import Console

from muybridge.errors import MuybridgeError

console = Console(highlight=False, soft_wrap=True)


@contextmanager
def told() -> Iterator[None]:
    """Print an expected error as a sentence and end with 2; a surprise stays a traceback."""
    try:
        yield
    except MuybridgeError as error:
        text = rich.markup.escape(str(error))
        Console(stderr=True, highlight=False, soft_wrap=True).print(f"[red]error:[/red] {text}")
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        Console(stderr=True).print("stopped; the same command takes up where this one ended")
        raise typer.Exit(130) from None
