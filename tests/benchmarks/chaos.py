"""Kill drivers, workers and nodes often: tests/run/test_chaos.py in its long form, as JSON.

    python tests/benchmarks/chaos.py [--driver 10] [--worker 10] [--node 3]

Needs the real videos that MUYBRIDGE_DATA names. Takes ten minutes of two cores.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

TEST = Path(__file__).parent.parent / "run" / "test_chaos.py"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = {"driver": 10, "worker": 10, "node": 3}
    for kind, count in kinds.items():
        parser.add_argument(f"--{kind}", type=int, default=count)
    options = vars(parser.parse_args())
    kills = [str(options[kind]) for kind in kinds]
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--show-capture=no", str(TEST)],
        env={**os.environ, "MUYBRIDGE_CHAOS": " ".join(kills)},
        stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    report = {
        "command": "python tests/benchmarks/chaos.py",
        "machine": "2 shared cores, other work running",
        "kills": options,
        "tables_equal_to_the_byte": done.returncode == 0,
        "pytest": done.stdout.strip().splitlines()[-1],
        "seconds": round(time.monotonic() - began),
    }
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
