"""Expressions drawn over the whole subset, right and wrong ones, and the object that they read."""

from __future__ import annotations

from hypothesis import strategies as st

OBJECT = {
    "metadata": {"name": "web-1", "namespace": "shop", "labels": {"app": "web", "tier": "a"}},
    "spec": {
        "replicas": 3,
        "ratio": 0.5,
        "paused": False,
        "nothing": None,
        "items": [{"name": "a", "n": 1, "on": True}, {"name": "b", "n": 2}, {"name": "c", "n": -7, "on": False}],
        "names": ["x", "y", "zed"],
        "nums": [3, 1, 2],
        "mixed": [1, "a", 2.5, True, None],
        "empty": [],
        "since": "2026-01-02T03:04:05.250Z",
        "period": "1h30m",
        "text": "Hello, Wörld",
    },
    "status": {
        "phase": "Ready",
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "Stalled", "status": "False"}],
        "map": {"a": 1},
    },
}
_LITERALS = (
    "0 1 -1 7 9223372036854775807 -9223372036854775808 1u 0u 1.0 0.0 -2.5 1e3 1e300 true false null 'a' 'Ready' '' r'a\\b' b'ab' 'aé' "
    "9007199254740993 9007199254740992.0 9223372036854775808.0 -9223372036854775808.0 18446744073709551615u 18446744073709551616.0 -0.0 "
    "-0.5 0x1F 1e400 '1.5' '0x1p4' '-7' 'True' '1h' '2026-03-01T00:00:00Z' '\\u001c' '\\u2003x\\u00a0' [] {} {'a':1} [null,1.0]"
).split()
_FIELDS = (
    "spec.replicas spec.ratio spec.paused spec.nothing spec.items spec.names spec.nums spec.mixed spec.empty spec.text status.phase "
    "status.map status.conditions metadata.labels metadata.name spec.missing status.map.a spec.names[0] spec.names[5] spec.nums[1] "
    "duration(spec.period) timestamp(spec.since) metadata.labels['app'] metadata.labels['no']"
).split()
_HAS = "spec.items spec.zip status.map.a metadata.labels.app spec.items[0].on spec.items[1].on spec.text.x".split()
_LISTS = "spec.items spec.names spec.nums spec.mixed status.conditions".split()
_ONE = "size int uint double bool bytes duration timestamp dyn".split()
_TWO = "contains startsWith endsWith matches indexOf lastIndexOf split join".split()
_NONE = (
    "size lowerAscii upperAscii trim join getHours getMinutes getSeconds getMilliseconds getFullYear getMonth getDate getDayOfMonth "
    "getDayOfWeek getDayOfYear"
).split()


def expressions(depth: int = 4, variables: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    """Return the strategy of expressions up to a depth."""
    leaf = st.sampled_from([*_LITERALS, *_FIELDS, *(part for name in variables for part in (name, f"{name}.name", f"{name}.n"))])
    if not depth:
        return leaf
    part = st.deferred(lambda: expressions(depth - 1, variables))
    return st.one_of(
        leaf,
        st.builds("({} {} {})".format, part, st.sampled_from("+ - * / % == != < <= > >= in && ||".split()), part),
        st.builds("({} ? {} : {})".format, part, part, part),
        st.builds("{}({})".format, st.sampled_from(("!", "-")), part),
        st.builds("has({})".format, st.sampled_from(_HAS)),
        st.builds("{}({})".format, st.sampled_from(_ONE), part),
        st.builds("{}.{}({})".format, part, st.sampled_from(_TWO), part),
        st.builds("{}.{}()".format, part, st.sampled_from(_NONE)),
        st.builds("[{}, {}][0]".format, part, part),
        st.builds("{{'a': {}, 'b': {}}}".format, part, part),
        st.builds("{}.{}({}, {})".format, part, st.sampled_from(("indexOf", "lastIndexOf")), part, part),
        st.builds("optional.ofNonZeroValue({}).orValue({})".format, part, part),
        st.builds("{}.optMap(o, [o, {}]).orValue({})".format, st.sampled_from(("spec.?replicas", "spec.?nope")), part, part),
        st.builds("{}.replace({}, {})".format, part, part, part),
        st.builds("{}.substring({}, {})".format, part, part, part),
        st.builds("spec.?{}.orValue({})".format, st.sampled_from(("replicas", "nope", "a.b.c")), part),
        _macros(depth, variables),
    )


def _macros(depth: int, variables: tuple[str, ...]) -> st.SearchStrategy[str]:
    variable = f"v{len(variables)}"
    over = st.sampled_from(_LISTS)
    body = st.deferred(lambda: expressions(depth - 1, (*variables, variable)))
    names = st.sampled_from("all exists exists_one filter map".split())
    return st.one_of(
        st.builds(f"{{}}.{{}}({variable}, {{}})".format, over, names, body),
        st.builds(f"{{}}.map({variable}, {{}}, {{}})".format, over, body, body),
    )
