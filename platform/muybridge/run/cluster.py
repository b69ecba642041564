"""Reach Ray: a cluster that is there, or one of our own on this machine for as long as we run."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import ray
import ray.data
from ray.exceptions import RayError

from muybridge.errors import MuybridgeError


@contextmanager
def cluster(address: str | None = None, verbose: bool = False) -> Iterator[None]:
    """Connect to Ray at ``address`` or RAY_ADDRESS, else start it here; leave it as it was found.

    A cluster of our own has one logical CPU more than the machine, so that reading the plan and
    writing tables never wait for the models.
    """
    if ray.is_initialized():
        yield
        return
    address = address or os.environ.get("RAY_ADDRESS")
    if not verbose:
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    options = {} if address else {"num_cpus": cores() + 1, "include_dashboard": False}
    with hushed(verbose), _own_sigterm():
        ray.init(
            address=address or "local",
            logging_level=logging.INFO if verbose else logging.ERROR,
            log_to_driver=verbose,
            **options,
        )
    try:
        yield
    except RayError as error:
        if (own := _raised_on_purpose(error)) is not None:
            raise own from None  # its sentence, without the stack of the task that it ended
        raise
    finally:
        with hushed(verbose):
            ray.shutdown()


def _raised_on_purpose(error: BaseException | None) -> MuybridgeError | None:
    """Find the error of ours that ended a task or an actor, if it was one."""
    while error is not None:
        if isinstance(error, MuybridgeError) and not isinstance(error, RayError):
            text, *rest = error.args  # to which Ray Data adds advice on settings of its own
            error.args = str(text).partition("\nFailed to apply")[0], *rest
            return error
        error = getattr(error, "cause", None) or error.__cause__
    return None


@contextmanager
def _own_sigterm() -> Iterator[None]:
    """Keep what SIGTERM does in this process: Ray sets a handler of its own when it starts."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


@contextmanager
def hushed(verbose: bool) -> Iterator[None]:
    """Send what Ray writes past our own output, to the streams themselves, nowhere."""
    if verbose:
        yield
        return
    kept = {stream: os.dup(stream) for stream in (1, 2)}
    with open(os.devnull, "w") as nowhere:
        for stream in kept:
            os.dup2(nowhere.fileno(), stream)
    try:
        yield
    finally:
        for stream, own in kept.items():
            os.dup2(own, stream)
            os.close(own)


def stream(verbose: bool = False) -> None:
    """Set Ray Data up for rows that are worth seconds: every row a block of its own."""
    context = ray.data.DataContext.get_current()
    context.target_max_block_size = 1
    context.target_min_block_size = 1
    context.raise_original_map_exception = True
    context.enable_progress_bars = verbose
    context.print_on_execution_start = verbose
    if not verbose:
        logging.getLogger("ray.data").setLevel(logging.ERROR)


def cores() -> int:
    """Count the CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def workers() -> int:
    """Tell how many one-CPU workers the cluster has room for."""
    return max(1, int(ray.cluster_resources().get("CPU", 1)) - 1)
