"""Parser of pages of metrics, text 0.0.4 and OpenMetrics, from a URL or a file."""

from __future__ import annotations

import gzip
import re
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import urllib3

from telegen.process.http_client import cause

ACCEPT = "text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1"
CONNECT, SILENCE = 5.0, 60.0
"""Timeouts in seconds: to connect, and between two reads of an answer."""

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+):\d{1,5}(/.*)?", re.ASCII)
"""Address with a port and perhaps a path, as in targets of Prometheus."""
_STRING = r'"([^"\\]*(?:\\.[^"\\]*)*)"'
_SAMPLE = re.compile(
    r"([a-zA-Z_:][a-zA-Z0-9_:]*)"  # name
    r'(?:\{([^"}]*(?:"[^"\\]*(?:\\.[^"\\]*)*"[^"}]*)*)\})?'  # labels
    r"[ \t]+([^ \t#]+)"  # value
    r"(?:[ \t]+[0-9.eE+-]+)?[ \t]*"  # timestamp
    r"(?:#.*)?"  # exemplar
)
_LABEL = re.compile(rf"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*{_STRING}\s*(?:,|$)")
_AS_TEXT = {"info": "gauge", "stateset": "gauge", "unknown": "", "untyped": ""}
"""Type in text 0.0.4 by type in OpenMetrics; unknown has no type there."""
_SUFFIXES = ("_total", "_info", "_bucket", "_sum", "_count", "_created")

Labels = str
"""Sorted `name="value"` pairs joined by commas. Empty labels are omitted, as Prometheus treats them as absent."""


class InvalidExposition(ValueError):
    """The input is not a page of metrics."""


@dataclass
class Scrape:
    """One page.

    Attributes:
        series: value by metric name and labels.
        types: type by metric name, in terms of text 0.0.4; metrics without a type are omitted.
        repeated: number of lines that repeat a series, by metric name; not counted where labels are ignored.
    """

    series: dict[str, dict[Labels, float]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    repeated: Counter[str] = field(default_factory=Counter)


def read(where: str) -> bytes:
    """Read a page from a URL, from `host:port`, from a file (compressed or not), or from standard input (`-`).

    Raises:
        InvalidExposition: the page cannot be read, or the server's status is not 200.
    """
    try:
        if where.lower().startswith(("http://", "https://")):
            return _fetched(where)
        address = _ADDRESS.fullmatch(where)
        if address and not Path(where).exists():
            return _fetched(f"http://{where}" if address[2] else f"http://{where}/metrics")
        data = sys.stdin.buffer.read() if where == "-" else Path(where).read_bytes()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, zlib.error) as error:
        raise InvalidExposition(getattr(error, "strerror", None) or str(error)) from error


def _fetched(url: str) -> bytes:
    timeout = urllib3.Timeout(connect=CONNECT, read=SILENCE)
    headers = {"Accept": ACCEPT, "Accept-Encoding": "gzip"}
    try:
        with urllib3.PoolManager(timeout=timeout, retries=False) as http:
            answer = http.request("GET", url, headers=headers)
    except urllib3.exceptions.HTTPError as error:
        raise InvalidExposition(cause(error)) from error
    if answer.status != 200:
        first = answer.data.decode(errors="replace").partition("\n")[0][:200]
        raise InvalidExposition(f"{answer.status} {answer.reason or ''}: {first}")
    return answer.data


def parse(data: bytes, wanted: Callable[[str], bool], without: Collection[str] = ()) -> Scrape:
    """Parse the series of a page.

    Args:
        wanted: predicate of metric names to keep.
        without: labels to drop; series that differ only in these become one.

    Raises:
        InvalidExposition: a line is malformed, or the page has no sample. A failed download leaves an empty file, in which
            a comparison would find nothing missing.
    """
    page, types, chosen = Scrape(), {}, {}
    for number, line in enumerate(_lines(data), 1):
        if line[:1] == "#":
            words = line.split(None, 3)
            if words[1:2] == ["TYPE"] and len(words) == 4:
                types[words[2]] = words[3].strip()
            continue
        found = _SAMPLE.fullmatch(line)
        if found is None:
            raise InvalidExposition(f"line {number} is not a sample: {line[:100]}")
        name, text, value = found.groups()
        if name not in chosen:
            chosen[name] = wanted(name)
        if chosen[name]:
            labels = _labels((text or "").strip(), without, number)
            series = page.series.setdefault(name, {})
            if labels in series and not without:
                page.repeated[name] += 1
            series[labels] = _number(value, number)
    if not chosen:
        raise InvalidExposition("the page has no samples")
    page.types = {name: kind for name in page.series if (kind := _type(name, types))}
    return page


def _lines(data: bytes) -> Iterator[str]:
    """Yield the lines that are not blank. Only \\n ends a line: label values may contain other separators."""
    try:
        yield from (line for line in data.decode().split("\n") if line and not line.isspace())
    except UnicodeDecodeError as error:
        raise InvalidExposition(f"byte {error.start} is not UTF-8") from error


def _number(text: str, number: int) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise InvalidExposition(f"line {number}: {text} is not a number") from error


def _labels(text: str, without: Collection[str], number: int) -> Labels:
    """Normalize labels. Values stay escaped, because the escaping is unambiguous.

    PERF: 5 us for five labels, half of the cost of a line; a loop over labels that unescapes values takes 11.
    """
    pairs = _LABEL.findall(text)
    if _joined(pairs) != text and _LABEL.sub("", text):
        raise InvalidExposition(f"line {number}: malformed labels: {text[:100]}")
    return _joined(sorted((name, value) for name, value in pairs if value and name not in without))


def _joined(pairs: Iterable[tuple[str, str]]) -> str:
    return ",".join([f'{name}="{value}"' for name, value in pairs])


def _type(name: str, types: dict[str, str]) -> str:
    """Return the type declared for a metric's name, else for its family: `x` of `x_total`."""
    bases = [name, *(name[: -len(suffix)] for suffix in _SUFFIXES if name.endswith(suffix))]
    kind = next((types[base] for base in bases if base in types), "")
    return _AS_TEXT.get(kind, kind)
