"""The processes of the agent, one file per kind: the only place that joins sources, tables, stores and pages."""

from __future__ import annotations

from collections.abc import Mapping

from workers._base import Worker
from workers.adapter import AdapterWorker
from workers.cluster_uid import IdentifyWorker
from workers.custom import CustomWorker
from workers.elect import ElectWorker
from workers.events import EventsWorker
from workers.push import PushWorker
from workers.review import ReviewWorker
from workers.sample import SampleWorker
from workers.statefulset_shard import ShardWorker
from workers.watch import WatchWorker
from workers.web import WebWorker

WORKERS: Mapping[str, type[Worker]] = {
    "adapter": AdapterWorker,
    "watch": WatchWorker,
    "custom": CustomWorker,
    "elect": ElectWorker,
    "events": EventsWorker,
    "identify": IdentifyWorker,
    "push": PushWorker,
    "review": ReviewWorker,
    "sample": SampleWorker,
    "shard": ShardWorker,
    "web": WebWorker,
}
"""Every kind of process by its name."""
