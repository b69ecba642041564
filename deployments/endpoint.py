"""A graph behind an endpoint, for a cluster: `serve deploy` with what this prints.

    python deployments/endpoint.py > serve.yaml && serve deploy serve.yaml

What stands under `args` in the configuration are the keyword arguments of ``app``. Weights must be
at the same path on every node, or in every node's cache.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from muybridge import graphs
from muybridge.run import online
from muybridge.run.pools import parse


def app(args: dict[str, Any]) -> Any:
    """Build the application: ``choice`` of a graph, ``pools``, ``api_key_file``, ``limits``."""
    return online.build(
        graphs.build(graphs.choice(args.get("choice", {}))),
        api_key=online.read_key(Path(args["api_key_file"]) if "api_key_file" in args else None),
        limits=online.Limits(**args.get("limits", {})),
        pools=parse(args["pools"]) if "pools" in args else (),
    )


if __name__ == "__main__":
    pools = "decode+people+lift+act:smallest=1,largest=4"
    print(online.config("deployments.endpoint:app", choice={"graph": "people"}, pools=pools))
