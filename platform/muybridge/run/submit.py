"""Send `muybridge index` to a Ray cluster as a job, and follow what it says."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from ray.exceptions import RayError
from ray.job_submission import JobStatus, JobSubmissionClient

import muybridge
from muybridge.errors import InputError

PASSED_ON = ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION")


def submit(arguments: Sequence[str], address: str, ship: bool = True) -> bool:
    """Run ``muybridge index ARGUMENTS`` on the cluster at ``address``; True if it succeeded.

    The log is printed as it comes. ``ship`` sends this package's own sources along, so that the
    cluster needs only what they depend on. A token for the cluster is taken from RAY_AUTH_TOKEN or
    RAY_AUTH_TOKEN_PATH, as Ray's own commands do.
    """
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    runtime: dict[str, object] = {"env_vars": environment}
    if ship:
        runtime["py_modules"] = [str(Path(muybridge.__path__[0]))]
    try:
        client = JobSubmissionClient(address)
        job = client.submit_job(
            entrypoint=shlex.join(["python", "-m", "muybridge", "index", *arguments]),
            runtime_env=runtime,
        )
    except (ConnectionError, RuntimeError, RayError) as error:
        cause = str(error).splitlines()[0]
        raise InputError(
            f"no job could be sent to {address}: {cause}; is it the address of a Ray dashboard, "
            "such as http://127.0.0.1:8265, and is RAY_AUTH_TOKEN set where it asks for one?"
        ) from None
    print(f"job {job} sent to {address}", file=sys.stderr)
    asyncio.run(_follow(client, job))
    return client.get_job_status(job) == JobStatus.SUCCEEDED


async def _follow(client: JobSubmissionClient, job: str) -> None:
    async for text in client.tail_job_logs(job):
        print(text, end="", flush=True)
