"""Serving certificate of the user, in files that cert-manager or another program may replace."""

from __future__ import annotations

from pathlib import Path

from telegen.adapter.certificates.document import Pair
from telegen.adapter.certificates.signing import pair_problem


class ServingFiles:
    """Certificate and key in files.

    Attributes:
        problem: reason why the files cannot be used, "" if they can.
    """

    def __init__(self, certificate: str, key: str) -> None:
        self._certificate, self._key = Path(certificate), Path(key)
        self.problem = ""

    def read(self, now: float, good: Pair | None) -> Pair | None:
        """Return the pair in force: the last good one while the files cannot be used.

        Args:
            good: the last good pair; None if there was none yet.
        """
        files = f"adapter.tls: {self._certificate}, {self._key}"
        try:
            pair = Pair(self._certificate.read_text("ascii"), self._key.read_text("ascii"))
        except OSError as error:
            self.problem = f"{files}: {error.strerror}; mount a Secret of type kubernetes.io/tls"
        except UnicodeDecodeError:
            self.problem = f"{files}: not PEM"
        else:
            problem = pair_problem(pair, now)
            self.problem = f"{files}: {problem}" if problem else ""
            return good if problem else pair
        return good
