"""Usage of the node and its pods in the sampler, published for adapter.agent_address."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from telegen.cadvisor.collector import AnyCollector
from telegen.cadvisor.identity.name_index import NameIndex
from telegen.cadvisor.sampler import Sampler, Target
from telegen.cadvisor.usage.pods import UsagePods
from telegen.cadvisor.usage.recorder import Recorder, missing_collectors
from telegen.cadvisor.usage.report import UsageReport
from telegen.config import sampled_node
from workers._base import Worker


class UsagePublisher:
    """Records what the collectors read, and publishes a document after each pass.

    Attributes:
        pods: takes the pods in place of their index.
    """

    def __init__(self, worker: Worker, index: NameIndex) -> None:
        """Prepare.

        Args:
            index: gets the pods from `pods`.
        """
        node = sampled_node(worker.config, worker.shared.environ)
        self.pods = UsagePods(index)
        self._recorder = Recorder(worker.config.kube_metrics.cadvisor.collect_interval)
        self._report = UsageReport(self._recorder, self.pods, node)
        self._shared, self._log = worker.shared.usage, worker.log
        self._is_too_long = False

    def missing(self, enabled: Iterable[AnyCollector]) -> list[AnyCollector]:
        """Return further collectors that usage needs."""
        return missing_collectors(enabled)

    def recorded(self, collector: AnyCollector, target: Target | None) -> Target:
        """Return the target of a collector with a record of its readings; `target` is None for one of `missing`."""
        return self._recorder.recorded(collector, target)

    def end_pass(self, sampler: Sampler) -> None:
        """Publish the usage of a pass."""
        document = self._report.end_pass(sampler.contexts)
        if document is None:
            return
        try:
            self._shared.write(msgspec.msgpack.encode(document))
            self._is_too_long = False
        except ValueError as error:
            # The pods of the last document grow old at the adapter, which then leaves them out.
            if not self._is_too_long:
                self._log.error("usage of pods is not published: %s; this node has too many pods or labels", error)
            self._is_too_long = True
