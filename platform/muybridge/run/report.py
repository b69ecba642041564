"""What a run tells while it works and when it ends."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Progress:
    """Say where a run stands: counts done and in all, ``seconds`` of video, errors so far."""

    phase: str
    videos: int = 0
    videos_total: int = 0
    seconds: float = 0.0
    seconds_total: float = 0.0
    frames: int = 0
    errors: int = 0
    elapsed_s: float = 0.0

    @property
    def fps(self) -> float:
        """Give frames looked at per second of the run."""
        return self.frames / self.elapsed_s if self.elapsed_s else 0.0

    @property
    def left_s(self) -> float | None:
        """Guess how many seconds are left; None while there is nothing to go by."""
        if not self.seconds or not self.elapsed_s:
            return None
        return self.elapsed_s * max(self.seconds_total - self.seconds, 0.0) / self.seconds

    def as_dict(self) -> dict[str, Any]:
        """Give all of it under names for a program to read."""
        return {**asdict(self), "frames_per_s": round(self.fps, 2), "left_s": self.left_s}


@dataclass
class Summary:
    """Say what a run did and what the output holds after it.

    ``rows`` counts each table's rows, ``transient`` the errors among them that the next run tries
    again; ``spent`` gives seconds of the workers' time by stage, and as
    ``frames`` (waiting for the decoder, part of its stage's time), ``write`` and ``idle``.
    """

    out: str
    clips: int = 0
    frames: int = 0
    decoded_bytes: int = 0
    elapsed_s: float = 0.0
    rows: dict[str, int] = field(default_factory=dict)
    transient: int = 0
    spent: dict[str, float] = field(default_factory=dict)

    @property
    def errors(self) -> int:
        """Count what could not be read, in the whole output."""
        return self.rows.get("errors", 0)

    @property
    def workers_s(self) -> float:
        """Give the seconds that all workers were there, from their models being loaded."""
        return sum(self.spent.values()) - self.spent.get("frames", 0.0)

    @property
    def efficiency(self) -> float:
        """Give the share of the workers' time that the stages worked, not waiting for frames."""
        waited = sum(self.spent.get(name, 0.0) for name in ("frames", "write", "idle"))
        return 1 - waited / self.workers_s if self.workers_s else 0.0
