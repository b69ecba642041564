"""Retry what failed for a transient cause, with exponential back-off and jitter."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    wait_exponential,
    wait_random,
)

from muybridge.errors import is_transient, kind_of

T = TypeVar("T")

ATTEMPTS = 3  # at one video or clip, in a row: an outage that lasts longer is waited out by the run
TIMEOUT_ATTEMPTS = 2  # where each costs a minute
BACKOFF = wait_exponential(multiplier=0.5, max=10) + wait_random(0, 0.5)  # seconds
PATIENCE_S = 120.0  # for a store that does not answer
DENIED_PATIENCE_S = 10.0  # for one that refuses access, which credentials read anew may mend
OUTAGE_S = 120.0  # that planning, and then analysing, waits in all for what cannot be read

log = logging.getLogger("muybridge")


def attempts(kind: str) -> int:
    """Say how often to try in a row what ends in an error of this kind."""
    return TIMEOUT_ATTEMPTS if kind == "timeout" else ATTEMPTS


def retried(call: Callable[[], T]) -> T:
    """Call, a few times while the error is transient; raise the last one."""

    def stop(state: RetryCallState) -> bool:
        return state.attempt_number >= attempts(kind_of(_error(state)))

    return Retrying(stop=stop, wait=BACKOFF, retry=retry_if_exception(_transient), reraise=True)(
        call
    )


def outage_delays(first_s: float) -> Iterator[float]:
    """Yield seconds to wait before each further attempt at what an outage keeps from being read."""
    waited, delay_s = 0.0, first_s
    while waited < OUTAGE_S:
        yield min(delay_s, OUTAGE_S - waited) * random.uniform(0.75, 1)
        waited, delay_s = waited + delay_s, 2 * delay_s


def patient(
    give_up: Callable[[BaseException], bool], renew: Callable[[BaseException], None]
) -> Retrying:
    """Retry calls to a store until it answers, for ``PATIENCE_S``; decorate with its ``wraps``.

    What cannot be helped by waiting is not retried: ``give_up`` says so of transient errors that
    mean something else here. ``renew`` is called with the error before each further attempt.
    """

    def stop(state: RetryCallState) -> bool:
        denied = kind_of(_error(state)) == "denied"
        return (state.seconds_since_start or 0.0) > (DENIED_PATIENCE_S if denied else PATIENCE_S)

    def before_sleep(state: RetryCallState) -> None:
        if state.attempt_number == 2:  # one that works at once is not worth a word
            log.warning("%s; retrying for up to %.0f s", _error(state), PATIENCE_S)
        renew(_error(state))

    return Retrying(
        stop=stop,
        wait=BACKOFF,
        retry=retry_if_exception(lambda error: _transient(error) and not give_up(error)),
        before_sleep=before_sleep,
        reraise=True,
    )


def _transient(error: BaseException) -> bool:
    return is_transient(kind_of(error))


def _error(state: RetryCallState) -> BaseException:
    error = state.outcome.exception() if state.outcome else None
    assert error is not None
    return error
