"""A scripted receiver of OTLP by gRPC."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc

from tests.harness import free_port


@dataclass(frozen=True)
class GrpcAnswer:
    """One answer.

    Attributes:
        code: anything but OK ends the call with `text` and the trailer `details`.
        hang: True if it is not sent before `release`.
    """

    code: grpc.StatusCode = grpc.StatusCode.OK
    text: str = ""
    details: bytes = b""
    body: bytes = b""
    hang: bool = False


class GrpcReceiver(grpc.GenericRpcHandler):
    """The receiver's state.

    Attributes:
        script: answers to the next requests; when it is empty, all are accepted.
        received: (method, metadata, body) of each request.
        peers: addresses of the connections that sent them.
        keeps: False discards the requests.
    """

    def __init__(self, port: int, tls: grpc.ServerCredentials | None) -> None:
        self.script: list[GrpcAnswer] = []
        self.received: list[tuple[str, dict[str, Any], bytes]] = []
        self.peers: list[str] = []
        self.keeps = True
        self._released = threading.Event()
        self.address, self._tls = f"127.0.0.1:{port}", tls
        self.start()

    def start(self) -> None:
        """Listen."""
        self._server = grpc.server(ThreadPoolExecutor(4), handlers=(self,), options=[("grpc.so_reuseport", 0)])
        if self._tls:
            self._server.add_secure_port(self.address, self._tls)
        else:
            self._server.add_insecure_port(self.address)
        self._server.start()

    def release(self) -> None:
        """Send the answers that hang."""
        self._released.set()

    def stop(self) -> None:
        """Send GOAWAY and end."""
        self.release()
        self._server.stop(5).wait()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """Take every method."""

        def answer(body: bytes, context: grpc.ServicerContext) -> bytes:
            if self.keeps:
                self.received.append((handler_call_details.method, dict(context.invocation_metadata()), body))
                self.peers.append(context.peer())
            found = self.script.pop(0) if self.script else GrpcAnswer()
            if found.hang:
                self._released.wait()
            if found.code is not grpc.StatusCode.OK:
                context.set_trailing_metadata((("grpc-status-details-bin", found.details),) if found.details else ())
                context.abort(found.code, found.text)
            return found.body

        return grpc.unary_unary_rpc_method_handler(answer)


@contextlib.contextmanager
def grpc_receiver(tls: grpc.ServerCredentials | None = None) -> Iterator[GrpcReceiver]:
    """Run a receiver on 127.0.0.1."""
    receiver = GrpcReceiver(free_port(), tls)
    try:
        yield receiver
    finally:
        receiver.stop()
