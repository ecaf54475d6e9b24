"""Current speed of the machine, to compare figures of different runs."""

from __future__ import annotations

import gc
import time

import orjson

from telegen.demo.objects import SyntheticCluster

PODS = 2000
"""Pods whose text, 20 MB, is larger than the processor's cache."""


def measure_machine() -> dict[str, float]:
    """Measure CPU microseconds to parse a pod of 10 kB, all different: 33 on the machine of docs/design.md."""
    cluster = SyntheticCluster(PODS, 100)
    texts = [orjson.dumps(cluster.pod(number)) for number in range(PODS)]
    gc.disable()
    started = time.process_time()
    for text in texts:
        orjson.loads(text)
    used = time.process_time() - started
    gc.enable()
    return {"machine_parse_us": 1e6 * used / PODS}
