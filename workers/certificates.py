"""Worker that keeps the certificates of the adapter: own CA, agents' Secret, caBundle of the APIServices."""

from __future__ import annotations

from workers._base import Worker
from workers._certificates_loop import CertificatesLoop


class CertificatesWorker(Worker):
    """Publishes the certificates in force in shared memory."""

    def run(self) -> None:
        """Keep the certificates until SIGTERM."""
        CertificatesLoop(self).run()
