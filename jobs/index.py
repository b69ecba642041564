"""Index a corpus on the cluster that runs this: what `muybridge index` does, as a Ray job.

    ray job submit --working-dir . --runtime-env-json '{"env_vars": {"PYTHONPATH": "platform"}}' \\
        -- python jobs/index.py s3://bucket/videos --out s3://bucket/tables

`muybridge submit` does the same from Python and follows the log.
"""

import sys

from muybridge.cli import app

if __name__ == "__main__":
    app(["index", *sys.argv[1:]])
