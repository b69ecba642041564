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
    accept before it is fetched, "" if nothing. ``others`` are names that people have it under.
    ``by_hand`` says how to get it where no address gives the file itself.
    """

    name: str
    model: str
    file: str
    urls: tuple[str, ...]
    sha256: str
    bytes: int
    licence: str
    terms: str = ""
    others: tuple[str, ...] = ()
    by_hand: str = ""

    @property
    def cached(self) -> Path:
        """Be where the file lies on this machine once it is fetched, or put there by hand."""
        return folder() / self.file

    @property
    def converted(self) -> Path:
        """Be where what was made of it lies: its tensors as safetensors."""
        return folder() / f"{self.name}.safetensors"

    @property
    def place(self) -> str:
        """Say how to get it by hand, where to put it, and under which name."""
        names = " or ".join((self.file, *self.others))
        return f"{self.by_hand} and put it to {self.cached}, or into --weights FOLDER as {names}"

    @property
    def there(self) -> Path | None:
        """Be where it lies in the cache: as published, under another name, or converted."""
        places = (self.cached, *(folder() / name for name in self.others), self.converted)
        return next((place for place in places if place.is_file()), None)

    @property
    def here(self) -> bool:
        """Tell whether it lies in the cache, as published or converted."""
        return self.there is not None


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
SPIN = "BSD 3-Clause (SPIN)"
ACADEMIC = "OpenPose's, academic and noncommercial"
SMPL = "https://smpl.is.tue.mpg.de"
SMPLIFY = "https://smplify.is.tue.mpg.de"
BODY = "SMPL's, noncommercial"
RESEARCH = "noncommercial scientific research, see {}"
VIBE_LICENCE = RESEARCH.format("https://github.com/mkocabas/VIBE/blob/master/LICENSE")
VIBE_DATA = (  # what VIBE's scripts/prepare_data.sh fetches, a page that asks before it gives it
    "unpack vibe_data.zip from https://drive.google.com/uc?id=1untXhYOLQtpNEy4GTY_0fL_H-k6cTf_r, "
    "take vibe_data/{} out of it"
)
SPIN_DATA = "unpack http://visiondata.cis.upenn.edu/spin/data.tar.gz, take data/{} out of it"
SPNET = "https://github.com/dluvizon/deephar"
TRIANGULATION = "https://github.com/karfly/learnable-triangulation-pytorch"
OPENMMLAB = "https://openmmlab-share.oss-cn-hangzhou.aliyuncs.com/mmhuman3d/models/{}"
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


RCNNS = (
    ("fasterrcnn_resnet50_fpn", "Faster R-CNN", "258fb6c6", 159.743),
    ("maskrcnn_resnet50_fpn", "Mask R-CNN", "bf2d0c1e", 169.840),
    ("keypointrcnn_resnet50_fpn", "Keypoint R-CNN, 17 joints", "fc266e95", 226.054),
)
VIDEO = (
    ("r3d_18", "R3D-18", "b3b3357e", 127.359),
    ("r2plus1d_18", "R(2+1)D-18", "91a641e6", 120.318),
    ("mvit_v2_s", "MViTv2-S", "ae3be167", 131.884),
    ("swin3d_t", "Video Swin-T", "7615ae03", 121.543),
    ("s3d", "S3D", "d76dad2f", 31.972),
)


def _densepose() -> list[File]:
    files = []
    for config, number, digits in CHARTS:
        sha256, count = KNOWN.get(config, ("", 0))
        url = DENSEPOSE.format(config, number, digits)
        model = f"DensePose {config.replace('_', ' ')}"
        name, file = f"densepose_rcnn_{config}", f"model_final_{digits}.pkl"
        files.append(File(name, model, file, (url,), sha256, count, SHARE_ALIKE))
    return files


def _torchvision(name: str, model: str, stem: str, digits: str, megabytes: float) -> File:
    """Describe a file whose name carries eight digits of its sha256, sized in MiB as published."""
    file = f"{stem}-{digits}.pth"
    return File(
        name, model, file, (TORCHVISION.format(file),), digits, round(megabytes * 2**20), BSD
    )


def _openpose(name: str, model: str, place: str, sha256: str, count: int) -> File:
    urls = tuple(url.format(place) for url in OPENPOSE)
    file = place.rpartition("/")[2]
    return File(name, model, file, urls, sha256, count, ACADEMIC, NONCOMMERCIAL)


def _body(name: str, page: str, archive: str, *others: str) -> File:
    """Describe a body: nobody may hand it on, so everybody gets it from its authors."""
    return File(
        f"smpl_{name}",
        f"SMPL, {name} body",
        f"SMPL_{name.upper()}.pkl",
        (),
        "",
        0,
        BODY,
        RESEARCH.format(f"{SMPL}/modellicense.html"),
        (*others, f"SMPL_{name.upper()}.npz"),
        f"register at {page}, download {archive}, take {others[0]} out of it",
    )


def _vibe(name: str, model: str, place: str) -> File:
    file = f"vibe_model_{name}.pth.tar"
    urls = (f"https://www.dropbox.com/s/{place}/{file}?dl=1",)
    by_hand = VIBE_DATA.format(file)
    return File(
        f"vibe_{name}", model, file, urls, "", 0, "VIBE's, noncommercial", VIBE_LICENCE, (), by_hand
    )


def _spnet(name: str, model: str, file: str) -> File:
    """Describe a file of SPNet's authors, of which no address is known to give it by itself."""
    by_hand = f"see {SPNET}, take {file} from there"
    return File(name, model, file, (), "", 0, "MIT (deephar)", by_hand=by_hand)


def _spin(name: str, model: str, file: str, version: str) -> File:
    """Describe a file that comes with SPIN; OpenMMLab hands on each of them by itself."""
    urls = (f"{OPENMMLAB.format(file)}?versionId={version}",)
    return File(name, model, file, urls, "", 0, SPIN, by_hand=SPIN_DATA.format(file))


def _triangulation(name: str, model: str, place: str) -> File:
    """Describe a file of learnable triangulation: a folder on a drive that its page links to."""
    by_hand = f"follow the links to the authors' files at {TRIANGULATION}, take {place}"
    terms = f"MIT, see {TRIANGULATION}/blob/master/LICENSE; Human3.6M, which taught it, has its own"
    return File(name, model, f"{name}.pth", (), "", 0, "MIT", terms, by_hand=by_hand)


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
        *(
            _torchvision(name, model, f"{name}_coco", digits, megabytes)
            for name, model, digits, megabytes in RCNNS
        ),
        *(
            _torchvision(name, f"{model}, 400 actions (Kinetics)", name, digits, megabytes)
            for name, model, digits, megabytes in VIDEO
        ),
        _vibe("wo_3dpw", "VIBE, not taught on 3DPW", "amj2p8bmf6g56k6"),
        _vibe("w_3dpw", "VIBE, taught on 3DPW as well", "41ozgqorcp095ja"),
        File(
            "spin",
            "SPIN, the network under VIBE",
            "spin_model_checkpoint.pth.tar",
            (),
            "",
            0,
            "VIBE's, noncommercial",
            VIBE_LICENCE,
            by_hand=VIBE_DATA.format("spin_model_checkpoint.pth.tar"),
        ),
        _body(
            "neutral",
            SMPLIFY,
            "mpips_smplify_public_v2.zip",
            "basicModel_neutral_lbs_10_207_0_v1.0.0.pkl",
            "basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl",
        ),
        _body(
            "male",
            SMPL,
            "SMPL_python_v.1.0.0.zip",
            "basicmodel_m_lbs_10_207_0_v1.0.0.pkl",
            "basicmodel_m_lbs_10_207_0_v1.1.0.pkl",
        ),
        _body(
            "female",
            SMPL,
            "SMPL_python_v.1.0.0.zip",
            "basicModel_f_lbs_10_207_0_v1.0.0.pkl",
            "basicmodel_f_lbs_10_207_0_v1.1.0.pkl",
        ),
        _spin(
            "smpl_regressor_extra",
            "SMPL, 9 more joints",
            "J_regressor_extra.npy",
            "CAEQHhiBgIDD6c3V6xciIGIwZDEzYWI5NTBlOTRkODU4OTE1M2Y4YTI0NTVlZGM1",
        ),
        _spin(
            "smpl_regressor_h36m",
            "SMPL, joints of Human3.6M",
            "J_regressor_h36m.npy",
            "CAEQHhiBgIDE6c3V6xciIDdjYzE3MzQ4MmU4MzQyNmRiZDA5YTg2YTI5YWFkNjRi",
        ),
        _spin(
            "smpl_mean_params",
            "SMPL, the mean body",
            "smpl_mean_params.npz",
            "CAEQHhiBgICN6M3V6xciIDU1MzUzNjZjZGNiOTQ3OWJiZTJmNThiZmY4NmMxMTM4",
        ),
        _triangulation(
            "human36m_alg_10-04-2019",
            "Learnable triangulation, algebraic",
            "human36m_alg_10-04-2019/checkpoints/0060/weights.pth",
        ),
        _triangulation(
            "human36m_vol_softmax_10-08-2019",
            "Learnable triangulation, volumetric",
            "human36m_vol_softmax_10-08-2019/checkpoints/0040/weights.pth",
        ),
        _triangulation(
            "pose_resnet_4.5_pixels_human36m",
            "Learnable triangulation, the backbone alone",
            "pose_resnet_4.5_pixels_human36m.pth",
        ),
        _spnet("spnet_ntu", "SPNet, 3-D, 60 actions (NTU)", "weights_3dp+ntu_ar_062.hdf5"),
        _spnet("spnet_penn", "SPNet, 2-D, 15 actions (Penn)", "weights_mpii+penn_ar_028.hdf5"),
    )
}


def known(name: str) -> File:
    """Look a file up by the weights' name; InputError lists the names."""
    if name not in FILES:
        raise InputError(listed(f"there are no weights called {name!r}; there are", tuple(FILES)))
    return FILES[name]
