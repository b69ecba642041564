"""Run a clip in a process of its own, after a worker died over it.

A worker may die for reasons that have nothing to do with the clip (its node went away). So a death
only makes the clip suspect; the verdict is left to a child whose end the worker sees.
"""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ray import cloudpickle

from muybridge import graph
from muybridge.columns import ERROR, Clip, empty
from muybridge.run.attempts import through


def apply(
    stages: graph.Graph,
    given: Iterable[str],
    drop: Iterable[str],
    clip: Clip,
    deaths: int,
    attempts: int,
) -> Clip:
    """Run a clip over which ``deaths`` workers died; quarantine it when ``attempts`` died in all.

    Two children at least must die before the clip is blamed, unless twice as many workers went. The
    verdict does not depend on how many workers went, so that it is the same in every run.
    """
    cause, children = "its worker", 0
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder, "job")
        job.write_bytes(cloudpickle.dumps((stages, tuple(given), tuple(drop), clip)))
        while deaths < 2 * attempts and children < attempts - 1:
            code = subprocess.run([sys.executable, "-m", __name__, job], check=False).returncode
            if code == 0:
                return pickle.loads(job.with_suffix(".done").read_bytes())
            deaths, children = deaths + 1, children + 1
            cause = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return {
        **clip,
        **empty(column for stage in stages for column in stage.writes),
        **empty(ERROR),
        "error": f"quarantined: {attempts} processes died over this clip, the last {cause}",
        "error_stage": "+".join(stage.name for stage in stages),
        "error_kind": "quarantined",
        "error_attempts": attempts,
    }


def main(job: Path) -> None:
    """Do what ``apply`` wrote into the file and leave the answer beside it."""
    stages, given, drop, clip = pickle.loads(job.read_bytes())
    done = through(graph.load(stages, given), [clip])[0]
    kept = {name: value for name, value in done.items() if name not in drop}
    job.with_suffix(".done").write_bytes(pickle.dumps(kept))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
