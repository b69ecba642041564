"""A folder for files that must not outlive the process that needs them, even if it is killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

ROOT = Path(tempfile.gettempdir(), f"muybridge-{os.getuid()}")


class Scratch:
    """Hold a folder of this process; those of processes that are gone are removed on the way.

    A process holds a lock as long as it lives, in whatever container, so who can take a folder's
    lock knows that its owner is dead.
    """

    def __init__(self, root: Path = ROOT) -> None:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for lock in root.glob("*.lock"):
            _remove_if_dead(lock)
        self.path = Path(tempfile.mkdtemp(dir=root, prefix=f"{os.getpid()}-", suffix=".new"))
        self._lock = self.path.with_suffix(".lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        self.path = self.path.rename(self.path.with_suffix(".files"))

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path, ignore_errors=True)
        Path(self._lock.name).unlink(missing_ok=True)
        self._lock.close()


def _remove_if_dead(lock: Path) -> None:
    with suppress(OSError), lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(lock.with_suffix(".files"), ignore_errors=True)
        lock.unlink()
