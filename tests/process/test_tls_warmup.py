"""The warm-up of TLS."""

from __future__ import annotations

import subprocess
import sys

import pytest

from telegen.process import tls_warmup

LOADED = "import sys; from telegen.process.tls_warmup import warm_up_tls; warm_up_tls(); print('encodings.idna' in sys.modules)"


def test_a_handshake_is_complete(caplog: pytest.LogCaptureFixture) -> None:
    """Both sides get as far as the first byte, and what Python loads for the name of a server is there."""
    with caplog.at_level("DEBUG"):
        tls_warmup.warm_up_tls()
    assert not caplog.text
    assert subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True).stdout == "True\n"


def test_ciphers_that_are_absent_are_no_failure(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(tls_warmup, "CIPHERS", "NONE")
    with caplog.at_level("DEBUG"):
        tls_warmup.warm_up_tls()
    assert "every process with TLS takes 4 MB more" in caplog.text
