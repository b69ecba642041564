"""Find the weights of a model: where the user says, on this machine, or where they are published.

A published file is read once with care (``checkpoints``) and its tensors, under their authors'
names, are kept as safetensors with the file's sha256. ``missing`` and ``identity`` look only at
what is on this machine; ``provide`` fetches; ``load`` does both.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from torch import nn

from muybridge import checkpoints, download, published
from muybridge.checkpoints import Layout
from muybridge.errors import CheckpointError, InputError, WeightsError, listed
from muybridge.published import FILES, File, known

FETCH = "muybridge weights fetch"
ACCEPT = "MUYBRIDGE_ACCEPT_LICENCE"  # set to 1, it accepts the terms of all files


@dataclass(frozen=True)
class Examined:
    """Say what a file is.

    ``said`` is how its sha256 compares to what is published, ``other`` and ``misfit`` are what is
    wrong: it is another file than the published one, it does not fit the model; "" if nothing.
    """

    kind: str
    sha256: str
    said: str
    tensors: checkpoints.Tensors
    other: str
    misfit: str


Report = Callable[[File, int, int], None]  # a file, bytes that are there, bytes in all


def layout(name: str) -> Layout:
    """Say how the file's tensors become the network's."""
    from muybridge.models.densepose import checkpoint as densepose
    from muybridge.models.detector import checkpoint as detector
    from muybridge.models.kinetics import checkpoint as kinetics
    from muybridge.models.multitask import checkpoint as multitask
    from muybridge.models.openpose import checkpoint as openpose
    from muybridge.models.smpl import checkpoint as smpl
    from muybridge.models.triangulation import checkpoint as triangulation
    from muybridge.models.vibe import checkpoint as vibe

    systems = (densepose, detector, kinetics, multitask, openpose, smpl, triangulation, vibe)
    return {k: v for system in systems for k, v in system.LAYOUTS.items()}[known(name).name]


def missing(name: str, given: Path | None = None) -> list[str]:
    """Say, in sentences, why the weights cannot be loaded now; empty if they are on this machine.

    ``given`` is a file, or a folder that holds files under their published names or converted ones.
    Nothing is fetched.
    """
    try:
        source = found(name, given)
        if source:
            sha256(name, source)
    except WeightsError as error:
        return [str(error)]
    return [] if source else [_advice(known(name))]


def load(name: str, given: Path | None = None) -> nn.Module:
    """Make the network with these weights, fetching and converting them first if need be.

    What its file lacks and another one has is taken from that, which lies beside it or is fetched.
    """
    source = found(name, given) or fetch(name)
    try:
        converted = convert(name, source)
    except OSError:  # there is no room or right to keep it
        converted = source
    try:
        whole = _completed(name, checkpoints.read(converted), source.parent, fetch)
        return checkpoints.filled(whole, layout(name))
    except CheckpointError as error:
        raise CheckpointError(f"{source}, as {name}: {error}") from error


def identity(name: str, given: Path | None = None) -> dict[str, str]:
    """Name the weights and their published file's sha256; empty if they are not on this machine."""
    source = found(name, given)
    return {"weights": name, "sha256": sha256(name, source)} if source else {}


def provide(
    names: Iterable[str],
    given: Path | None = None,
    accept: bool = False,
    report: Report = lambda file, done, total: None,
) -> None:
    """Fetch and convert what is not here yet; one WeightsError lists all that cannot be had."""
    faults = [
        fault for name in dict.fromkeys(names) if (fault := _lack(name, given, accept, report))
    ]
    if faults:
        raise WeightsError("\n".join(faults))


def fetch(name: str, accept: bool = False, report: Report = lambda file, done, total: None) -> Path:
    """Fetch the published file, unless it is here; WeightsError says what to do if that fails."""
    file = known(name)
    if file.cached.is_file():
        return file.cached
    if not file.urls:
        raise WeightsError(_advice(file))
    if file.terms and not (accept or os.environ.get(ACCEPT, "").lower() in ("1", "true", "yes")):
        raise WeightsError(_advice(file))
    try:
        download.fetch(
            file.urls,
            file.cached,
            file.sha256,
            _is_model,
            lambda done, total: report(file, done, total or file.bytes),
        )
    except WeightsError as error:
        by_hand = (
            f"{file.by_hand or 'get it elsewhere'} and put it to {file.cached}, or name it with "
            f"--weights; check it with: muybridge weights verify FILE --name {name}"
        )
        raise WeightsError(f"{name}: {error}\n  {by_hand}") from error
    except OSError as error:
        raise WeightsError(_unkept(name, error)) from error
    return file.cached


def found(name: str, given: Path | None = None) -> Path | None:
    """Find the weights on this machine: where the user says, else in the cache; None if nowhere.

    WeightsError if what the user says is not there.
    """
    file = known(name)
    if given is not None and not given.exists():
        raise WeightsError(f"{name}: there is no {given}; give {file.file} or its folder")
    if given is not None and given.is_file():
        return given
    folders = [given, published.folder()] if given else [published.folder()]
    names = (file.file, *file.others, file.converted.name)
    places = [folder / each for folder in folders for each in names]
    return next((place for place in places if place.is_file()), None)


def convert(name: str, source: Path) -> Path:
    """Keep the tensors of a file as safetensors, once; what is converted already stays as it is."""
    if _about(name, source):
        return source
    target = _place(name, source)
    target.parent.mkdir(parents=True, exist_ok=True)
    with download.alone(target):
        if not _fresh(target, source):
            about = {"weights": name, "file": source.name, **_stamp(source)}
            tensors = checkpoints.read(source)
            save(tensors, target, {**about, "sha256": _sum(name, source)})
    return target


def named(path: Path) -> str:
    """Tell which weights a file holds by what it is called; InputError if that says nothing."""
    names = [
        name
        for name, file in FILES.items()
        if path.name in (file.file, *file.others) or path.stem == name
    ]
    if not names and path.suffix == ".safetensors" and path.is_file():
        names = [checkpoints.metadata(path).get("weights", "")]
    if not names or names[0] not in FILES:
        title = f"{path}: its name does not tell which weights it holds; say it with --name, one of"
        raise InputError(listed(title, tuple(FILES)))
    return names[0]


def examine(path: Path, name: str) -> Examined:
    """Look whether a file is the published one, and whether its tensors fit the model exactly."""
    file, tensors = known(name), checkpoints.read(path)
    digest = _about(name, path).get("sha256") or download.sha256_of(path)
    misfit = other = ""
    try:
        checkpoints.filled(_completed(name, tensors, path.parent), layout(name))
    except CheckpointError as error:
        misfit = f"{path}, as {name}: {error}"
    if not file.sha256:
        said = "what is published is not known"
    elif digest.startswith(file.sha256):
        said = "as published" if digest == file.sha256 else "begins as published"
    else:
        said = f"{file.sha256} is published"
        other = f"{path} is not the published {file.file}"
    return Examined(checkpoints.kind(path), digest, said, tensors, other, misfit)


def export(path: Path, name: str, target: Path) -> Examined:
    """Write a file's tensors as safetensors to a place, if they fit the model exactly."""
    seen = examine(path, name)
    if seen.misfit:
        raise CheckpointError(seen.misfit)
    save(seen.tensors, target, {"weights": name, "file": path.name, "sha256": seen.sha256})
    return seen


def save(tensors: checkpoints.Tensors, target: Path, about: dict[str, str]) -> None:
    """Write safetensors that appear whole or not at all."""
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        checkpoints.write(tensors, part, about)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def sha256(name: str, source: Path) -> str:
    """Give the sha256 of the published file that a file is, or was made of.

    It is computed again only if the file has changed since it was converted.
    """
    if about := _about(name, source):
        return about["sha256"]
    converted = _place(name, source)
    if _fresh(converted, source):
        return checkpoints.metadata(converted)["sha256"]
    return _sum(name, source)


def _completed(
    name: str,
    tensors: checkpoints.Tensors,
    folder: Path,
    fetched: Callable[[str], Path | None] = lambda other: None,
) -> checkpoints.Tensors:
    """Add what a file may lack from another, in its folder, in the cache, or else fetched."""
    more = layout(name).completion
    if more is None or not more.lacking(tensors):
        return tensors
    other = found(more.name, folder) or fetched(more.name)
    return more.completed(tensors, checkpoints.read(other)) if other else tensors


def _lack(name: str, given: Path | None, accept: bool, report: Report) -> str:
    """Fetch and convert weights; say why they cannot be had, "" if they can."""
    try:
        convert(name, found(name, given) or fetch(name, accept, report))
    except WeightsError as error:
        return str(error)
    except OSError as error:
        return _unkept(name, error)
    return ""


def _unkept(name: str, error: OSError) -> str:
    return f"{name} cannot be kept in {published.folder()}: {error}; set MUYBRIDGE_CACHE"


def _about(name: str, source: Path) -> dict[str, str]:
    """Read what a converted file says of itself; empty if it is none, WeightsError if of others."""
    if source.suffix != ".safetensors":
        return {}
    about = checkpoints.metadata(source)
    if about.get("weights", name) != name:
        raise WeightsError(f"{source} holds {about['weights']}, and {name} is wanted")
    return about if "sha256" in about else {}


def _place(name: str, source: Path) -> Path:
    """Say where a file is kept converted: beside it in the cache, if it is there."""
    converted = known(name).converted
    if source.parent == converted.parent:
        return converted
    digest = blake2b(str(source.resolve()).encode(), digest_size=6).hexdigest()
    return converted.with_stem(f"{name}-{digest}")


def _stamp(source: Path) -> dict[str, str]:
    """Tell a version of a file from others without reading it."""
    seen = source.stat()
    return {"bytes": str(seen.st_size), "changed": str(seen.st_mtime_ns)}


def _fresh(converted: Path, source: Path) -> bool:
    """Tell whether a converted file was made of this version of its source."""
    if not converted.is_file():
        return False
    return _stamp(source).items() <= checkpoints.metadata(converted).items()


def _sum(name: str, source: Path) -> str:
    """Compute a file's sha256; WeightsError if the cache holds another than the published file."""
    file, digest = known(name), download.sha256_of(source)
    if source == file.cached and not digest.startswith(file.sha256):
        raise WeightsError(
            f"{source} is not the published file: its sha256 is {digest}, and {file.sha256} is "
            "published; remove it, or give it from elsewhere with --weights if it is meant"
        )
    return digest


def _advice(file: File) -> str:
    """Say what to do to get a file."""
    about = ", ".join(part for part in (published.size(file.bytes), file.licence) if part)
    if not file.urls:
        terms = f"; its terms: {file.terms}" if file.terms else ""
        return (
            f"{file.name} ({about}) is not here and cannot be fetched{terms}. "
            f"To have it, {file.place}"
        )
    if not file.terms:
        return f"{file.name} ({about}) is not here; fetch it with: {FETCH} {file.name}"
    return (
        f"{file.name} ({about}) is not here; its terms: {file.terms}. "
        f"To accept them and fetch it: {FETCH} {file.name} --accept-licence"
    )


def _is_model(path: Path) -> None:
    """Refuse at once what is no model file, such as a page that says why there is none."""
    try:
        checkpoints.kind(path)
    except CheckpointError as error:
        raise WeightsError(f"what came is none: {error}") from error
