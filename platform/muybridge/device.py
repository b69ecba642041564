"""Say on which device networks run: the one place that asks torch what there is.

torch is imported when asked, and the embedded graph never asks: its workers do without torch.
"""

from __future__ import annotations


def device(*, mps: bool = True) -> str:
    """Name the best device there is: "cuda", else "mps" (Apple's), else "cpu".

    ``mps=False`` is for networks that need what Apple's lacks, or got late: numbers of 64 bits,
    singular values, and pooling and transposed convolution in three dimensions.
    """
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if mps and torch.backends.mps.is_available() else "cpu"
