"""Rules files of any content: clear problems, or metrics whose requests all have an answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegen.adapter.quantities import cpu_quantity, go_duration, memory_quantity, quantity, thousandths
from telegen.adapter.rules.reading import parse_duration, parse_rules
from telegen.adapter.rules.regexes import RegexError, compile_regex
from telegen.config.errors import ConfigError
from tests.adapter.cluster import HERE, adapter, object_server
from tests.adapter.replay import served_json

FILES = [path.read_text() for path in sorted((HERE / "cases").rglob("*.yaml"))]
WORDS = ["<<", ">>", "<<end>>", ".Series", *"[]{}:()*'\"\n", "- ", "  ", "$9", "&a ", "*a", "pod", "null", "{}"]
SERIES = [
    {"__name__": name, "namespace": "shop", "pod": "web-1", "service": "web", "node": "n1", "job": "report", "queue": "mail"}
    for name in ("http_inflight", "queue_depth", "http_requests_total", "a" * 200, "ü")
] + [{}, {"__name__": ""}, {"namespace": ""}]
VALUES = ("NaN", "1e400", "-0", "x", "1.0005", "2", "", "+Inf")
EDITS = st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 30), st.sampled_from(WORDS)), min_size=1, max_size=4)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[str, str]]:
    def answer(path: str, form: dict[str, str]) -> tuple[int, Any]:
        if path.endswith("series"):
            return 200, {"status": "success", "data": SERIES}
        samples = [{"metric": labels, "value": [1, value]} for labels, value in zip(SERIES, VALUES)]
        return 200, {"status": "success", "data": {"resultType": "vector", "result": samples}}

    with served_json(answer) as prometheus, object_server() as cluster:
        yield prometheus, cluster


@given(st.sampled_from(FILES), EDITS)
@settings(max_examples=40, deadline=None)
def test_edited_file(servers: tuple[str, str], text: str, edits: list[tuple[int, int, str]]) -> None:
    """A file with errors is refused, or gives one line per problem; what it lists can be asked for, and never fails without a reason."""
    for place, length, word in edits:
        text = text[:place] + word + text[place + length :]
    try:
        rules = parse_rules(text.encode(), "rules.yaml")
    except ConfigError as error:
        assert str(error).startswith("rules.yaml:") and "\n" not in str(error)
        return
    assert all(line.startswith("rules.yaml:") and "\n" not in line for line in (*rules.problems, *rules.warnings))
    apis, backend = adapter(rules, [servers[0]], servers[1])
    paths = [
        f"custom.metrics.k8s.io/v1beta2/{'namespaces/shop/' if metric.resource and metric.resource.namespaced else ''}{resource}/*/{name}"
        for (resource, name), metric in backend.registry.custom.items()
    ]
    paths += [f"external.metrics.k8s.io/v1beta1/namespaces/shop/{name}" for name in backend.registry.external]
    for path in [*paths[:5], *paths[-5:], "metrics.k8s.io/v1beta1/pods"]:
        answer = apis.answer(f"/apis/{path}", {})
        assert answer.status in (200, 400, 404, 500, 503) and (answer.status == 200 or answer.document["message"])
        assert "Inf" not in str(answer.document) and "NaN" not in str(answer.document)


@pytest.mark.parametrize("pattern", ["((a{100}){100}){100}", "(" * 2000, "a{1001}", "(?=a)", r"(a)\1", "[", "*"])
def test_expression_without_bounds(pattern: str) -> None:
    """An expression that RE2 does not have, or that takes much memory, is refused by one line."""
    with pytest.raises(RegexError) as error:
        compile_regex(pattern)
    assert "\n" not in str(error.value)


def test_expression_that_backtracks() -> None:
    """An expression that takes exponential time elsewhere is searched in linear time."""
    assert not compile_regex("^(a|aa)+$").search("a" * 100_000 + "b")


@settings(deadline=None)
@given(st.floats() | st.integers(-(10**30), 10**30))
def test_values(number: float) -> None:
    """A finite value is cut to thousandths; NaN and infinities are none."""
    value = thousandths(repr(number))
    if value is None:
        assert number != number or abs(number) == float("inf")
        return
    assert abs(value / 1000 - number) <= max(0.001, abs(number) * 1e-9)
    assert quantity(value).rstrip("m").lstrip("-").isdecimal()
    assert cpu_quantity(value).rstrip("numkMGTPE").lstrip("-").isdecimal()


@pytest.mark.parametrize(
    ("value", "text", "cpu", "memory"),
    [
        ("0", "0", "0", "0"), ("-0", "0", "0", "0"), ("21", "21", "21", "21"), ("25.5", "25500m", "25500m", "25"),
        ("0.0004", "0", "0", "0"),
        ("-2.5", "-2500m", "-2500m", "-3"), ("1000", "1000", "1k", "1000"), ("67108864", "67108864", "67108864", "64Mi"),
        ("1e16", "10000000000000000", "10P", "9765625000000Ki"), ("1.9999", "1999m", "1999m", "1"),
    ],
)  # fmt: skip
def test_quantities(value: str, text: str, cpu: str, memory: str) -> None:
    """Quantities are whole numbers or thousandths; with units the largest that divides them."""
    parsed = thousandths(value)
    assert parsed is not None and (quantity(parsed), cpu_quantity(parsed * 10**6), memory_quantity(parsed // 1000)) == (text, cpu, memory)


def test_quantities_of_nanocores() -> None:
    """CPU is written in the unit that keeps it whole, down to nanocores."""
    assert [cpu_quantity(value) for value in (1, 1_000, 123_456_789, 50_100_000)] == ["1n", "1u", "123456789n", "50100u"]


@pytest.mark.parametrize(
    ("text", "seconds", "go"),
    [("1m", 60, "1m0s"), ("1d", 86400, "24h0m0s"), ("1h30m", 5400, "1h30m0s"), ("10s500ms", 10.5, "10.5s"), ("250ms", 0.25, "250ms")],
)
def test_durations(text: str, seconds: float, go: str) -> None:
    """Durations are read in the units of Prometheus and written as Go does."""
    assert parse_duration(text) == seconds and go_duration(seconds) == go
    assert parse_duration(text + "x") is None and parse_duration("") is None
