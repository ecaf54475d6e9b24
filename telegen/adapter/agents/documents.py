"""Documents of agents: as they are sent, and as they are stored in shared memory.

An agent sends the usage of its pods as rows of numbers, in the order of its `objects`, which it sends only when they have changed.
Columns have names, so agents of other versions may have others, more, or fewer.

Stored are two lists of pieces (see `pieces`) per agent:

- description: `Description` as MessagePack, and a compressed list with a piece per pod: its name, the names of its containers joined
  by commas, and its labels, divided by NUL;
- usage: node usage and shards as JSON, and a piece per pod, its row as it was sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Annotated, Optional

import msgspec

from telegen.adapter.agents import pieces
from telegen.config.agent_api import VERSION
from telegen.shm.deflate import compress, decompress

MOST_SHARDS = 1 << 16
MOST_AHEAD, MOST_WINDOW = 60.0, 86400.0
"""Seconds by which a reading may be later than its answer, as the clock of an agent may be set back, and of a window."""
Number = Optional[float]
Name = Annotated[str, msgspec.Meta(pattern=r"\A[^\0,]+\Z", max_length=253)]
Row = tuple[float, float, list[list[Number]], list[Number]]
"""Time, window, values per container, values of the pod."""
NodeRow = tuple[float, float, list[Number]]
"""Time, window, values of the node."""


class Malformed(ValueError):
    """A document that cannot be used."""


class PodObject(msgspec.Struct):
    """One of the `objects`."""

    namespace: Name
    name: Name
    containers: list[Name]
    labels: dict[str, str] = {}


class Document(msgspec.Struct):
    """An answer of an agent.

    Attributes:
        version: of the document's form.
        sent: time of the answer by the agent's clock, in Unix seconds.
        generation: changes when the objects or the columns do.
        objects: absent if the request had the current generation.
        pods: a row for each object; null for a pod without usage.
    """

    node: Name
    sent: float
    generation: Annotated[str, msgspec.Meta(min_length=1, max_length=253)]
    container_metrics: list[str]
    pods: msgspec.Raw
    pod_metrics: list[str] = []
    node_metrics: list[str] = []
    objects: Optional[list[PodObject]] = None
    node_usage: msgspec.Raw = msgspec.Raw(b"null")
    shards: list[Annotated[int, msgspec.Meta(ge=0, lt=MOST_SHARDS)]] = []
    version: int = VERSION


class _Versioned(msgspec.Struct):
    """The field that documents of all forms have."""

    version: int = VERSION


Columns = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
"""Names of the columns of containers, pods and the node."""


class Description(msgspec.Struct):
    """State of an agent that changes seldom.

    Attributes:
        address: where it is polled.
        containers: number of containers per pod.
        namespaces: numbers of the pods in each namespace, from 0.
    """

    address: str
    node: str
    generation: str
    columns: Columns
    containers: list[int]
    namespaces: dict[str, list[int]]


class PodDescription(msgspec.Struct, gc=False, frozen=True):
    """State of a pod that changes seldom; `labels` is a JSON object."""

    name: str
    containers: tuple[str, ...]
    labels: bytes


_decode_document = msgspec.json.Decoder(Document).decode
_decode_version = msgspec.json.Decoder(_Versioned).decode
_decode_row = msgspec.json.Decoder(Optional[Row]).decode
_decode_rows = msgspec.json.Decoder(list[Optional[Row]]).decode
_split_rows = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_node = msgspec.json.Decoder(Optional[NodeRow]).decode
_decode_node_piece = msgspec.json.Decoder(tuple[Optional[NodeRow], list[int]]).decode
_decode_description = msgspec.msgpack.Decoder(Description).decode
_encode_description = msgspec.msgpack.Encoder().encode
_encode_json = msgspec.json.Encoder().encode
FAILURES = (msgspec.MsgspecError, ValueError, RecursionError)
"""Exceptions of msgspec's decoders: bytes that are not UTF-8 raise UnicodeDecodeError, deep nesting RecursionError."""


def decode(body: bytes) -> Document:
    """Decode an answer. PERF: 8 us without objects; rows are decoded by `stored_usage`.

    Raises:
        Malformed
    """
    try:
        document = _decode_document(body)
    except FAILURES as error:
        # A document of another version may lack a field; its version says more.
        raise Malformed(_other_version(_version(body)) or _shown(error)) from error
    problem = _other_version(document.version)
    if problem:
        raise Malformed(problem)
    return document


def _version(body: bytes) -> int:
    """Return the version of a document of any form, this one if it is no document."""
    try:
        return _decode_version(body).version
    except FAILURES:
        return VERSION


def _other_version(version: int) -> str:
    """Return the reason why a document of a version cannot be read, "" if it can."""
    older = "adapter" if version > VERSION else "agent"
    return f"the document has version {version}, this adapter reads version {VERSION}: update the {older}" if version != VERSION else ""


def describe(document: Document, address: str) -> Description:
    """Return the description of an agent from a document with objects."""
    objects = document.objects or ()
    namespaces = dict[str, list[int]]()
    for number, pod in enumerate(objects):
        namespaces.setdefault(pod.namespace, []).append(number)
    return Description(
        address,
        document.node,
        document.generation,
        columns_of(document),
        [len(pod.containers) for pod in objects],
        namespaces,
    )


def columns_of(document: Document) -> Columns:
    """Return the columns of a document."""
    return tuple(document.container_metrics), tuple(document.pod_metrics), tuple(document.node_metrics)


def stored_description(description: Description, objects: Sequence[PodObject]) -> bytes:
    """Return the bytes to store. PERF: 40 us for 30 pods. Pods are compressed: 5.4 kB become 1 to 2 kB, read in 5 us."""
    pods = (b"\0".join((pod.name.encode(), ",".join(pod.containers).encode(), _encode_json(pod.labels))) for pod in objects)
    return pieces.pack([_encode_description(description), compress(pieces.pack(list(pods)))])


def stored_usage(document: Document, counts: Sequence[int]) -> bytes:
    """Check the rows of a document and return the bytes to store. PERF: 40 us for 30 pods of 2 containers; rows are not encoded anew.

    Args:
        counts: number of containers per pod.

    Raises:
        Malformed: a row does not fit the pods or the columns, or its time or window cannot be.
    """
    of_container, of_pod = len(document.container_metrics), len(document.pod_metrics)
    try:
        rows, node = _decode_rows(document.pods), _decode_node(document.node_usage)
    except FAILURES as error:
        raise Malformed(_shown(error)) from error
    if len(rows) != len(counts):
        raise Malformed(f"{len(rows)} rows for {len(counts)} pods")
    lengths = {of_container}
    for number, row in enumerate(rows):
        if row and (len(row[2]) != counts[number] or not lengths.issuperset(map(len, row[2])) or len(row[3]) != of_pod):
            raise Malformed(f"row {number} does not have the length of its columns")
    if node is not None and len(node[2]) != len(document.node_metrics):
        raise Malformed("node_usage does not have the length of its columns")
    latest = document.sent + MOST_AHEAD
    if not all(row[0] <= latest and 0 <= row[1] <= MOST_WINDOW for row in (*rows, node) if row):
        raise Malformed(f"a time is later than that of the answer, or a window is not 0 to {MOST_WINDOW:.0f} s")
    first = b"[%b,%b]" % (bytes(document.node_usage), _encode_json(document.shards))
    return pieces.pack([first, *_split_rows(document.pods)])


def read_description(stored: bytes) -> Description:
    """Return the description of an agent."""
    return _decode_description(pieces.piece(stored, 0))


def read_pods(stored: bytes, numbers: Iterable[int]) -> list[PodDescription]:
    """Return the descriptions of some pods of an agent. PERF: 5 us and 0.7 us per pod."""
    pods = decompress(pieces.piece(stored, 1))
    return [_read_pod(pieces.piece(pods, number)) for number in numbers]


def _read_pod(stored: bytes) -> PodDescription:
    name, containers, labels = stored.split(b"\0", 2)
    return PodDescription(name.decode(), _names(containers), labels)


@lru_cache(maxsize=4096)
def _names(stored: bytes) -> tuple[str, ...]:
    """Return names that are joined by commas. PERF: pods of one workload share one tuple."""
    return tuple(stored.decode().split(",")) if stored else ()


def read_row(stored: bytes, number: int) -> Row | None:
    """Return the usage of a pod; None if it has none. PERF: 0.9 us."""
    row: Row | None = _decode_row(pieces.piece(stored, number + 1))
    return row


def read_node(stored: bytes) -> NodeRow | None:
    """Return the usage of the node; None if it has none."""
    return _decode_node_piece(pieces.piece(stored, 0))[0]


def read_shards(stored: bytes) -> list[int]:
    """Return the shards of kube_* that the agent serves."""
    return _decode_node_piece(pieces.piece(stored, 0))[1]


def _shown(error: Exception) -> str:
    """Return the reason on one line; it may quote what the agent sent."""
    return " ".join(str(error).split())[:200]
