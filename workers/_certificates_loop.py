"""Loop of the process that keeps the certificates of the adapter."""

from __future__ import annotations

import random
import time

from telegen.adapter.certificates.authorities import Lifetimes
from telegen.adapter.certificates.document import encode
from telegen.adapter.certificates.keeper import Keeper, Names
from telegen.adapter.certificates.serving_files import ServingFiles
from telegen.config import pod_namespace
from telegen.kubemetrics.certificate_telemetry import CertificateTelemetry
from workers._base import BEAT, Worker
from workers._client_factory import make_client
from workers._threads import Threads

INTERVAL = 60.0
"""Most seconds between two passes: time until a Secret or a caBundle that was edited by hand is right again."""
RETRY = 5.0
"""Seconds between two passes while there are no certificates yet."""
READ_TIMEOUT = 10.0
"""Seconds without data after which a request has failed; each is answered at once."""


class CertificatesLoop:
    """Passes of a `Keeper`."""

    def __init__(self, worker: Worker) -> None:
        self._worker, adapter = worker, worker.config.adapter
        namespace, tls = pod_namespace(worker.shared.environ), adapter.tls
        self._lifetimes = Lifetimes(tls.ca_lifetime, tls.lifetime, tls.propagation)
        self._keeper = Keeper(
            make_client(worker.shared, read_timeout=READ_TIMEOUT),
            Names(namespace, adapter.service, adapter.agents_service),
            adapter.groups,
            self._lifetimes,
            ServingFiles(tls.cert_file, tls.key_file) if tls.cert_file else None,
            time.time,
            worker.log,
        )

    def run(self) -> None:
        """Beat while a thread sends the requests, which may take longer than a beat."""
        threads = Threads(self._worker)
        threads.start("certificates", self._keep)
        while not self._worker.stop.wait(BEAT):
            self._worker.beat()
            threads.check()

    def _keep(self) -> None:
        published, telemetry = b"", CertificateTelemetry()
        while not self._worker.stop.is_set():
            found = self._keeper.run_pass()
            document = encode(found) if found else b""
            if found:
                telemetry.note_ends(self._keeper.ends(found))
            if document and document != published:
                self._worker.shared.certificates.write(document)
                published = document
            # Replicas that were started together do not write at the same moment.
            self._worker.stop.wait(random.uniform(0.7, 1.0) * self._interval() if document else RETRY)

    def _interval(self) -> float:
        # A tenth, so that no pass of short lifetimes comes too late.
        return min(INTERVAL, self._lifetimes.leaf / 10, self._lifetimes.propagation / 2)
