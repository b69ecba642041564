"""The names of what people can be doing, by the set that a model was taught."""

from __future__ import annotations

OTHER = "other"  # none of a set's labels; never said, but its score is
LABELS: dict[str, tuple[str, ...]] = {
    "motion": (
        "walking", "running", "jumping", "playing basketball", "basketball signals",
        "playing soccer", "directing traffic", OTHER,
    ),
}  # fmt: skip
