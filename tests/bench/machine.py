"""How fast the machine is at the moment: what all other figures are to be read by."""

from __future__ import annotations

import gc
import time

import orjson

from telegen.demo.objects import SyntheticCluster

PODS = 2000
"""More text than the processor keeps in its cache."""


def measure_machine() -> dict[str, float]:
    """Microseconds of CPU to parse a pod of 10 kB, no two alike: 33 on the machine of docs/design.md."""
    cluster = SyntheticCluster(PODS, 100)
    texts = [orjson.dumps(cluster.pod(number)) for number in range(PODS)]
    gc.disable()
    started = time.process_time()
    for text in texts:
        orjson.loads(text)
    used = time.process_time() - started
    gc.enable()
    return {"machine_parse_us": 1e6 * used / PODS}
