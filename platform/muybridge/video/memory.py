"""Share memory between two processes by an inherited file descriptor."""

from __future__ import annotations

import mmap
import os
import tempfile


class Memory:
    """Hold shared memory that grows as needed and vanishes with its last user."""

    def __init__(self, file: int | None = None) -> None:
        self.file = _anonymous_file() if file is None else file
        self._map: mmap.mmap | None = None

    def mapped(self, size: int) -> mmap.mmap:
        """Map at least ``size`` bytes; what was mapped before stays valid for who holds it."""
        if self._map is None or len(self._map) < size:
            if os.fstat(self.file).st_size < size:
                os.ftruncate(self.file, size)
            self._map = mmap.mmap(self.file, size)
        return self._map

    def close(self) -> None:
        """Let go of the file; its bytes stay as long as somebody looks at them."""
        os.close(self.file)
        self._map = None


def _anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("muybridge-frames")
    file, path = tempfile.mkstemp()
    os.unlink(path)
    return file
