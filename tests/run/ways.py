"""What tests share that compare the ways to run: an endpoint as users start it, and nearness."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pytest
import torch

from muybridge.run.online import unused_port


@contextmanager
def served(*options: str) -> Iterator[str]:
    """Give the address of a server in a process of its own."""
    port = unused_port()
    command = [sys.executable, "-m", "muybridge", "serve", "--port", str(port), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            assert str(port) in server.stdout.readline()
            yield f"http://127.0.0.1:{port}"
        finally:
            server.send_signal(signal.SIGINT)


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute as Ray's workers do: with more threads, sums come out otherwise."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def near(field: pa.Field, values: list[Any], apart: float) -> list[Any]:
    """Make of a column's values what others must equal: numbers nearly, all else exactly."""
    kind = field.type.value_type if pa.types.is_list(field.type) else field.type
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        return values
    return [v if v is None else pytest.approx(v, abs=apart, rel=apart) for v in values]
