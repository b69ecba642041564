"""Show a person, a log or a program how far a run has come."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from muybridge.run.report import Progress, Summary

Style = Literal["auto", "live", "lines", "json", "none"]
LINES_EVERY_S = 5.0


@contextmanager
def display(style: Style) -> Iterator[Callable[[Progress], None]]:
    """Give a function to call with where the run stands; it writes to standard error.

    ``auto`` is a live display on a terminal and plain lines elsewhere.
    """
    console = Console(stderr=True)
    if style == "none":
        yield lambda progress: None
    elif style == "live" or (style == "auto" and console.is_terminal):
        with Live(console=console, refresh_per_second=8, transient=True) as live:
            yield lambda progress: live.update(_picture(progress))
    else:
        write = _json if style == "json" else sentence
        yield _Lines(write, LINES_EVERY_S)


class _Lines:
    """Print a line when the phase changes, at the end of one, and every few seconds between."""

    def __init__(self, write: Callable[[Progress], str], every_s: float) -> None:
        self._write, self._every_s = write, every_s
        self._last, self._phase, self._line = time.monotonic(), "", ""

    def __call__(self, progress: Progress) -> None:
        now, line = time.monotonic(), self._write(progress)
        due = progress.phase != self._phase or now - self._last > self._every_s
        if (due or progress.videos == progress.videos_total) and line != self._line:
            print(line, file=sys.stderr, flush=True)
            self._last, self._phase, self._line = now, progress.phase, line


def clock(seconds: float) -> str:
    """Write a duration as 0:07, 12:30 or 3:05:00."""
    hours, rest = divmod(round(seconds), 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"


def sentence(progress: Progress) -> str:
    """Say where the run stands in one line."""
    if not progress.videos_total:
        return progress.phase
    parts = [f"{progress.phase}: {progress.videos} of {progress.videos_total} videos"]
    if progress.seconds_total:
        parts.append(f"{clock(progress.seconds)} of {clock(progress.seconds_total)} of video")
    if progress.frames:
        parts.append(f"{progress.fps:.1f} frames/s")
    if progress.left_s is not None:
        parts.append(f"{clock(progress.left_s)} left")
    parts.append(f"{progress.errors} error{'' if progress.errors == 1 else 's'}")
    return ", ".join(parts)


def told(summary: Summary) -> str:
    """Say what a run did, what the output holds, and where its time went."""
    rows, out = summary.rows, summary.out
    once = " (counted in each view)" if rows.get("sessions") else ""
    lines = [
        f"tables: {out}",
        f"  {rows['videos']:,} videos, {rows['tracks']:,} people{once}, "
        f"seen {rows['people']:,} times",
    ]
    if summary.errors:
        again = f" ({summary.transient:,} transient: run again)" if summary.transient else ""
        lines.append(
            f"  {summary.errors:,} errors{again}, read them with: "
            f'muybridge query {out} "select uri, kind, message from errors"'
        )
    if not summary.clips:
        return "\n".join([*lines, "nothing was left to do"])
    lines.append(
        f"looked at {summary.frames:,} frames in {clock(summary.elapsed_s)}, "
        f"{summary.frames / summary.elapsed_s:.1f} frames/s"
    )
    return "\n".join([*lines, _efficiency(summary)])


def _efficiency(summary: Summary) -> str:
    spent, total = summary.spent, summary.workers_s
    shares = [
        (f"waiting for {name}" if name != "write" else "writing", spent.get(key, 0.0) / total)
        for name, key in (("frames", "frames"), ("clips", "idle"), ("write", "write"))
    ]
    return f"efficiency: the models worked {summary.efficiency:.0%} of the workers' time; " + (
        ", ".join(f"{name} {share:.0%}" for name, share in shares)
    )


def _json(progress: Progress) -> str:
    return json.dumps(progress.as_dict())


def _picture(progress: Progress) -> Table:
    total = progress.seconds_total or progress.videos_total
    bar = ProgressBar(
        total=total or 1, completed=progress.seconds if progress.seconds_total else progress.videos
    )
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(ratio=1)
    table.add_row(bar)
    errors = Text(sentence(progress), style="yellow" if progress.errors else "")
    table.add_row(errors)
    return table
