"""The two layouts of OpenPose: joints, the pairs that may be limbs, and where their fields lie.

A network gives heat maps, one a joint and one for the background, then affinity fields: for each
pair of joints the direction from its first to its second joint, as x and as y.
"""

from __future__ import annotations

from dataclasses import dataclass

from muybridge.geometry.skeletons import BODY25, COCO18, Skeleton


@dataclass(frozen=True)
class Body:
    """Describe a layout: ``pairs`` of joint numbers, and for each the channel of its x field.

    The y field is the channel after. ``feet`` are joints that do not make somebody a person.
    """

    skeleton: Skeleton
    pairs: tuple[tuple[int, int], ...]
    fields: tuple[int, ...]
    feet: tuple[int, ...] = ()

    @property
    def joints(self) -> int:
        """Count the joints."""
        return len(self.skeleton.joints)

    @property
    def heat(self) -> int:
        """Count the heat maps: one a joint, and the background."""
        return self.joints + 1

    @property
    def channels(self) -> int:
        """Count the maps: heat maps, then two fields a pair."""
        return self.heat + 2 * len(self.pairs)


# fmt: off
COCO = Body(
    COCO18,
    pairs=(
        (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11),
        (11, 12), (12, 13), (1, 0), (0, 14), (14, 16), (0, 15), (15, 17), (2, 16), (5, 17),
    ),
    fields=(12, 20, 14, 16, 22, 24, 0, 2, 4, 6, 8, 10, 28, 30, 34, 32, 36, 18, 26),
)
BODY_25 = Body(
    BODY25,
    pairs=(
        (1, 8), (1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (8, 9), (9, 10), (10, 11),
        (8, 12), (12, 13), (13, 14), (1, 0), (0, 15), (15, 17), (0, 16), (16, 18), (2, 17),
        (5, 18), (14, 19), (19, 20), (14, 21), (11, 22), (22, 23), (11, 24),
    ),
    fields=(
        0, 14, 22, 16, 18, 24, 26, 6, 2, 4, 8, 10, 12, 30, 32, 36, 34, 38, 20, 28, 40, 42, 44, 46,
        48, 50,
    ),
    feet=(19, 20, 21, 22, 23, 24),
)
# fmt: on
