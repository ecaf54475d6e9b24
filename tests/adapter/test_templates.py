"""The template language: text by values, and one error for what is not valid or not supported."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telegen.adapter.rules.model import QUERY_FIELDS
from telegen.adapter.templates import Template, TemplateError
from telegen.adapter.templates.functions import MAX_TEXT

VALUES = {
    "Series": "s",
    "LabelMatchers": 'a="b"',
    "LabelValuesByName": {"namespace": "shop", "pod": "a|b"},
    "GroupBy": "pod,container",
    "GroupBySlice": ["pod", "container"],
}


def render(source: str) -> str:
    return Template(source, QUERY_FIELDS).render(VALUES)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)", 'sum(s{a="b"}) by (pod,container)'),
        ("a <<- .Series ->> b", "asb"),
        ("a <</* >> no */>>b<<- /* x */ ->>\n c", "a bc"),
        ('<<index .LabelValuesByName "pod">>|<<index .LabelValuesByName "none">>|', "a|b||"),
        ("<<.LabelValuesByName.pod>><<.LabelValuesByName.none>><<.LabelValuesByName.none.x>>", "a|b<no value><no value>"),
        ('<<with .LabelValuesByName>><<if eq .none "a">>a<<else if ne .none "b">>b<<end>><<range .none>>c<<else>>d<<end>><<end>>', "bd"),
        ("<<print .LabelValuesByName.none>><<or .LabelValuesByName.none `x`>><<eq nil nil>>", "<nil>xtrue"),
        ("<<range $k, $v := .LabelValuesByName>><<$k>>=<<$v>>;<<end>>", "namespace=shop;pod=a|b;"),
        ("<<range .GroupBySlice>><<.>>,<<else>>none<<end>>", "pod,container,"),
        ("<<range $i, $l := .GroupBySlice>><<if $i>>,<<end>><<$l>><<end>>", "pod,container"),
        ("<<with .LabelValuesByName>><<range $i, $l := .none>>a<<else>><<$i>> <<$l>><<end>><<end>>", "<no value> <no value>"),
        ("<<$k := 0>><<$v := 0>><<range $k, $v = .GroupBySlice>><<end>><<$k>> <<$v>>", "1 container"),
        ('<<range $v := .LabelValuesByName>><<$v>> <<end>>', "shop a|b "),
        ('<<if eq .Series "x" "s">>yes<<else>>no<<end>>', "yes"),
        ("<<if ne .Series `s`>>a<<else if .GroupBy>>b<<else>>c<<end>>", "b"),
        ('<<with index .LabelValuesByName "pod">><<.>> <<$.Series>><<else>>none<<end>>', "a|b s"),
        ("<<$x := .Series>><<$x>><<$x = `t`>><<$x>>", "st"),
        ('<<.Series | print "a" 1 2>>', "a1 2s"),
        ("<<and `` (index .GroupBySlice 9)>><<or .Series (index .GroupBySlice 9)>><<`` | or nil>>", "s"),
        ("<<if and .Series (not false) (or .GroupBy nil)>>x<<end>>", "x"),
        ("<<len .Series>> <<.GroupBySlice>> <<.LabelValuesByName>>", "1 [pod container] map[namespace:shop pod:a|b]"),
        ("<<if lt (len .Series) 2>>short<<end>> <<index .GroupBySlice 1>>", "short container"),
        ("<<(index .GroupBySlice 0)>> <<true>> <<\"\\t\">>|", "pod true \t|"),
        ("$1 > 2 && {{.Series}}", "$1 > 2 && {{.Series}}"),
    ],
)
def test_text(source: str, text: str) -> None:
    """Actions give the text that Go's templates give."""
    assert render(source) == text


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("<<.Series", "action '.Series' is not closed by >>"),
        ("<<.Nothing>>", "no field .Nothing; choose from .Series"),
        ("<<$.Nothing>>", "no field .Nothing"),
        ("<<$x>>", "variable $x is not declared"),
        ("<<if true>><<$x := 1>><<end>><<$x>>", "variable $x is not declared"),
        ("<<if true>>", "if without end"),
        ("<<end>>", "unexpected 'end': no block is open"),
        ("<<if true>><<else>><<else>><<end>>", "if without end"),
        ("<<printf `%s` .Series>>", "function printf is not supported; choose from and, eq"),
        ("<<lower .Series>>", "no function lower"),
        ("<<template `x`>>", "template is not supported"),
        ("<<break>>", "break is not supported"),
        ("<<.Series .GroupBy>>", "only a function takes arguments"),
        ("<<.Series | .GroupBy>>", "only a function can take the result of a pipeline"),
        ("<<>>", "an action has no value"),
        ("<<(.Series>>", "a parenthesis is not closed"),
        ("<<.Series)>>", "unexpected ')'"),
        ("<<.Series %>>", "unexpected '%>>' in an action"),
        ("<<index .GroupBySlice 2>>", "index out of range: 2 of 2"),
        ("<<index .Series 0>>", "cannot index a text with a number"),
        ("<<eq .Series 1>>", "cannot compare a text with a number"),
        ("<<eq .Series>>", "eq needs two values"),
        ("<<or>>", "and, or: wrong number of arguments"),
        ("<<len>>", "len: wrong number of arguments"),
        ("<<range .Series>><<end>>", "range over 's': neither a list nor a map"),
        ("<<if not .Series>><<$x := 1>><<else>><<$x>><<end>>", "variable $x has no value in this branch"),
        ("<<if not .Series>><<$x := 1>><<else>><<$x = 2>><<end>>", "variable $x has no value in this branch"),
        ("<<with .Series>><<.pod>><<end>>", "no field .pod in 's'"),
        ("<<range .GroupBySlice>>" * 60, "more than 50 levels"),
        ("<<" + "(" * 60 + ".Series" + ")" * 60 + ">>", "more than 50 levels"),
        ("<<range $.GroupBySlice>>" * 30 + "x" + "<<end>>" * 30, "more than 100000 steps"),
        ("a" * 70_000, "longer than 65536 characters"),
        ("<<$x := `" + "y" * 60_000 + "`>>" + "<<$x = print $x $x>>" * 12, f"a text is longer than {MAX_TEXT} characters"),
    ],
)
def test_error(source: str, reason: str) -> None:
    """Errors name the reason: not valid, not supported, or beyond a bound."""
    with pytest.raises(TemplateError) as error:
        render(source)
    assert str(error.value).startswith(reason)


PIECES = st.lists(
    st.sampled_from(
        "<<|>>| |-|.Series|.LabelValuesByName|.GroupBySlice|.x|$|$x|:=|=|(|)|,|if|else|end|range|with|index|eq|print|len|\"a\"|`b`|1|nil|"
        "/*|*/|text|é|\n|<<end>>|<<$x := .>>|<<range .GroupBySlice>>".split("|")
        + ["|"]
    ),
    max_size=40,
)


@settings(deadline=None)
@given(PIECES)
def test_any_template_renders_or_has_an_error(pieces: list[str]) -> None:
    """Any text is a template that renders, or is refused with a reason."""
    try:
        text = render("".join(pieces))
    except TemplateError as error:
        assert str(error)
    else:
        assert len(text) <= MAX_TEXT
