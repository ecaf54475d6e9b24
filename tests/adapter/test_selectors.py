"""Label selectors, field selectors, and the matchers of Prometheus that they become."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegen.adapter.label_selectors import SelectorError, label_selector, parse_fields, parse_labels
from telegen.adapter.queries.promql import name_matcher, selector_matchers


@pytest.mark.parametrize(
    ("text", "matchers"),
    [
        ("", ""),
        ("b=2,a==1", 'a="1",b="2"'),
        (" a != x ", 'a!="x"'),
        ("a in (z, b)", 'a=~"b|z"'),
        ("a notin (x)", 'a!~"x"'),
        ("a in (x,)", 'a=~"|x"'),
        ("a in ()", 'a=~""'),
        ("a,!b", 'a!="",b=""'),
        ("! b", 'b=""'),
        ("a=", 'a=""'),
        ("a=,b", 'a="",b!=""'),
        ("in in (in)", 'in=~"in"'),
        ("a in (a.b)", 'a=~"a.b"'),
    ],
)
def test_matchers(text: str, matchers: str) -> None:
    """Terms become matchers in the order of their keys; `in` and `notin` stay expressions as they are written."""
    assert ",".join(map(str, selector_matchers(parse_labels(text)))) == matchers


@pytest.mark.parametrize(
    "text",
    ["a=(", "a=b c", "a>-1", "a<+1"]
    + ["a in b", "a in (b", "a in (b c)", "=a", ",", "a,,b", "a=b,", "-a", "a=b/c", "a=-", "A/b/c=d", "a>x", "!", "!!a", "a=b=c"]
    + ["x" * 70, "a=" + "x" * 70, "a" * 70_000],
)
def test_not_a_selector(text: str) -> None:
    """Text outside the grammar is refused."""
    with pytest.raises(SelectorError):
        parse_labels(text)


@pytest.mark.parametrize("text", ["a>1", "a<1", "example.com/env=prod", "app-name=x", "1a=b"])
def test_not_for_metrics(text: str) -> None:
    """Operators and labels that Prometheus does not have are refused."""
    with pytest.raises(SelectorError):
        selector_matchers(parse_labels(text))


def test_selector_in_answers() -> None:
    """Equality becomes matchLabels, all else matchExpressions; != becomes NotIn."""
    assert label_selector(parse_labels("")) is None
    assert label_selector(parse_labels("d,!e,a=1,b!=2,c in (3,4)")) == {
        "matchLabels": {"a": "1"},
        "matchExpressions": [
            {"key": "b", "operator": "NotIn", "values": ["2"]},
            {"key": "c", "operator": "In", "values": ["3", "4"]},
            {"key": "d", "operator": "Exists"},
            {"key": "e", "operator": "DoesNotExist"},
        ],
    }


@pytest.mark.parametrize(
    ("names", "matcher"),
    [
        (["a.b"], 'pod="a.b"'),
        (["a.b", "c"], r'pod=~"a\\.b|c"'),
        (['x"} or vector(1) #'], r'pod="x\"} or vector(1) #"'),
        (["a\\", "b|c"], r'pod=~"a\\\\|b\\|c"'),
        (["a\nb"], r'pod="a\nb"'),
    ],
)
def test_names_are_never_expressions(names: list[str], matcher: str) -> None:
    """Names of objects are matched as they are, and none ends the quotation marks."""
    assert str(name_matcher("pod", names)) == matcher


def test_fields() -> None:
    """Only the name and the namespace can be selected."""
    assert [tuple(term) for term in parse_fields("metadata.name=a,metadata.namespace!=b")] == [
        ("metadata.name", True, "a"),
        ("metadata.namespace", False, "b"),
    ]
    assert [term.value for term in parse_fields(r",metadata.name==a\,b\=\\,,metadata.name=,")] == ["a,b=\\", ""]
    for text in ("spec.nodeName=a", "metadata.name", "=a", "metadata.name=a=b", r"metadata.name=a\b", "metadata.name=a\\"):
        with pytest.raises(SelectorError):
            parse_fields(text)


@settings(deadline=None)
@given(st.text(alphabet="ab=!<>(),. /-in\n", max_size=30))
def test_any_text_is_a_selector_or_an_error(text: str) -> None:
    """Any text gives terms or an error; its terms select labels without one."""
    try:
        terms = parse_labels(text)
    except SelectorError as error:
        assert str(error)
    else:
        for term in terms:
            term.selects({"a": "b"})
