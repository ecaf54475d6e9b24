"""How fast the machine is at the moment: what all other figures are to be read by."""

from __future__ import annotations

import time


def measure_machine() -> dict[str, float]:
    """Seconds of CPU for ten million additions: about 0.5 where the bars were set."""
    started, total = time.process_time(), 0
    for number in range(10_000_000):
        total += number
    return {"machine_loop_s": time.process_time() - started}
