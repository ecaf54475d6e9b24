"""Evaluate a file of expressions in a small cluster whose Prometheus scrapes the agents (`make check-rules EXPRESSIONS=FILE`)."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml

from tests.cluster.binaries import Unavailable
from tests.cluster.expressions import Expression, Unreadable, read_expressions, recording_rules
from tests.cluster.kubectl import Object
from tests.cluster.monitored import monitored
from tests.cluster.prometheus import Prometheus
from tests.k8s.documents import HELM

RECIPE = "kube-prometheus"
SETTLE = 150.0
"""Seconds until an expression counts as one without data; rules over rates of rules need about a minute."""


KUBELET = b'kubelet_node_name{node="node-0"} 1\n'
"""A page of the kubelet's own metrics, which the recipes leave to the kubelet."""


def without_data(server: Prometheus, expressions: list[Expression]) -> list[tuple[Expression, str]]:
    """Evaluate until every expression has had data, or SETTLE has passed; return those without, with the error of each, if any."""
    left = [(expression, "") for expression in expressions]
    deadline = time.monotonic() + SETTLE
    while True:
        left = [(one, error) for one, _ in left for has_data, error in [evaluate(server, one)] if not has_data]
        if time.monotonic() > deadline or all(expression.empty for expression, _ in left):
            return left
        time.sleep(2)


def evaluate(server: Prometheus, expression: Expression) -> tuple[bool, str]:
    """Return whether an expression has data, and the error if it cannot be evaluated."""
    try:
        return bool(server.query(expression.text)), ""
    except ValueError as error:
        return False, str(error)


class KubeletPage(BaseHTTPRequestHandler):
    """Answers every request with the page of a kubelet."""

    def do_GET(self) -> None:
        """Send the page."""
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(KUBELET)

    def log_message(self, *args: object) -> None:
        """Log nothing."""


@contextlib.contextmanager
def kubelet() -> Iterator[Object]:
    """Serve the page of a kubelet; yield its job with the labels that it has in kube-prometheus."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), KubeletPage)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    labels = {"job": "kubelet", "metrics_path": "/metrics", "endpoint": "https-metrics", "node": "node-0"}
    try:
        yield {"job_name": "kubelet", "static_configs": [{"targets": [f"127.0.0.1:{server.server_port}"], "labels": labels}]}
    finally:
        server.shutdown()


def check(expressions: list[Expression], recipe: str, folder: Path) -> list[tuple[Expression, str]]:
    """Return the expressions that have no data in the cluster, with the error of each, if any."""
    with monitored(folder, recipe if recipe == HELM else RECIPE) as cluster, kubelet() as job:
        config, targets = cluster.recipe(recipe)
        config["scrape_configs"].append(job)
        if rules := recording_rules(expressions):
            (folder / "recorded.yaml").write_text(yaml.safe_dump(rules))
            config["rule_files"].append(str(folder / "recorded.yaml"))
        with cluster.observed(config, targets + 1) as server:
            return without_data(server, expressions)


def main(arguments: list[str]) -> int:
    """Print the expressions of a file that have no data; return 1 if one of them should have, 2 if the file cannot be read."""
    if not arguments or not arguments[0]:
        print("usage: make check-rules EXPRESSIONS=FILE [RECIPE=NAME]; docs/migration.md has the recipes", file=sys.stderr)
        return 2
    try:
        expressions = read_expressions(Path(arguments[0]))
        with tempfile.TemporaryDirectory() as folder:
            left = check(expressions, "".join(arguments[1:]) or RECIPE, Path(folder))
    except (Unreadable, Unavailable) as error:
        print(f"check-rules: {error}", file=sys.stderr)
        return 2
    print(f"{len(expressions) - len(left)} of {len(expressions)} expressions have data")
    for title, empty in (("without data", False), ("without data, as with kube-state-metrics and the kubelet", True)):
        listed = [(expression, error) for expression, error in left if expression.empty is empty]
        if listed:
            print(f"{title}: {len(listed)}")
        for expression, error in listed:
            print(f"  {expression.name}: {expression.text}{f': {error}' if error else ''}")
    return 1 if any(not expression.empty for expression, _ in left) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
