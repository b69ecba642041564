"""The embedded graph behind an endpoint, for a cluster: `serve deploy` with what this prints.

    python deployments/embedded.py > serve.yaml && serve deploy serve.yaml

What stands under `args` in the configuration are the keyword arguments of ``app``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from muybridge import graphs
from muybridge.run import online
from muybridge.run.pools import parse


def app(args: dict[str, Any]) -> Any:
    """Build the application: ``pools`` as on the command line, ``api_key_file``, ``limits``."""
    return online.build(
        graphs.embedded(),
        api_key=online.read_key(Path(args["api_key_file"]) if "api_key_file" in args else None),
        limits=online.Limits(**args.get("limits", {})),
        pools=parse(args["pools"]) if "pools" in args else (),
    )


if __name__ == "__main__":
    print(online.config("deployments.embedded:app", pools="decode+people:smallest=1,largest=4"))
