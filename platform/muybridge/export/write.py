"""Export people of an output: choose them, make what a format holds, write a file each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from muybridge.errors import InputError, WeightsError, listed
from muybridge.export import amass, bones, bvh, coco, flat, motion, trc
from muybridge.export.tracks import MOST, Person, Track, gathered, people
from muybridge.render.rows import known
from muybridge.store import query
from muybridge.store.query import Output

if TYPE_CHECKING:
    from muybridge.geometry.smpl import Body as Model


@dataclass(frozen=True)
class Asked:
    """Say what was asked for, beside who: the file, and the weights' file or folder.

    ``models`` are the body models that were read already, by their names.
    """

    path: Path
    weights: Path | None
    models: dict[str, Model] = field(default_factory=dict)


@dataclass(frozen=True)
class Made:
    """Hold a file's text or bytes, what became of frames without the person, and more to tell."""

    data: str | bytes
    gaps: str
    more: str = ""


@dataclass(frozen=True)
class Written:
    """Say what one should know about a file, or why it was not ``made``."""

    path: Path
    told: str
    made: bool = True


def export(
    out: str,
    form: str,
    video: str | None = None,
    track: int | None = None,
    system: str | None = None,
    output: Path | None = None,
    weights: Path | None = None,
    endpoint: str | None = None,
) -> Iterator[Written]:
    """Write people to files of the format ``form``, one of ``FORMATS``, and yield each when done.

    Without ``video`` or ``track``, all there are. ``output`` is the file of one person, else the
    folder of files named by video and track; by default it is the folder one is in. ``weights`` is
    where the SMPL body is. InputError if nothing could be written.
    """
    if form not in FORMATS:
        raise InputError(f"there is no format {form!r}; there are {', '.join(FORMATS)}")
    tables, make = FORMATS[form]
    opened = query.open(out, endpoint)
    chosen = people(opened, tables, video, track, system)
    paths = _paths(chosen, form, output, _uris(opened))
    faults: list[str] = []
    models: dict[str, Model] = {}
    for path, tracks in zip(paths, gathered(opened, chosen), strict=True):
        try:
            made = make(tracks, Asked(path, weights, models))
        except InputError as error:
            faults.append(f"{path.name}: {error}")
            yield Written(path, str(error), made=False)
            continue
        _put(path, made.data)
        yield Written(path, _told(tracks, made))
    if len(faults) == len(paths):
        raise InputError(listed("nothing could be written", faults[:MOST]))


def _uris(output: Output) -> list[str]:
    return known(output.videos, output.sessions)["uri"].to_pylist()


def _put(path: Path, data: str | bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written: {error.strerror}; name another place with --output"
        ) from error


def _paths(
    chosen: Sequence[Person], form: str, output: Path | None, uris: Sequence[str]
) -> list[Path]:
    """Name a file a person; videos of the same name are told apart by their ids."""
    said = output.suffix[1:] if output and not output.is_dir() else ""
    if said and said != form:
        raise InputError(
            f"{output} is named as {said}, and {form} was asked for: name it .{form}, or a folder "
            "(one with a dot in its name must be there)"
        )
    if output and said == form:
        if len(chosen) == 1:
            return [output]
        more = [f"… and {len(chosen) - MOST} more"] if len(chosen) > MOST else []
        title = (
            f"{output}: a file holds one person, and {len(chosen)} are meant; give a folder, "
            "or say who with --video and --track"
        )
        raise InputError(listed(title, [*(str(person[0]) for person in chosen[:MOST]), *more]))
    folder, alike = output or Path(), Counter(PurePosixPath(uri).stem for uri in uris)
    return [folder / f"{_name(p[0].video, alike)}_track{p[0].number}.{form}" for p in chosen]


def _name(video: Mapping[str, Any], alike: Mapping[str, int]) -> str:
    stem = PurePosixPath(video["uri"]).stem
    return stem if alike[stem] == 1 else f"{stem}_{video['video_id']}"


def _told(tracks: Sequence[Track], made: Made) -> str:
    """Say whose file it is, how long, and what it lacks."""
    track = tracks[0]
    systems = " and ".join(dict.fromkeys(each.system for each in tracks))
    by = systems if made.gaps == LEFT_OUT else track.system
    gaps = _gaps(track, made.gaps) if not track.seen.all() else ""
    count = f"{len(track)} frames at {track.rate:.6g} a second"
    return ", ".join(part for part in (f"by {by}", count, gaps, made.more) if part)


def _gaps(track: Track, how: str) -> str:
    """Say how many frames are without the person, and how long that lasts."""
    unseen = np.flatnonzero(~track.seen)
    longest = max(map(len, np.split(unseen, np.flatnonzero(np.diff(unseen) > 1) + 1)))
    return f"{len(unseen)} of them without the person and {how}, at most {longest} in a row"


def _bvh(tracks: Sequence[Track], asked: Asked) -> Made:
    track = tracks[0]
    if track.table == "bodies":
        rig = bones.of_body(motion.body(track), _rest(tracks, asked))
        return Made(bvh.text(rig, track.rate), FILLED_IN)
    joints = motion.joints(track)
    rig = bones.of_joints(joints)
    middle, most = np.percentile(1000 * bones.misfit(rig, joints), (50, 95))
    fit = f"joints within {middle:.0f} mm of bones of constant length (median; 95 %: {most:.0f})"
    return Made(bvh.text(rig, track.rate), FILLED_IN, ", ".join([fit, *_in_place(track)]))


def _rest(tracks: Sequence[Track], asked: Asked) -> bones.Array:
    """Find the joints at rest (24, 3) of the body that a track has, with the user's SMPL file."""
    import torch

    name = tracks[0].rows["body"][0].as_py()
    try:
        body = asked.models.get(name) or _model(name, asked.weights)
    except WeightsError as error:
        others = dict.fromkeys(each.system for each in tracks if each.table == "joints3d")
        hint = "".join(f"; or export joints without a body: --system {each}" for each in others)
        raise WeightsError(f"bones need the body: {error}{hint}") from error
    asked.models[name] = body
    betas = torch.as_tensor(motion.body(tracks[0]).betas[None], dtype=torch.float32)
    return body.rest(betas)[0].double().numpy()


def _model(name: str, folder: Path | None) -> Model:
    from muybridge import weights
    from muybridge.geometry.smpl import Body

    model = weights.load(name, folder)
    if not isinstance(model, Body):
        raise InputError(f"{name}: is no body model, but the output's bodies name it")
    return model


def _npz(tracks: Sequence[Track], asked: Asked) -> Made:
    return Made(amass.data(motion.body(tracks[0]), tracks[0]), FILLED_IN)


def _trc(tracks: Sequence[Track], asked: Asked) -> Made:
    track = tracks[0]
    text = trc.text(motion.joints(track), track.times, track.rate, asked.path.name)
    return Made(text, "left empty", *_in_place(track))


def _in_place(track: Track) -> list[str]:
    """Say so where joints in space are known around the hips only."""
    around = track.table == "joints3d" and track.upright is None
    return ["the hips stay in place"] if around else []


def _csv(tracks: Sequence[Track], asked: Asked) -> Made:
    return Made(flat.text(tracks), LEFT_OUT)


def _json(tracks: Sequence[Track], asked: Asked) -> Made:
    return Made(coco.text(tracks[0]), LEFT_OUT)


FILLED_IN, LEFT_OUT = "filled in", "left out"
FORMATS: dict[str, tuple[tuple[str, ...], Callable[[Sequence[Track], Asked], Made]]] = {
    # the tables that a format is made of, the first that has rows (CSV: all), and how
    "bvh": (("bodies", "joints3d"), _bvh),
    "npz": (("bodies",), _npz),
    "trc": (("bodies", "joints3d"), _trc),
    "json": (("keypoints",), _json),
    "csv": (("keypoints", "joints3d", "bodies"), _csv),
}
