"""Loading of settings from files and the environment, and the error messages."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import pytest

from telegen.config import Config, ConfigError, load, not_effective
from telegen.config.model import ClusterEntry
from telegen.config.reference import reference
from telegen.config.section import Section, text
from telegen.config.settings import is_effective, least, settings, value_at
from telegen.config.text_formats import FORMATS, describe_mismatch
from telegen.config.types import Duration, Size
from telegen.config.variables import service_variables
from telegen.kubestate.checks import selection_problems

HERE = Path(__file__).parent
STATE = "kube_metrics.kube_state"
WITHOUT_EFFECT = {
    "web.threads",
    "kubernetes.informers_resync_period",
    "kubernetes.informers_sync_timeout",
    "kubernetes.resource_labels",
    "kube_metrics.signal_metadata.fields.enable_bpf_component",
}
"""Settings without effect. Do not add any: a new setting must have an effect."""

MAPS = "kube_metrics: {kube_state: {custom_resource_state: {config_maps: {%s}}}}"
CONFIG_MAPS = "kube_metrics.kube_state.custom_resource_state.config_maps"
BAD = [
    ("gophers: 1", "gophers: unknown key"),
    ("kube_metrics: {listen_adress: ':1'}", "kube_metrics.listen_adress: unknown key, did you mean listen_address?"),
    ("kube_metrics: 5", "kube_metrics: expected a block of settings"),
    ("kube_metrics: {enabled: maybe}", "kube_metrics.enabled: expected true, false or null"),
    ("adapter: {external_families: [kube-x]}", "adapter.external_families: 'kube-x' is not a valid name of a family"),
    ("adapter: {external_families: [a, a]}", "adapter.external_families: a is listed 2 times"),
    ("adapter: {external_families: [a, a_count]}", "adapter.external_families: a_count is the number of samples of a; list one of them"),
    ("kube_metrics: {separate_endpoints: 1}", "kube_metrics.separate_endpoints: expected true or false"),
    ("kube_metrics: {cadvisor: {raw_cgroups: all}}", "kube_metrics.cadvisor.raw_cgroups: expected true or false"),
    ("kube_metrics: {listen_address: 9443}", "kube_metrics.listen_address: expected an address"),
    ("kube_metrics: {listen_address: ':70000'}", "kube_metrics.listen_address: expected an address"),
    ("kube_metrics: {listen_address: '::1:80'}", "kube_metrics.listen_address: expected an address"),
    ("kube_metrics: {otlp: {endpoint: 'collector:4318'}}", "kube_metrics.otlp.endpoint: expected a URL"),
    ("kube_metrics: {otlp: {protocol: http/json}}", "kube_metrics.otlp.protocol: expected http/protobuf, grpc or null, got 'http/json'"),
    ("kube_metrics: {otlp: {compression: br}}", "kube_metrics.otlp.compression: expected gzip, none or null, got 'br'"),
    ("kube_metrics: {otlp: {headers: 'authorization=secret'}}", "kube_metrics.otlp.headers: expected a block, as {authorization"),
    ("kube_metrics: {otlp: {headers: {'a b': x}}}", "kube_metrics.otlp.headers: 'a b' is not a valid name of a header"),
    ('kube_metrics: {otlp: {headers: {a: "x\\ny"}}}', "kube_metrics.otlp.headers.a: expected printable ASCII characters on one line"),
    ("kube_metrics: {otlp: {headers: {content-length: '3'}}}", "kube_metrics.otlp.headers.content-length: the agent sets this"),
    ("kube_metrics: {otlp: {key_file: /k}}", "kube_metrics.otlp.key_file: needs certificate_file"),
    ("kube_metrics: {streaming: {batch_size: 0}}", "kube_metrics.streaming.batch_size: "),
    ("kube_metrics: {streaming: {queue_size: 0}}", "kube_metrics.streaming.queue_size: "),
    ("kube_metrics: {streaming: {enabled: true, flush_timeout: 10s}}", "kube_metrics.streaming.flush_timeout: must be less than"),
    (
        "kube_metrics: {logs_streaming: {enabled: true}, streaming: {flush_timeout: 10s}}",
        "kube_metrics.streaming.flush_timeout: must be less than",
    ),
    ("kube_metrics: {logs_streaming: {object_labels: [a, 'b*c*']}}", "kube_metrics.logs_streaming.object_labels[1]: b*c*: at most one"),
    ("kube_metrics: {terminations: {series_limit: 0}}", "kube_metrics.terminations.series_limit: "),
    ("kube_metrics: {terminations: {minimum_severity: error}}", "kube_metrics.terminations.minimum_severity: "),
    ("kube_metrics: {metrics_path: /telemetry}", "kube_metrics.metrics_path: /telemetry is reserved for another page"),
    ("adapter: {agent_address: 9444}", "adapter.agent_address: expected an address"),
    ("adapter: {agent_address: ':9443'}", "adapter.agent_address: needs another port than kube_metrics.listen_address"),
    (
        "{adapter: {agent_address: ':8081'}, kube_metrics: {telemetry_address: ':8081'}}",
        "adapter.agent_address: needs another port than kube_metrics.telemetry_address",
    ),
    ("adapter: {agent_address: ':9444', agent_tls_dir: ''}", "adapter.agent_tls_dir: must name a folder"),
    (
        "{adapter: {agent_address: ':9444'}, kube_metrics: {cadvisor: {enabled: false}, kube_state: {enabled: false}}}",
        "adapter.agent_address: needs the containers of the node; set kube_metrics.cadvisor.enabled",
    ),
    ("kube_metrics: {metrics_path: metrics}", "kube_metrics.metrics_path: "),
    ("kube_metrics: {cadvisor: {collect_interval: 10}}", "kube_metrics.cadvisor.collect_interval: expected a duration"),
    ("kube_metrics: {cadvisor: {collect_interval: 10 s}}", "kube_metrics.cadvisor.collect_interval: expected a duration"),
    ("kube_metrics: {cadvisor: {collect_interval: 1ms}}", "kube_metrics.cadvisor.collect_interval: must be at least 1s"),
    ("kube_metrics: {kube_state: {arena_limit: big}}", f"{STATE}.arena_limit: expected a size"),
    ("kube_metrics: {kube_state: {arena_limit: 1KiB}}", f"{STATE}.arena_limit: must be at least 16MiB"),
    ("kube_metrics: {kube_state: {resources: pods}}", f"{STATE}.resources: expected a list"),
    ("kube_metrics: {kube_state: {resources: [pods, 5]}}", f"{STATE}.resources[1]: expected a string"),
    ("kube_metrics: {kube_state: {resources: [pod]}}", f"{STATE}.resources: unknown resource pod, did you mean pods?"),
    ("kube_metrics: {kube_state: {labels_allowlist: {pod: ['*']}}}", f"{STATE}.labels_allowlist: unknown resource pod"),
    ("kube_metrics: {kube_state: {groups: {x: [gophers]}}}", f"{STATE}.groups: unknown resource gophers"),
    ("kube_metrics: {kube_state: {groups: {a: [pods], b: [pods]}}}", f"{STATE}.groups: pods is in 2 groups"),
    ("kube_metrics: {kube_state: {groups: {cluster: [pods]}}}", f"{STATE}.groups.cluster: "),
    ("kube_metrics: {kube_state: {groups: {A B: [pods]}}}", f"{STATE}.groups.A B: "),
    ("kube_metrics: {kube_state: {metric_denylist: ['(']}}", f"{STATE}.metric_denylist"),
    ("kube_metrics: {kube_state: {metric_allowlist: [a], metric_denylist: [b]}}", f"{STATE}.metric_allowlist: "),
    ("kube_metrics: {kube_state: {pod_processes: 0}}", f"{STATE}.pod_processes: "),
    ("kube_metrics: {kube_state: {shard: 2, total_shards: 2}}", f"{STATE}.shard: must be below total_shards (2)"),
    ("kube_metrics: {kube_state: {node: a, track_unscheduled_pods: true}}", f"{STATE}.node: "),
    ("kube_metrics: {kube_state: {apiserver: 'ftp://x'}}", f"{STATE}.apiserver: "),
    ("kube_metrics: {limits: {series: -1}}", "kube_metrics.limits.series: "),
    ("kube_metrics: {limits: {families: {a: many}}}", "kube_metrics.limits.families"),
    ("kube_metrics: {limits: {families: {a-b: 1}}}", "kube_metrics.limits.families: 'a-b' is not a valid name of a family"),
    ("kube_metrics: {limits: {stores: {pod: 1}}}", "kube_metrics.limits.stores: unknown name pod, did you mean pods?; use a resource, "),
    ("api: {watch_timeout_min: 1h}", "api.watch_timeout_min: must not exceed"),
    ("log: {level: loud}", "log.level: "),
    ("web: {workers: 0}", "web.workers: "),
    ("web: {workers: many}", "web.workers: expected a number or auto, got 'many'"),
    ("log: {level: info, level: debug}", "level: the key appears 2 times"),
    ("log: ${NOT_SET}", "log: the variable NOT_SET is not set; set it, or write ${NOT_SET:-default}, or ${NOT_SET:-} for an empty value"),
    ("- a list", "expected a mapping of settings, got list"),
    ("a: [", "config.yaml:1: "),
    ("\x00", "config.yaml: "),
]


def read(folder: Path, text: str, **environ: str) -> Config:
    """Load a file with this text, and check its names."""
    path = folder / "config.yaml"
    path.write_text(text)
    return load(str(path), environ, checks=[selection_problems])


@pytest.mark.parametrize(("text", "message"), BAD, ids=[message for _, message in BAD])
def test_bad_settings(tmp_path: Path, text: str, message: str) -> None:
    """Each error is one line that begins with the path of the key."""
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, text)
    line = str(raised.value)
    assert message in line
    assert "\n" not in line
    assert line.startswith(message) or str(tmp_path) in line


def test_all_problems_are_reported(tmp_path: Path) -> None:
    """Every invalid value is reported, one per line."""
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, "supervisor: {heartbeat_timeout: 1s, grace_period: 0s}")
    assert len(str(raised.value).splitlines()) == 2


def test_large_file(tmp_path: Path) -> None:
    """A file above the limit is refused before it is parsed."""
    with pytest.raises(ConfigError, match="larger than 1048576 bytes"):
        read(tmp_path, "#" * (1 << 20) + "\n")


def test_spec_is_accepted() -> None:
    """Both blocks of the specification are valid as they stand."""
    config = load(str(HERE / "spec.yaml"), {})
    assert config.kube_metrics.kube_state.namespaces_exclude == ("kube-system",)
    assert config.kube_metrics.kube_state.resync_period == 300
    assert not_effective(config) == []


def test_empty_file_is_the_defaults(tmp_path: Path) -> None:
    """An empty file gives the defaults."""
    assert read(tmp_path, "") == read(tmp_path, "{}") == load(None, {}) == Config()


def test_environment(tmp_path: Path) -> None:
    """${NAME} in the file and TELEGEN_* variables, which win, have the types of YAML."""
    text = "web: {workers: '${WORKERS}'}\nlog: {level: '${LEVEL:-warning}'}\nkube_metrics: {metrics_path: /$$x}"
    with pytest.raises(ConfigError, match="kube_metrics.metrics_path"):
        read(tmp_path, text, WORKERS="3")
    config = read(tmp_path, "web: {workers: '${WORKERS}'}\nlog: {level: '${LEVEL:-warning}'}", WORKERS="3")
    assert (config.web.workers, config.log.level) == (3, "warning")
    config = read(tmp_path, "", TELEGEN_KUBE_METRICS__KUBE_STATE__RESOURCES="[pods]", TELEGEN_WEB__WORKERS="4")
    assert (config.kube_metrics.kube_state.resources, config.web.workers) == (("pods",), 4)


@pytest.mark.parametrize("where", ["kubernetes.cluster_name", "kube_metrics.node_name", f"{STATE}.node"])
@pytest.mark.parametrize(
    ("text", "environ", "value", "message"),
    [
        ("${N}", {"N": "a"}, "a", ""),
        ("${N}", {}, "", "the variable N is not set; set it, or write ${N:-default}"),
        ("${N}", {"N": ""}, "", "the variable N is empty; set it, or write ${N:-default}"),
        ("a${N}", {"N": ""}, "", "the variable N is empty; "),
        ("${N:-}", {}, "", ""),
        ("${N:-}", {"N": ""}, "", ""),
        ("${N:-b}", {}, "b", ""),
        ("${N:-b}", {"N": ""}, "b", ""),
        ("${N:-b}", {"N": "a"}, "a", ""),
        ("a${N:-}", {"N": ""}, "a", ""),
    ],
)
def test_empty_variables(
    tmp_path: Path, where: str, text: str, environ: dict[str, str], value: str, message: str
) -> None:
    """A variable that expands to nothing is an error unless the file has a default: empty often means "everything"."""
    file = f"{{{where.replace('.', ': {')}: '{text}'{'}' * (where.count('.') + 1)}"
    if message:
        with pytest.raises(ConfigError, match=f"^{where}: {re.escape(message)}"):
            read(tmp_path, file, **environ)
    else:
        assert value_at(read(tmp_path, file, **environ), where) == value


@pytest.mark.parametrize("name", ["2026", "10e3", "null", "yes", "0x1f", "2026-11-27"])
def test_names_that_yaml_reads_otherwise(tmp_path: Path, name: str) -> None:
    """The text of a variable stays a string for a string setting, and is parsed as YAML for any other."""
    file = "{kube_metrics: {node_name: '${N}'}, kubernetes: {cluster_name: 'x-${N}'}, web: {workers: '${W:-2}'}}"
    config = read(tmp_path, file, N=name)
    assert (config.kube_metrics.node_name, config.kubernetes.cluster_name, config.web.workers) == (name, f"x-{name}", 2)
    assert read(tmp_path, "", TELEGEN_KUBE_METRICS__NODE_NAME=name).kube_metrics.node_name == name
    listed = read(tmp_path, "kube_metrics: {kube_state: {namespaces: ['${N}']}}", N="2026")
    assert listed.kube_metrics.kube_state.namespaces == ("2026",)
    with pytest.raises(ConfigError, match="web.workers"):
        read(tmp_path, "", TELEGEN_WEB__WORKERS="a")


@pytest.mark.parametrize("empty", ["POD_NAME", "POD_NAMESPACE"])
def test_manifest_for_shards_wants_its_variables(tmp_path: Path, empty: str) -> None:
    """An empty variable in the manifest for shards is an error; the agent does not serve the whole cluster instead."""
    text = (HERE.parents[1] / "k8s" / "overlays" / "shards" / "telegen.yaml").read_text()
    environ = {"POD_NAME": "telegen-0", "POD_NAMESPACE": "telegen"}
    assert read(tmp_path, text, **environ).kube_metrics.kube_state.pod == "telegen-0"
    with pytest.raises(ConfigError, match=f"the variable {empty} is empty"):
        read(tmp_path, text, **{**environ, empty: ""})


def test_environment_over_an_empty_block(tmp_path: Path) -> None:
    """A block without settings, which YAML reads as null, can be filled by variables."""
    assert read(tmp_path, "web:\n", TELEGEN_WEB__WORKERS="4").web.workers == 4


def test_key_in_the_wrong_block(tmp_path: Path) -> None:
    """For a key with wrong indentation the error names the right block."""
    for lines, wanted in (
        ("kube_metrics: {cadvisor: {total_shards: 2}}", "kube_metrics.kube_state.total_shards"),
        ("cadvisor: {enabled: false}", "kube_metrics.cadvisor"),
        ("kube_metrics: {standby: hot}", "kube_metrics.election.standby"),
        ("kube_metrics: {cgroup_root: x}", "kube_metrics.cadvisor.cgroup_root"),
    ):
        with pytest.raises(ConfigError, match=f": unknown key, did you mean {wanted}\\? \\(.*config.yaml:1\\)$"):
            read(tmp_path, lines)
    with pytest.raises(ConfigError, match=r": unknown key \(.*config.yaml:1\)$"):
        read(tmp_path, "enabled: true")


def test_errors_name_the_variable(tmp_path: Path) -> None:
    """The error names the variable that set the key, because the file does not show it."""
    for name, value in (("TELEGEN_WEB__WORKERS", "many"), ("TELEGEN_WEB__WORKRES", "1"), ("TELEGEN_KUBE_METRICS__SCOPE", "all")):
        with pytest.raises(ConfigError, match=rf"\(set by {name}\)$"):
            read(tmp_path, "web: {threads: 2}", **{name: value})
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, "web: {workers: many}", TELEGEN_WEB__THREADS="1")
    assert "set by" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("TELEGEN_WEB__WORKERS", "many", "web.workers: "),
        ("TELEGEN_WEB__WORKERS__X", "1", "web.workers: "),
        ("TELEGEN_GOPHERS__X", "1", "gophers: unknown key"),
        ("TELEGEN_WEB__WORKERS", "[", "web.workers: TELEGEN_WEB__WORKERS: "),
    ],
)
def test_bad_environment(tmp_path: Path, name: str, value: str, message: str) -> None:
    """The error for an invalid variable begins with the path of the setting."""
    with pytest.raises(ConfigError, match=f"^{message}[^\n]*$"):
        read(tmp_path, "web: {workers: 2}", **{name: value})


def test_variables_of_a_service(tmp_path: Path) -> None:
    """Kubernetes sets them for a Service called telegen, or telegen-state; any other variable that sets nothing is an error."""
    injected = {
        "TELEGEN_SERVICE_HOST": "10.0.0.1",
        "TELEGEN_SERVICE_PORT_METRICS": "9443",
        "TELEGEN_PORT": "tcp://10.0.0.1:9443",
        "TELEGEN_PORT_9443_TCP_ADDR": "10.0.0.1",
        "TELEGEN_STATE_SERVICE_HOST": "10.0.0.2",
        "TELEGEN_STATE_PORT_9443_TCP": "tcp://10.0.0.2:9443",
    }
    assert read(tmp_path, "", **injected) == Config()
    assert service_variables({**injected, "TELEGEN_WEB__WORKERS": "1", "HOME": "/"}) == sorted(injected)
    for name in ("TELEGEN_WORKERS", "TELEGEN_", "TELEGEN_WEB", "TELEGEN_WEB_WORKERS"):
        with pytest.raises(ConfigError, match=f"^{name}: the variable names no setting; "):
            read(tmp_path, "", **{name: "1"})


def test_unset_variable_in_a_list(tmp_path: Path) -> None:
    """The variable and the wrong element are reported, each once."""
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, "kube_metrics: {kube_state: {namespaces: ['${NONE}', 5], clusters: [{name: '${NONE}'}]}}")
    found = [line.partition(":")[0] for line in str(raised.value).splitlines()]
    assert found == [f"{STATE}.namespaces[0]", f"{STATE}.clusters[0].name", f"{STATE}.namespaces[1]"]


def test_all_errors_at_once(tmp_path: Path) -> None:
    """Errors of every kind, each with its line; a check that would compare a setting with an invalid one is left out."""
    file = "gophers: 1\nweb: {threads: many}\nkube_metrics:\n  kube_state:\n    resources:\n    - pod\n    - nodes\n    namespaces: a,b"
    more = "\n    shard: 3\n    total_shards: many\n    metric_denylist: ['(', '[']\nlog: {level: '${NONE}'}"
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, file + more, TELEGEN_WEB__WORKERS="0")
    found = [(line.split(":")[0], line.rsplit("(", 1)[1].rsplit(":", 1)[-1]) for line in str(raised.value).splitlines()]
    assert sorted(found) == [
        ("gophers", "1)"),
        (f"{STATE}.metric_denylist[0]", "11)"),
        (f"{STATE}.metric_denylist[1]", "11)"),
        (f"{STATE}.namespaces", "8)"),
        (f"{STATE}.resources", "5)"),
        (f"{STATE}.total_shards", "10)"),
        ("log.level", "12)"),
        ("web.threads", "2)"),
        ("web.workers", "set by TELEGEN_WEB__WORKERS)"),
    ]


def test_settings_without_effect() -> None:
    """No setting without effect is added."""
    assert {path for path, _, meta in settings() if not is_effective(meta)} == WITHOUT_EFFECT


def test_not_effective_settings_are_named(tmp_path: Path) -> None:
    """Only settings that differ from their defaults are reported."""
    config = read(tmp_path, "kubernetes: {resource_labels: [app], informers_sync_timeout: 30s}")
    assert not_effective(config) == ["kubernetes.resource_labels"]


def test_every_effective_setting_is_read() -> None:
    """Code outside the model names every setting that claims to have an effect."""
    root = HERE.parents[1]
    files = [path for folder in ("telegen", "workers") for path in (root / folder).rglob("*.py") if path.name != "model.py"]
    words = {word for path in files for word in re.findall(r"\w+", path.read_text())}
    unread = [path for path, _, meta in settings() if is_effective(meta) and path.rpartition(".")[2] not in words]
    assert not unread, f"no code reads {unread}: use the setting, or declare it with without_effect() in telegen/config/model.py"


def test_document_is_up_to_date() -> None:
    """docs/configuration.md is generated from the model."""
    current = (HERE.parents[1] / "docs" / "configuration.md").read_text() == reference()
    assert current, "docs/configuration.md is stale: run `python -m telegen.config.reference > docs/configuration.md`"


def test_setting_without_help_is_refused() -> None:
    """The error tells a contributor where and how to add the help."""

    class Incomplete(Section, frozen=True):
        described: Annotated[int, text("Number.")] = 1
        bare: int = 1

    with pytest.raises(TypeError, match=r"^block.bare: the setting has no help; declare it as Annotated\[.*config/model.py$"):
        list(settings(Incomplete, "block."))


BOUNDED = [
    (path, Size if isinstance(value_at(Config(), path), Size) else Duration, least(meta))
    for path, _, meta in settings()
    if least(meta) is not None
]


@pytest.mark.parametrize(("path", "kind", "bound"), BOUNDED, ids=[path for path, _, _ in BOUNDED])
def test_lower_bounds(tmp_path: Path, path: str, kind: type, bound: float) -> None:
    """A value below the bound in the model is an error that names the path, the bound and the variable."""
    variable = f"TELEGEN_{path.upper().replace('.', '__')}"
    low = "1" if kind is Size else "0s"
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, "", **{variable: low})
    message = f"{path}: must be at least {kind(bound)}, not {kind.read(low if kind is not Size else 1)} (set by {variable})"
    assert message in str(raised.value).splitlines()


def patterns() -> Iterator[str]:
    """The regular expressions of all settings and of the entries of `clusters`."""
    metas = [meta for _, _, meta in settings()]
    hints = typing.get_type_hints(ClusterEntry, include_extras=True).values()
    metas += [meta for hint in hints for meta in hint.__metadata__ if isinstance(meta, msgspec.Meta)]
    yield from (meta.pattern for meta in metas if meta.pattern)


def test_every_format_has_a_description() -> None:
    """Error messages describe formats in words, and no description is unused."""
    missing = set(patterns()) - set(FORMATS)
    assert not missing, f"add a description to FORMATS in telegen/config/text_formats.py for {missing}"
    unused = set(FORMATS) - set(patterns())
    assert not unused, f"remove from FORMATS in telegen/config/text_formats.py: {unused}"
    for expression in FORMATS:
        with pytest.raises(msgspec.ValidationError) as raised:
            msgspec.convert("\0", Annotated[str, msgspec.Meta(pattern=expression)])
        assert describe_mismatch(str(raised.value)) == f"expected {FORMATS[expression]}"
