"""Tell the frames that damage has reached, which decoders hand out as if nothing were wrong.

ffmpeg flags a frame in which it had to conceal errors, but not those that were predicted from it:
in H.264 files with flipped bits, four of five visibly wrong frames carried no flag. So damage lasts
until the next key frame. A frame that is decoded after a key frame but shown before it (a leading
frame) may be predicted from both sides: damage before the key frame reaches it, and its own reaches
no other, because what is shown after the key frame never refers to it.

What a decoder does not notice cannot be told: HEVC, VP8 and VP9 take flipped bits for pictures.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import av
from av.codec.context import Flags

MAX_HELD = 32  # frames; twice what a codec may hold back to put pictures in order


@dataclass
class _Group:
    """Hold when a group of pictures' key frame is shown, and its first damaged packet's number."""

    key: float = -math.inf
    before: _Group | None = None
    damaged_from: float = math.inf


@dataclass(frozen=True)
class _Packet:
    """Remember a packet's place in decoding order until its frame comes out."""

    number: int
    pts: float
    group: _Group

    @property
    def leading(self) -> bool:
        """Tell whether it is shown before its group's key frame."""
        return self.pts < self.group.key

    def damage(self) -> None:
        """Note that this packet is damaged, and with it what follows in the group."""
        if not self.leading:
            self.group.damaged_from = min(self.group.damaged_from, self.number)

    @property
    def damaged(self) -> bool:
        """Tell whether damage to a packet before this one, or to itself, has reached it."""
        if self.leading:
            return self.group.before is not None and self.group.before.damaged_from < math.inf
        return self.number >= self.group.damaged_from


def decode_checked(
    context: Any, packets: Iterable[Any], decode: Callable[[Any], Iterable[Any]]
) -> Iterator[tuple[Any, bool]]:
    """Decode packets in order (None at the end); yield (frame, whether no damage has reached it).

    A frame is held back until every packet decoded before it has given its own, since only then is
    it known whether one of those was damaged.
    """
    context.flags |= int(Flags.copy_opaque)
    decoded = _Packet(-1, -math.inf, _Group())
    awaited = dict[int, _Packet]()
    held = deque[tuple[_Packet, Any]]()
    for packet in packets:
        if packet is not None:
            decoded = _next(decoded, packet)
            awaited[decoded.number] = packet.opaque = decoded
        try:
            frames = list(decode(packet))
        except av.error.InvalidDataError:
            decoded.damage()
            frames = []
        for frame in frames:
            of = frame.opaque or decoded
            if frame.is_corrupt:
                of.damage()
            held.append((of, frame))
            shown = of.pts
            awaited = {
                n: each for n, each in awaited.items() if each.pts > shown and n != of.number
            }
        while held and (len(held) > MAX_HELD or min(awaited, default=math.inf) > held[0][0].number):
            yield _checked(*held.popleft())
    yield from (_checked(*each) for each in held)


def _checked(of: _Packet, frame: Any) -> tuple[Any, bool]:
    return frame, not (of.damaged or frame.is_corrupt)


def _next(before: _Packet, packet: Any) -> _Packet:
    """Place a packet after the one before it; a key frame begins a group."""
    pts = -math.inf if packet.pts is None else packet.pts
    group = before.group
    if packet.is_keyframe:
        group.before = None  # a chain of all groups would never end
        group = _Group(pts, group)
    return _Packet(before.number + 1, pts, group)
