"""Write measures as tables for people."""

from __future__ import annotations

from collections.abc import Sequence

MAX_ROWS = 50


def table(rows: Sequence[Sequence[str]]) -> str:
    """Align cells, the first column to the left, the others to the right; the first row is heads.

    Of many rows the first ``MAX_ROWS`` are shown.
    """
    shown = rows[: MAX_ROWS + 1]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = [_line(row, widths) for row in shown]
    if len(rows) > len(shown):
        lines.append(f"and {len(rows) - len(shown)} more rows")
    return "\n".join(lines)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.rjust(width) if at else cell.ljust(width)
        for at, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join([first, *others]).rstrip()
