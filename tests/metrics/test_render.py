"""Rendering: any parser reads the same names, labels and numbers back from the text."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families as parse

from telegen.metrics.family import ALPHA, STABLE, FamilyGenerator, Projection, counter, dynamic, gauge
from telegen.metrics.hashing import fnv1a64
from telegen.metrics.lines import number_text
from telegen.metrics.render import renderer

IDENTITY = (("name", lambda obj: obj["name"]),)
Values = st.text(max_size=20)
NOT_PARSED = "\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
"""Line ends of Python's splitlines, which prometheus_client uses. In the format they are ordinary characters."""


class Errors(list[tuple[str, str]]):
    """List of (family, type of the error)."""

    def __call__(self, family: str, error: Exception) -> None:
        self.append((family, type(error).__name__))


def text_of(family: FamilyGenerator, obj: Any, errors: Errors | None = None) -> str:
    """Return the lines of one family."""
    return renderer(IDENTITY, [family], errors if errors is not None else Errors())(obj)[0]


def rows(value: Any) -> FamilyGenerator:
    """Make a family with constant samples."""
    return gauge("m", "Help.", ALPHA, lambda obj: value, "a", "b")


@given(Values, Values, Values)
def test_any_label_value_is_read_back(name: str, first: str, second: str) -> None:
    """Quotes, backslashes, newlines and all of Unicode are preserved; lone surrogates become U+FFFD."""
    line = text_of(rows([(first, second, 1)]), {"name": name})
    assert line.endswith(" 1\n")
    wanted = {"name": name, "a": first, "b": second}
    if not any(character in NOT_PARSED for value in wanted.values() for character in value):
        (family,) = parse(line)
        assert family.samples[0].labels == wanted


def test_lone_surrogates_are_replaced() -> None:
    """A lone surrogate, which JSON can carry, becomes U+FFFD."""
    assert text_of(rows([("\ud800", "b", 1)]), {"name": "n"}) == 'm{name="n",a="\ufffd",b="b"} 1\n'


@given(st.floats())
def test_any_float_is_read_back(value: float) -> None:
    """The text stands for exactly the same float64."""
    read = float(number_text(value))
    assert read == value or (math.isnan(read) and math.isnan(value))


@given(st.integers(-(2**70), 2**70))
def test_any_integer_is_written_in_full(value: int) -> None:
    """Integers keep all digits, also beyond 2^53."""
    assert number_text(value) == str(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "1"), (False, "0"), (-0.0, "0"), (2.5, "2.5")]
    + [(1e15, "1000000000000000.0"), (1e21, "1e+21"), (math.inf, "+Inf"), (-math.inf, "-Inf")],
)
def test_numbers(value: float, text: str) -> None:
    """Flags are 1 and 0; infinities have the spelling of the format."""
    assert number_text(value) == text
    assert text_of(gauge("m", "Help.", ALPHA, lambda obj: value), {"name": "n"}) == f'm{{name="n"}} {text}\n'


@pytest.mark.parametrize("wrong", ["5", None, [], {}, b"1"])
def test_wrong_types_cost_their_family_only(wrong: Any) -> None:
    """A value of a wrong type or a label that is no string drops and counts its family; other families stay."""
    errors = Errors()
    families = [rows([("a", "b", wrong)]), gauge("good", "Help.", ALPHA, lambda obj: 1)]
    assert renderer(IDENTITY, families, errors)({"name": "n"}) == ["", 'good{name="n"} 1\n']
    if wrong != "5":
        families[0] = rows([("a", wrong, 1)])
        assert renderer(IDENTITY, families, errors)({"name": "n"})[0] == ""
    assert {family for family, _ in errors} == {"m"}


def test_identity_that_cannot_be_read() -> None:
    """An object without a valid name has no samples and is counted once."""
    errors = Errors()
    assert text_of(rows([("a", "b", 1)]), {"name": 5}, errors) == ""
    assert errors == [("identity", "TypeError")]


def test_repeated_series_is_written_once() -> None:
    """A repeated series keeps its first value, also when the text comes from the cache."""
    for _ in range(3):
        assert text_of(rows([("a", "b", 1), ("a", "b", 2), ("a", "c", 3)]), {"name": "n"}).count("\n") == 2
    double = dynamic("d", "Help.", ALPHA, lambda obj: [([("x", "1")], 1), ([("x", "1")], 2)])
    assert text_of(double, {"name": "n"}) == 'd{name="n",x="1"} 1\n'


def test_rows_that_repeat_from_object_to_object() -> None:
    """The cache of rows does not mix up objects, values or types of numbers."""
    render = renderer(IDENTITY, [gauge("m", "Help.", ALPHA, lambda obj: obj["rows"], "a")], Errors())
    for turn in range(400):
        name, value = f"n{turn % 7}", turn % 3
        wanted = [f'm{{name="{name}",a="x"}} {value}\n']
        assert render({"name": name, "rows": [("x", value)]}) == wanted
        assert render({"name": name, "rows": ((("x", bool(value % 2))),)}) == [f'm{{name="{name}",a="x"}} {value % 2}\n']
        assert render({"name": name, "rows": [(f"unique{turn}", 1.5)]}) == [f'm{{name="{name}",a="unique{turn}"}} 1.5\n']


def test_families_of_one_projection() -> None:
    """Cached text of a projection appears with the labels of each object, in the column of its family."""
    color = Projection(lambda obj: obj["color"])
    families = [
        gauge("is", "Help.", ALPHA, lambda color: [(color, 1)], "color", input=color),
        gauge("own", "Help.", ALPHA, lambda obj: obj["number"]),
        gauge("size", "Help.", ALPHA, len, input=color),
        gauge("none", "Help.", ALPHA, lambda color: None, input=color),
    ]
    render = renderer(IDENTITY, families, Errors())
    for turn in range(600):
        name, color_ = f"n{turn % 7}", f"c{turn if turn > 300 else turn % 3}"
        assert render({"name": name, "color": color_, "number": turn}) == [
            f'is{{name="{name}",color="{color_}"}} 1\n',
            f'own{{name="{name}"}} {turn}\n',
            f'size{{name="{name}"}} {len(color_)}\n',
            "",
        ]
    assert renderer([], families[:3:2], Errors())({"color": "c"}) == ['is{color="c"} 1\n', "size 1\n"]


def test_excluded_label() -> None:
    """Each object has its own value of the excluded label, escaped, in any position and for any number of rows.

    An error while reading it drops the families of the projection only.
    """
    errors = Errors()
    sizes = Projection(lambda obj: obj["sizes"], "node", lambda obj: obj["node"])
    families = [
        gauge("first", "Help.", ALPHA, lambda sizes: [(str(size), size) for size in sizes], "node", "size", input=sizes),
        gauge("middle", "Help.", ALPHA, lambda sizes: [(str(size), "%s", size) for size in sizes], "size", "node", "unit", input=sizes),
        gauge("last", "Help.", ALPHA, lambda sizes: [("x", 1)] if sizes else None, "size", "node", input=sizes),
        gauge("own", "Help.", ALPHA, lambda obj: 1),
    ]
    render = renderer(IDENTITY, families, errors)
    for turn in range(600):
        found, node, written = tuple(range(turn % 4)), f'"{turn}\n\0', f'\\"{turn}\\n\0'
        if turn > 300:
            found = (*found, turn)
        assert render({"name": "n", "sizes": found, "node": node}) == [
            "".join(f'first{{name="n",node="{written}",size="{size}"}} {size}\n' for size in found),
            "".join(f'middle{{name="n",size="{size}",node="{written}",unit="%s"}} {size}\n' for size in found),
            f'last{{name="n",size="x",node="{written}"}} 1\n' if found else "",
            'own{name="n"} 1\n',
        ]
    assert not errors
    assert render({"name": "n", "sizes": (), "node": None}) == ["", "", "", 'own{name="n"} 1\n']
    assert len(errors) == 3
    with pytest.raises(ValueError, match="no label node"):
        gauge("none", "Help.", ALPHA, lambda sizes: None, "size", input=sizes)


@pytest.mark.parametrize("wrong", [5, ["a"], None])
def test_malformed_projection(wrong: Any) -> None:
    """A family that fails is dropped and counted for every object; other families of the projection stay."""
    color = Projection(lambda obj: obj["color"])
    errors = Errors()
    families = [
        gauge("text", "Help.", ALPHA, lambda color: [(color, 1)], "color", input=color),
        gauge("known", "Help.", ALPHA, lambda color: color is not None, input=color),
    ]
    render = renderer(IDENTITY, families, errors)
    hashable = not isinstance(wrong, list)
    for count in (1, 2):
        known = f'known{{name="n"}} {int(wrong is not None)}\n' if hashable else ""
        assert render({"name": "n", "color": wrong}) == ["", known]
        assert render({"name": "n"}) == ["", ""]
        assert len(errors) == count * (3 if hashable else 4)


def test_headers() -> None:
    """HELP and TYPE in both formats: stability, deprecation, escapes, OpenMetrics' names of counters and infos."""
    family = counter("c_total", 'Back\\slash "quoted"\nline.', STABLE, lambda obj: 1)
    assert family.header() == b'# HELP c_total [STABLE] Back\\\\slash "quoted"\\nline.\n# TYPE c_total counter\n'
    assert family.header(True) == b'# HELP c [STABLE] Back\\\\slash \\"quoted\\"\\nline.\n# TYPE c counter\n'
    info = FamilyGenerator("i_info", "Help.", "info", ALPHA, lambda obj: 1, deprecated="2.14.0")
    assert info.header() == b"# HELP i_info (Deprecated since v2.14.0) Help.\n# TYPE i_info gauge\n"
    assert info.header(True) == b"# HELP i (Deprecated since v2.14.0) Help.\n# TYPE i info\n"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", 0xCBF29CE484222325),
        ("a", 0xAF63DC4C8601EC8C),
        ("b", 0xAF63DF4C8601F1A5),
        ("foo", 0xDCB27518FED9D577),
        ("foobar", 0x85944171F73967E8),
        ("chongo was here!\n", 0x46810940EFF5F915),
    ],
)
def test_fnv_vectors(text: str, wanted: int) -> None:
    """Published test vectors of FNV-1a, 64 bits."""
    assert fnv1a64(text) == wanted


def test_constant_labels_come_first() -> None:
    """Constant labels are escaped and come before the labels of the object, if there are any."""
    one = gauge("m", "Help.", ALPHA, lambda obj: 1)
    rows = gauge("r", "Help.", ALPHA, lambda obj: [("x", 2)], "a")
    errors, constant = Errors(), {"cluster": '1%s "%d"'}
    assert renderer(IDENTITY, [one, rows], errors, constant)({"name": "n"}) == [
        'm{cluster="1%s \\"%d\\"",name="n"} 1\n',
        'r{cluster="1%s \\"%d\\"",name="n",a="x"} 2\n',
    ]
    assert renderer([], [one, rows], errors, {"cluster": "c"})({}) == ['m{cluster="c"} 1\n', 'r{cluster="c",a="x"} 2\n']
