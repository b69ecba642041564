"""The models' files as their authors publish them: where they are, what they are, on what terms.

A sha256 is written down only where somebody other than the address itself gives it: all of it, or
its first digits where they stand in the file's name. "" means that it is not known.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from muybridge.errors import InputError, listed

MB = 1_000_000


@dataclass(frozen=True)
class File:
    """Describe one published file: ``name`` is what options call it, ``file`` what it is called.

    ``bytes`` is 0 if it is not known, and may be off by a thousand. ``terms`` is what a user must
    accept before it is fetched, "" if nothing.
    """

    name: str
    model: str
    file: str
    urls: tuple[str, ...]
    sha256: str
    bytes: int
    licence: str
    terms: str = ""

    @property
    def cached(self) -> Path:
        """Be where the file lies on this machine once it is fetched, or put there by hand."""
        return folder() / self.file

    @property
    def converted(self) -> Path:
        """Be where what was made of it lies: its tensors as safetensors."""
        return folder() / f"{self.name}.safetensors"

    @property
    def here(self) -> bool:
        """Tell whether it lies on this machine, as published or converted."""
        return self.cached.is_file() or self.converted.is_file()


def folder() -> Path:
    """Be the folder of the files on this machine; MUYBRIDGE_CACHE moves it."""
    cache = os.environ.get("MUYBRIDGE_CACHE")
    return (Path(cache) if cache else Path.home() / ".cache" / "muybridge") / "weights"


def size(count: int) -> str:
    """Write a number of bytes in MB; "" for 0."""
    return f"{round(count / MB):,} MB" if count else ""


DENSEPOSE = "https://dl.fbaipublicfiles.com/densepose/densepose_rcnn_{}/{}/model_final_{}.pkl"
TORCHVISION = "https://download.pytorch.org/models/{}"
OPENPOSE = (  # the authors' host is often out of reach; the other has the same bytes
    "http://posefs1.perception.cs.cmu.edu/OpenPose/models/pose/{}",
    "https://huggingface.co/camenduru/openpose/resolve/main/models/pose/{}",
)
SHARE_ALIKE = "CC BY-SA 3.0"
BSD = "BSD 3-Clause (torchvision)"
ACADEMIC = "OpenPose's, academic and noncommercial"
NONCOMMERCIAL = (
    "academic or non-profit organizations may use it for noncommercial research, see "
    "https://github.com/CMU-Perceptual-Computing-Lab/openpose/blob/master/LICENSE"
)

# fmt: off
CHARTS = (
    # config,                  number,      digits in the file's name
    ("R_50_FPN_s1x_legacy",    "164832157", "d366fa"),
    ("R_101_FPN_s1x_legacy",   "164832182", "10af0e"),
    ("R_50_FPN_s1x",           "165712039", "162be9"),
    ("R_101_FPN_s1x",          "165712084", "c6ab63"),
    ("R_50_FPN_DL_s1x",        "165712097", "0ed407"),
    ("R_101_FPN_DL_s1x",       "165712116", "844d15"),
    ("R_50_FPN_WC1_s1x",       "173862049", "289019"),
    ("R_50_FPN_WC2_s1x",       "173861455", "3abe14"),
    ("R_50_FPN_DL_WC1_s1x",    "173067973", "b1e525"),
    ("R_50_FPN_DL_WC2_s1x",    "173859335", "60fed4"),
    ("R_101_FPN_WC1_s1x",      "171402969", "9e47f0"),
    ("R_101_FPN_WC2_s1x",      "173860702", "5ea023"),
    ("R_101_FPN_DL_WC1_s1x",   "173858525", "f359f3"),
    ("R_101_FPN_DL_WC2_s1x",   "173294801", "6e1ed1"),
    ("R_50_FPN_WC1M_s1x",      "217144516", "48a9d9"),
    ("R_50_FPN_WC2M_s1x",      "216245640", "d79ada"),
    ("R_50_FPN_DL_WC1M_s1x",   "216245703", "61971e"),
    ("R_50_FPN_DL_WC2M_s1x",   "216245758", "7bfb43"),
    ("R_101_FPN_WC1M_s1x",     "216453687", "0a7287"),
    ("R_101_FPN_WC2M_s1x",     "216245682", "e354d9"),
    ("R_101_FPN_DL_WC1M_s1x",  "216245771", "0ebeb3"),
    ("R_101_FPN_DL_WC2M_s1x",  "216245790", "de6e7a"),
)
# fmt: on
KNOWN = {  # sha256 and bytes, as others who use the file have written them down
    "R_50_FPN_s1x": (
        "b8a7382001b16e453bad95ca9dbc68ae8f2b839b304cf90eaf5c27fbdb4dae91",
        255_757_821,
    ),
}  # fmt: skip


def _densepose() -> list[File]:
    files = []
    for config, number, digits in CHARTS:
        sha256, count = KNOWN.get(config, ("", 0))
        url = DENSEPOSE.format(config, number, digits)
        model = f"DensePose {config.replace('_', ' ')}"
        name, file = f"densepose_rcnn_{config}", f"model_final_{digits}.pkl"
        files.append(File(name, model, file, (url,), sha256, count, SHARE_ALIKE))
    return files


def _torchvision(name: str, model: str, digits: str, megabytes: float) -> File:
    """Describe a file whose name carries eight digits of its sha256, sized in MiB as published."""
    file = f"{name}_coco-{digits}.pth"
    return File(
        name, model, file, (TORCHVISION.format(file),), digits, round(megabytes * 2**20), BSD
    )


def _openpose(name: str, model: str, place: str, sha256: str, count: int) -> File:
    urls = tuple(url.format(place) for url in OPENPOSE)
    file = place.rpartition("/")[2]
    return File(name, model, file, urls, sha256, count, ACADEMIC, NONCOMMERCIAL)


FILES = {
    file.name: file
    for file in (
        *_densepose(),
        File(
            "openpose_coco",
            "OpenPose COCO, 18 joints (PyTorch)",
            "body_pose_model.pth",
            ("https://huggingface.co/lllyasviel/Annotators/resolve/main/body_pose_model.pth",),
            "25a948c16078b0f08e236bda51a385d855ef4c153598947c28c0d47ed94bb746",
            209_267_595,
            ACADEMIC,
            NONCOMMERCIAL,
        ),
        _openpose(
            "openpose_coco_caffe",
            "OpenPose COCO, 18 joints (Caffe)",
            "coco/pose_iter_440000.caffemodel",
            "b4cf475576abd7b15d5316f1ee65eb492b5c9f5865e70a2e7882ed31fb682549",
            0,
        ),
        _openpose(
            "openpose_body25",
            "OpenPose BODY_25 (Caffe)",
            "body_25/pose_iter_584000.caffemodel",
            "44e3d7ebd8c8b62d4366d67127f1b562611a9e8fd0f4f3cdeeb4bb4a6ed12be6",
            104_715_850,
        ),
        _torchvision("fasterrcnn_resnet50_fpn", "Faster R-CNN", "258fb6c6", 159.743),
        _torchvision("maskrcnn_resnet50_fpn", "Mask R-CNN", "bf2d0c1e", 169.840),
        _torchvision("keypointrcnn_resnet50_fpn", "Keypoint R-CNN, 17 joints", "fc266e95", 226.054),
    )
}


def known(name: str) -> File:
    """Look a file up by the weights' name; InputError lists the names."""
    if name not in FILES:
        raise InputError(listed(f"there are no weights called {name!r}; there are", tuple(FILES)))
    return FILES[name]
