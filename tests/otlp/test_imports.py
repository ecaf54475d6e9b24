"""An agent that pushes nothing imports nothing for it."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
import telegen.supervisor.__main__
import telegen.supervisor.supervisor
found = [name for name in sys.modules if name.startswith(("opentelemetry", "google.protobuf", "grpc", "workers._push", "workers._events"))]
assert not found, found
"""

CLIENT = """
import sys
from telegen.otlp.client import receiver_client
from telegen.otlp.settings import Receiver
receiver_client(Receiver("http://localhost:1/v1/metrics"))
assert "grpc" not in sys.modules
"""


def test_client_by_http_imports_no_grpc() -> None:
    """A push by HTTP works without the extra."""
    done = subprocess.run([sys.executable, "-c", CLIENT], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


def test_supervisor_imports_no_opentelemetry() -> None:
    """The parent of all processes loads neither OpenTelemetry nor protobuf, so that no other process has them."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


PRELOADED = """
import sys
from telegen.supervisor.preload import preload
preload(["push", "events", "web"])
assert {"workers._push.loop", "workers._events.loop"} <= set(sys.modules)
assert "grpc" not in sys.modules and "telegen.otlp.semconv_naming" not in sys.modules
"""


def test_parent_imports_what_its_plan_needs() -> None:
    """With a push and events in the plan the parent loads their modules, but no library that must not be forked."""
    done = subprocess.run([sys.executable, "-c", PRELOADED], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
