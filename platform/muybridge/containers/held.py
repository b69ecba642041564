"""Take the tensors by name out of what a file holds, and hold them to the file's size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from muybridge.errors import CheckpointError

Kind = TypeVar("Kind")
WRAPPERS = ("state_dict", "model", "gen_state_dict")  # what programs put the tensors under


def by_name(held: Any, kind: type[Kind]) -> dict[str, Kind]:
    """Take what is of a kind out of a mapping, or of what stands in it under one of ``WRAPPERS``.

    What stands beside a wrapper is left out; CheckpointError names what else stands among them.
    """
    for name in WRAPPERS:
        if isinstance(held, Mapping) and isinstance(held.get(name), Mapping):
            held = held[name]
    if not isinstance(held, Mapping):
        raise CheckpointError(f"it holds a {type(held).__name__}, and tensors by name are wanted")
    found = {name: item for name, item in held.items() if isinstance(item, kind)}
    if others := [f"{name!r}" for name in held if name not in found]:
        raise CheckpointError(
            f"{', '.join(others[:5])}{' …' if len(others) > 5 else ''} in it are no tensors; "
            f"the tensors must stand by name in it, or in its {' or '.join(map(repr, WRAPPERS))}"
        )
    return {str(name): item for name, item in found.items()}


def bounded(claims: Iterable[int], size: int) -> None:
    """Refuse tensors that claim more bytes together than the file has."""
    if (claimed := sum(claims)) > size:
        raise CheckpointError(
            f"refused: its tensors claim {claimed:,} bytes and the file has {size:,}; "
            "nothing was loaded. Use the official file"
        )


@contextmanager
def told() -> Iterator[None]:
    """Turn whatever reading a broken file stumbles over into one error that says so."""
    try:
        yield
    except CheckpointError:
        raise
    except Exception as error:  # zipfile and numpy raise many kinds
        cause = type(error).__name__
        raise CheckpointError(f"it is broken or cut off ({cause}); fetch it again") from error
