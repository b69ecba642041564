"""Say what this machine can do, and what to do where it cannot."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from muybridge.device import device, may_have_gpu
from muybridge.errors import CheckpointError

GIB = 1 << 30  # bytes
PACKAGES = ("numpy", "pyarrow", "torch", "ray", "duckdb", "boto3", "pillow", "scipy")
DECODERS = ("h264", "hevc", "vp9", "av1")
ENCODER = "libx264"
BODIES = ("smpl_neutral", "smpl_male", "smpl_female")
RAY_OLDEST = (2, 55)
SHARED_GIB = 1  # clips pass through shared memory on their way to a model
DISK_GIB = 1


@dataclass(frozen=True)
class Line:
    """Be the answer to one question: what was found, and what to do if it is not ``ok``.

    Without what is ``needed``, `muybridge index` cannot run; the rest makes it faster or wider.
    """

    name: str
    ok: bool
    found: str
    advice: str = ""
    needed: bool = True


Check = Callable[[], Iterator[Line]]


def check(out: str = ".") -> list[Line]:
    """Look at everything; a check that breaks says so in a line of its own."""
    checks: dict[str, Check] = {
        "python": _python,
        "packages": _packages,
        "machine": _machine,
        "device": _device,
        "video": _video,
        "models": _models,
        "weights": _weights,
        "bodies": _bodies,
        "ray": _ray,
        "disk": partial(_disk, out),
        "s3": _s3,
    }
    return [line for name, one in checks.items() for line in _survived(name, one)]


def able(lines: list[Line]) -> bool:
    """Tell whether the default graph can run."""
    return all(line.ok for line in lines if line.needed)


def _survived(name: str, one: Check) -> list[Line]:
    try:
        return list(one())
    except Exception as error:  # what is checked may fail in any way, and the rest must be told
        return [Line(name, False, f"{type(error).__name__}: {error}", "reinstall what it names")]


def _python() -> Iterator[Line]:
    version = platform.python_version_tuple()
    ok = (3, 10) <= (int(version[0]), int(version[1])) < (3, 14)
    yield Line("python", ok, platform.python_version(), "use Python 3.10 to 3.13")
    yield Line("muybridge", True, _version("muybridge") or "not installed, run from its source")


def _packages() -> Iterator[Line]:
    for name in PACKAGES:
        found = _version(name)
        yield Line(name, bool(found), found or "not installed", "pip install -e .")
    numpy, pyarrow = _numbers(_version("numpy")), _numbers(_version("pyarrow"))
    if pyarrow >= (26,) and numpy < (2,):
        found = f"pyarrow {_version('pyarrow')} refuses numpy {_version('numpy')}"
        yield Line("numpy with pyarrow", False, found, "pip install 'pyarrow<26'")


def _machine() -> Iterator[Line]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Line("cpu", True, f"{cores} cores ({platform.machine()}, {platform.system()})")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    yield Line("memory", memory >= 4, f"{memory:.1f} GiB", "4 GiB or more are advised", False)
    shared = Path("/dev/shm")
    if shared.is_dir():
        free = shutil.disk_usage(shared).free / GIB
        advice = "give the container more: docker run --shm-size=4g"
        yield Line("shared memory", free >= SHARED_GIB, f"{free:.1f} GiB free", advice, False)


def _device() -> Iterator[Line]:
    """Say where networks run; ask torch only where a GPU may be: importing it takes seconds."""
    if not may_have_gpu():
        yield Line("device", True, "cpu; there is no GPU", needed=False)
        return
    import torch

    found = device()
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    advice = "install a build of torch that fits the driver; see pytorch.org"
    more = {"cuda": ", ".join(names), "mps": "Apple's GPU", "cpu": "torch sees no GPU"}[found]
    yield Line("device", found != "cpu", f"{found}: {more}", advice, False)


def _video() -> Iterator[Line]:
    import av

    there = [name for name in DECODERS if name in av.codecs_available]
    lacking = [name for name in DECODERS if name not in there]
    found = f"PyAV {av.__version__} decodes {', '.join(there)}"
    found += f" but not {', '.join(lacking)}" if lacking else ""
    yield Line("decoders", not lacking, found, "pip install --upgrade av", "h264" in lacking)
    writes = ENCODER in av.codecs_available
    found = f"{ENCODER} is {'there' if writes else 'missing'}"
    yield Line("encoder", writes, found, "pip install --upgrade av; render needs it", False)
    decord = _version("decord")
    found = decord or "not installed; PyAV decodes everything"
    yield Line("decord", True, found, needed=False)


def _models() -> Iterator[Line]:
    from muybridge import graphs

    for stage in graphs.see_people():
        missing = list(stage.missing())
        weights = ", ".join(str(value) for value in list(stage.identity.values())[:2])
        found = f"missing: {len(missing)}" if missing else weights or "nothing needed"
        yield Line(f"stage {stage.name}", not missing, found, "\n".join(missing))


def _weights() -> Iterator[Line]:
    from muybridge.published import FILES, folder

    here = [name for name, file in FILES.items() if file.here]
    found = f"{len(here)} of {len(FILES)} published files in {folder()}"
    yield Line("weights", True, f"{found}; see: muybridge weights list", needed=False)


def _bodies() -> Iterator[Line]:
    """Read the SMPL files that are here; nobody may hand them on, so each is got by hand."""
    from muybridge.published import FILES

    bodies = [FILES[name] for name in BODIES]
    for body in bodies:
        if body.there:
            fault = _misfit(body.there, body.name)
            advice = f"{fault}\n{body.place}"
            yield Line(body.name, not fault, str(body.there), advice, False)
    if not any(body.here for body in bodies):
        found = "none is here; the graph vibe needs one"
        yield Line("bodies", False, found, bodies[0].place, False)


def _misfit(path: Path, name: str) -> str:
    """Say why a file does not hold what it should, "" if it does."""
    from muybridge import weights

    try:
        return weights.examine(path, name).misfit
    except CheckpointError as error:
        return str(error)


def _ray() -> Iterator[Line]:
    """Import Ray in a process of its own: a broken one may take the process along."""
    version = _version("ray")
    done = subprocess.run([sys.executable, "-c", "import ray"], capture_output=True, timeout=60)
    words = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
    found = version if not done.returncode else f"{version} cannot be imported: {' '.join(words)}"
    ok = not done.returncode and _numbers(version) >= RAY_OLDEST
    yield Line("ray starts", ok, found, "pip install 'ray[serve,data]>=2.55,<3'")


def _disk(out: str) -> Iterator[Line]:
    if "://" in out:
        return
    folder = Path(out).absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free / GIB
    yield Line("disk", free >= DISK_GIB, f"{free:.1f} GiB free at {there}", "make room", False)


def _s3() -> Iterator[Line]:
    """Say where credentials come from, never what they are."""
    import boto3

    found = boto3.session.Session().get_credentials()
    advice = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run `aws configure`"
    yield Line("s3", found is not None, found.method if found else "no credentials", advice, False)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
