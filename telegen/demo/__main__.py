"""`python -m telegen.demo`: serve the simulated API server, or print its objects as a List."""

from __future__ import annotations

import argparse
import sys

import orjson

from telegen.demo.objects import SyntheticCluster
from telegen.demo.process import serve_until_term


def main() -> int:
    """Serve, or print the objects; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m telegen.demo", description="A simulated Kubernetes API server.")
    parser.add_argument("--pods", type=int, default=200, help="pods of the cluster (default: 200)")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: any free port)")
    parser.add_argument("--rate", type=float, default=5.0, help="changes per second (default: 5)")
    parser.add_argument("--write", action="store_true", help="print all objects as a List and exit")
    options = parser.parse_args()
    if options.write:
        items = [obj for _, obj in SyntheticCluster(options.pods).objects()]
        sys.stdout.buffer.write(orjson.dumps({"kind": "List", "apiVersion": "v1", "items": items}))
        return 0
    serve_until_term(options.pods, options.rate, None, options.port, ready=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
