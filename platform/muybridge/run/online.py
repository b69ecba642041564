"""The graph behind an endpoint, on Ray Serve: one deployment for HTTP, one a pool for the models.

``api`` takes uploads, cuts them into clips and leads these through the pools; it holds no model.
Each pool is a deployment of ``core.Core``; the same pools as offline, one for all by default.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from muybridge.columns import GIVEN
from muybridge.errors import InputError
from muybridge.graph import Graph, ready
from muybridge.run import api
from muybridge.run.cluster import cluster, hushed, workers
from muybridge.run.core import Core
from muybridge.run.pools import Pool, columns, group, most_clips
from muybridge.run.scratch import Scratch
from muybridge.store.tables import SCHEMAS
from muybridge.video.process import Decoder

NAME = "muybridge"


@dataclass(frozen=True)
class Limits:
    """Say what the endpoint takes: bytes a file, requests at a time, seconds a request."""

    max_upload_bytes: int = 1 << 30
    max_requests: int = 32
    timeout_s: float = 3600.0


def serve(
    graph: Graph,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    api_key_file: Path | None = None,
    limits: Limits = Limits(),
    pools: tuple[Pool, ...] = (),
    address: str | None = None,
    verbose: bool = False,
    started: Callable[[str], None] = print,
) -> None:
    """Serve the graph until Ctrl-C or another exception; ``started`` is told the address once it
    answers.

    A pool without a ``largest`` may grow as far as the cluster goes now.
    """
    ready(graph, GIVEN)
    api_key = read_key(api_key_file)
    check_free(host, port)
    os.environ.update(settings())  # before ray.serve is imported: it reads them once
    from ray import serve as ray_serve

    if not verbose:
        logging.getLogger("ray.serve").setLevel(logging.WARNING)
    if threading.current_thread() is threading.main_thread():
        signal.signal(
            signal.SIGINT, signal.default_int_handler
        )  # shells let it be ignored behind &
    with cluster(address, verbose):
        grown = tuple(_grown(pool) for pool, _ in group(graph, GIVEN, pools))
        app = build(graph, api_key=api_key, limits=limits, pools=grown)
        ray_serve.start(
            http_options={"host": host, "port": port, "request_timeout_s": limits.timeout_s},
            logging_config=_logging(verbose),
        )
        try:
            ray_serve.run(app, name=NAME, route_prefix="/")
            started(f"http://{host}:{port}")
            threading.Event().wait()
        finally:
            with hushed(verbose):
                ray_serve.shutdown()


def build(
    graph: Graph,
    *,
    api_key: str | None = None,
    limits: Limits = Limits(),
    pools: tuple[Pool, ...] = (),
) -> Any:
    """Make the Serve application; a pool without a ``largest`` does not grow."""
    from ray import serve as ray_serve

    grouped = group(graph, GIVEN, pools)
    names = ["core"] if len(grouped) == 1 else ["+".join(pool.stages) for pool, _ in grouped]
    cores = [
        ray_serve.deployment(Core, name=name, **_options(pool, stages)).bind(stages, *held)
        for name, (pool, stages), held in zip(names, grouped, columns(grouped, GIVEN), strict=True)
    ]
    largest, first = grouped[0][0].largest or grouped[0][0].smallest, grouped[0][1]
    across = [
        name for name, (_, some) in zip(names, grouped, strict=True) if any(s.across for s in some)
    ]
    app = partial(face, names, across, api_key, limits, 2 * most_clips(first) * largest)
    return ray_serve.deployment(
        ray_serve.ingress(lambda: app())(),
        name="api",
        ray_actor_options={"num_cpus": 0},
        max_ongoing_requests=limits.max_requests + 64,  # the face itself refuses, with a sentence
        request_router_config=_router(),
        logging_config=_logging(False),
    ).bind(*cores)


def face(
    pools: list[str], across: list[str], api_key: str | None, limits: Limits, ahead: int
) -> Any:
    """Make the HTTP application, in a replica of ``api``; ``across`` are pools for sessions."""
    from ray import serve as ray_serve

    from muybridge.web import app

    name = ray_serve.get_replica_context().app_name
    handles = {pool: ray_serve.get_deployment_handle(pool, app_name=name) for pool in pools}
    every, some = [*handles.values()], [handles[pool] for pool in across]
    scratch, decoder = Scratch(), Decoder()
    made = app.create(
        partial(api.analyze, every, decoder, ahead),
        partial(api.triangulate, every, some, decoder, ahead),
        SCHEMAS,
        api_key=api_key,
        max_bytes=limits.max_upload_bytes,
        max_requests=limits.max_requests,
        folder=scratch.path,
        ready=Readiness(name, pools),
    )
    made.state.scratch = scratch  # as long as the application lives
    return made


class Readiness:
    """Tell whether every pool has a replica with its models loaded; looks once a second at most."""

    def __init__(self, application: str, pools: list[str]) -> None:
        self._application, self._pools = application, pools
        self._looked, self._ready = 0.0, False

    async def __call__(self) -> bool:
        """Look, unless somebody has just done so."""
        if time.monotonic() - self._looked > 1:
            self._looked, self._ready = time.monotonic(), await asyncio.to_thread(self._look)
        return self._ready

    def _look(self) -> bool:
        from ray import serve as ray_serve

        application = ray_serve.status().applications[self._application]
        states = [application.deployments[pool].replica_states for pool in self._pools]
        return all(state.get("RUNNING", 0) for state in states)


def settings() -> dict[str, str]:
    """Say what Serve reads from its environment: measured to be fast, and to lose no request.

    Ray's own proxy stands before ``api``. RAY_SERVE_ENABLE_HA_PROXY=1 puts HAProxy there, which is
    3 ms faster a request; but it does not always pass on that a client went away, and its metrics
    port listens on every interface. Its files and ports are this server's own, so that several can
    run on one machine. Clips go between replicas as actor calls, by reference where they are large,
    so gRPC stays off.
    """
    folder = tempfile.mkdtemp(prefix="mb-", dir="/tmp")  # a socket's path has 97 letters at most
    wanted = {
        "RAY_SERVE_ENABLE_HA_PROXY": "0",
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_SERVE_USE_GRPC_BY_DEFAULT": "0",
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "1",
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(unused_port()),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(unused_port()),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(unused_port()),
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": f"{folder}/haproxy.cfg",
        "RAY_SERVE_HAPROXY_SOCKET_PATH": f"{folder}/admin.sock",
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": f"{folder}/metrics.sock",
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": folder,
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": f"{folder}/server-state",
    }
    return {name: value for name, value in wanted.items() if name not in os.environ}


def config(import_path: str, **args: Any) -> str:
    """Write Serve's configuration (as JSON) for ``build`` behind a function of ``args``."""
    limits = Limits(**args.get("limits", {}))
    application = {"name": NAME, "route_prefix": "/", "import_path": import_path, "args": args}
    whole = {
        "http_options": {"host": "0.0.0.0", "request_timeout_s": limits.timeout_s},
        "logging_config": _logging(False),
        "applications": [application],
    }
    return json.dumps(whole, indent=2)


def read_key(path: Path | None) -> str | None:
    """Read the API key from its file; no file means no key."""
    if path is None:
        return None
    try:
        key = path.read_text().strip()
    except OSError as error:
        raise InputError(f"the API key file {path} cannot be read: {error.strerror}") from None
    if not key:
        raise InputError(f"the API key file {path} is empty; write the key into it")
    return key


def check_free(host: str, port: int) -> None:
    """Raise InputError if the address cannot be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise InputError(f"cannot listen on {host}:{port}: {error.strerror}") from None


def unused_port() -> int:
    """Find a port that nobody listens on, nor is likely to soon.

    It lies above those that Ray's workers take and below those that Linux gives to whoever asks.
    """
    for port in random.sample(range(20000, 32768), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise InputError("no port is free between 20000 and 32767; end what listens there")


def _grown(pool: Pool) -> Pool:
    most = max(pool.smallest, int(workers() // max(pool.cpus, 0.01)))
    return pool if pool.largest is not None else replace(pool, largest=most)


def _options(pool: Pool, stages: Graph) -> dict[str, Any]:
    from ray.serve.config import AutoscalingConfig

    clips = most_clips(stages)
    return {
        "ray_actor_options": {"num_cpus": pool.cpus, "num_gpus": pool.gpus},
        "max_ongoing_requests": 2 * clips,  # a batch that runs, and the next one
        "autoscaling_config": AutoscalingConfig(
            min_replicas=pool.smallest,
            max_replicas=pool.largest or pool.smallest,
            target_ongoing_requests=clips,
            upscale_delay_s=0,
            downscale_delay_s=60,
            look_back_period_s=2,
            metrics_interval_s=1,
        ),
        "health_check_period_s": 1,
        "request_router_config": _router(),
        "logging_config": _logging(False),
        "graceful_shutdown_timeout_s": 5,
    }


def _router() -> Any:
    """Look for a free replica every few milliseconds: backing off costs most of the throughput."""
    from ray.serve.config import RequestRouterConfig

    return RequestRouterConfig(initial_backoff_s=0.005, backoff_multiplier=1, max_backoff_s=0.01)


def _logging(verbose: bool) -> dict[str, Any]:
    return {"log_level": "INFO" if verbose else "WARNING", "enable_access_log": verbose}
