"""Say on which device networks run: the one place that asks torch what there is.

Importing torch takes seconds and memory: where no GPU can be, nobody needs to ask it.
"""

from __future__ import annotations

import platform
import shutil
from pathlib import Path


def may_have_gpu() -> bool:
    """Say, without torch, whether this machine may have a GPU: Nvidia's driver, or Apple's chip."""
    if shutil.which("nvidia-smi") is not None or Path("/dev/nvidia0").exists():
        return True
    return (platform.system(), platform.machine()) == ("Darwin", "arm64")


def device(*, mps: bool = True) -> str:
    """Name the best device there is: "cuda", else "mps" (Apple's), else "cpu".

    ``mps=False`` is for networks that need what Apple's lacks, or got late: numbers of 64 bits,
    singular values, and pooling and transposed convolution in three dimensions.
    """
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if mps and torch.backends.mps.is_available() else "cpu"
