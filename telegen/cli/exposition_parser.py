"""Pages of metrics as someone else's or our own server gives them: text 0.0.4 and OpenMetrics, from a URL or a file."""

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

ACCEPT = "text/plain;version=0.0.4,application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1"
CONNECT, SILENCE = 5.0, 60.0
"""Seconds to connect, and of silence in the middle of an answer."""

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
"""What the types of OpenMetrics are called in text 0.0.4; unknown is none."""
_SUFFIXES = ("_total", "_info", "_bucket", "_sum", "_count", "_created")

Labels = str
"""`name="value"` of each label, sorted, as between braces; without those that are empty, which Prometheus takes for
absent."""


class Unreadable(ValueError):
    """No page of metrics; says why."""


@dataclass
class Scrape:
    """One page.

    Attributes:
        series: value by metric name and labels.
        types: type by metric name, in the words of text 0.0.4; of names that have one.
        repeated: how many lines say a series again, by metric name; not counted where labels are left out.
    """

    series: dict[str, dict[Labels, float]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    repeated: Counter[str] = field(default_factory=Counter)


def read(where: str) -> bytes:
    """The page at a URL, in a file (compressed or not), or on standard input (`-`).

    Raises:
        Unreadable: there is none, or the server's answer is no success.
    """
    try:
        if where.startswith(("http://", "https://")):
            return _fetched(where)
        data = sys.stdin.buffer.read() if where == "-" else Path(where).read_bytes()
        return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (OSError, EOFError, zlib.error) as error:
        raise Unreadable(getattr(error, "strerror", None) or str(error)) from error


def _fetched(url: str) -> bytes:
    timeout = urllib3.Timeout(connect=CONNECT, read=SILENCE)
    headers = {"Accept": ACCEPT, "Accept-Encoding": "gzip"}
    try:
        with urllib3.PoolManager(timeout=timeout, retries=False) as http:
            answer = http.request("GET", url, headers=headers)
    except urllib3.exceptions.HTTPError as error:
        raise Unreadable(str(error)) from error
    if answer.status != 200:
        first = answer.data.decode(errors="replace").partition("\n")[0][:200]
        raise Unreadable(f"{answer.status} {answer.reason or ''}: {first}")
    return answer.data


def parse(data: bytes, wanted: Callable[[str], bool], without: Collection[str] = ()) -> Scrape:
    """The series of a page.

    Args:
        wanted: tells by its name whether a metric is kept.
        without: labels that are left out, so that series which differ only there become one.

    Raises:
        Unreadable: a line is no sample; says which. Or there is none: of a request that failed a file is left that is
        empty, and what is not there is not missed.
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
            raise Unreadable(f"line {number} is no sample: {line[:100]}")
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
        raise Unreadable("no sample on it")
    page.types = {name: kind for name in page.series if (kind := _type(name, types))}
    return page


def _lines(data: bytes) -> Iterator[str]:
    """Lines with something on them. Only \\n ends one: values may hold other separators."""
    try:
        yield from (line for line in data.decode().split("\n") if line and not line.isspace())
    except UnicodeDecodeError as error:
        raise Unreadable(f"byte {error.start} is not UTF-8") from error


def _number(text: str, number: int) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise Unreadable(f"line {number}: {text} is no number") from error


def _labels(text: str, without: Collection[str], number: int) -> Labels:
    """Labels in one form, whoever wrote them. Values stay escaped: there is one way to do so.

    PERF: 5 us for five labels, half of what a line costs; a walk from label to label that unescapes values took 11.
    """
    pairs = _LABEL.findall(text)
    if _joined(pairs) != text and _LABEL.sub("", text):
        raise Unreadable(f"line {number}: these are no labels: {text[:100]}")
    return _joined(sorted((name, value) for name, value in pairs if value and name not in without))


def _joined(pairs: Iterable[tuple[str, str]]) -> str:
    return ",".join([f'{name}="{value}"' for name, value in pairs])


def _type(name: str, types: dict[str, str]) -> str:
    """The type of a metric: of its own name, else of the family that it is a part of."""
    bases = [name, *(name[: -len(suffix)] for suffix in _SUFFIXES if name.endswith(suffix))]
    kind = next((types[base] for base in bases if base in types), "")
    return _AS_TEXT.get(kind, kind)
