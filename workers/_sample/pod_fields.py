"""Fields of pods that the sampler reads from the API server."""

from __future__ import annotations

from telegen.cadvisor.identity.pods import READS as NAMES
from telegen.cadvisor.terminations.statuses import READS as TERMINATIONS
from telegen.cadvisor.usage.pods import READS as USAGE


def pod_fields(terminations: bool, usage: bool) -> tuple[str, ...]:
    """Return the paths of the fields, for `telegen.api.decoding`.

    Args:
        terminations: the sampler records the ends of containers.
        usage: the sampler publishes the usage of pods.
    """
    return (*NAMES, *(TERMINATIONS if terminations else ()), *(USAGE if usage else ()))
