"""Where commands print, how they show a download, and how they end if something is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import rich.markup
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TransferSpeedColumn

from muybridge.errors import MuybridgeError
from muybridge.published import File

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


@contextmanager
def bars() -> Iterator[Callable[[File, int, int], None]]:
    """Show how far each file has come, on a terminal."""
    console = Console(stderr=True)
    columns = ("{task.description}", BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as shown:
        tasks = dict[str, TaskID]()

        def report(file: File, done: int, total: int) -> None:
            if file.name not in tasks:
                tasks[file.name] = shown.add_task(file.name)
            shown.update(tasks[file.name], completed=done, total=total or None)

        yield report
