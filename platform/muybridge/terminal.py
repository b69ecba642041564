"""Where commands print, how they show a download, and how they end if something is wrong."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import rich.markup
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TransferSpeedColumn

from muybridge.errors import MuybridgeError
from muybridge.published import File

console = Console(highlight=False, soft_wrap=True)


TERMINATED = 128 + signal.SIGTERM  # the exit code that shells give for it
GRACE_S = 7.0  # from SIGTERM to the end, come what may
RESUMED = "stopped; the same command takes up where this one ended"


@contextmanager
def told(stopped: str = "stopped") -> Iterator[None]:
    """Print an expected error as a sentence and end with 2; a surprise stays a traceback.

    Ctrl-C ends with 130 and SIGTERM with 143, within ``GRACE_S``, and with the sentence
    ``stopped``.
    """
    try:
        with _terminable(stopped):
            yield
    except MuybridgeError as error:
        _say(f"[red]error:[/red] {rich.markup.escape(str(error))}")
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        _say(stopped)
        raise typer.Exit(130) from None
    except SystemExit:  # of SIGTERM, by the handler below or, while Ray starts, by one of Ray's
        _say(stopped)
        raise typer.Exit(TERMINATED) from None


def _say(text: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(text)


@contextmanager
def _terminable(stopped: str) -> Iterator[None]:
    """Let SIGTERM raise SystemExit, so that all is left as it should be; but not for too long."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    stderr = os.dup(2)  # what Ray writes at its end is hushed

    def give_up() -> None:
        with suppress(OSError):
            os.write(stderr, f"{stopped}\n".encode())
        os._exit(TERMINATED)

    timer = threading.Timer(GRACE_S, give_up)
    timer.daemon = True

    def terminate(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        timer.start()
        raise SystemExit(TERMINATED)

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        timer.cancel()
        signal.signal(signal.SIGTERM, before)
        os.close(stderr)


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
