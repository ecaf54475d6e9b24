"""Worker that keeps the certificates of the adapter: own CA, agents' Secret, caBundle of the APIServices."""

from __future__ import annotations

from workers._adapter.certificates_loop import CertificatesLoop
from workers._base import Worker


class CertificatesWorker(Worker):
    """Publishes the certificates in force in shared memory."""

    def run(self) -> None:
        """Keep the certificates until SIGTERM."""
        CertificatesLoop(self).run()
