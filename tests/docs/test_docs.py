"""The documents for people: what they name is there."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from telegen.cli.metrics_reference import tables
from telegen.config import load, not_effective
from telegen.config.adapter_flags import ADAPTER_FLAGS
from telegen.config.flags import FLAGS, Flag
from telegen.config.settings import settings
from telegen.kubestate.checks import selection_problems
from tests.k8s.rule_files import RULES, rules

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(path for pattern in ("*.md", "docs/*.md", "k8s/*.md", "k8s/chart/*.md") for path in ROOT.glob(pattern))
_OWN = re.compile(r"\btelegen_[a-z_]+")


def own_metrics() -> set[str]:
    """Names of the agent's own metrics, and of the families of the health of custom resources."""
    return {family.name for table in tables() for family in table.families if family.name.startswith("telegen_")}


def links(path: Path) -> Iterator[tuple[str, str]]:
    """(file, heading) of each link that stays in the tree."""
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if "://" not in target:
            file, _, heading = target.partition("#")
            yield file, heading


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    """Every link in the tree names a file, and a heading of it if it names one."""
    for file, heading in links(path):
        target = path.parent / file if file else path
        assert target.exists(), file
        if heading:
            titles = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
            assert heading in {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}, heading


@pytest.mark.parametrize("path", [*DOCUMENTS, *RULES], ids=lambda path: path.name)
def test_own_metrics_exist(path: Path) -> None:
    """Every telegen_* metric that a document or an alert names is one of the agent's."""
    assert set(_OWN.findall(path.read_text())) <= own_metrics()


def test_alerts_exist() -> None:
    """Every alert on the agent that a document names is one of alerts.yaml."""
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    named = {name for path in DOCUMENTS for name in re.findall(r"\bTelegen[A-Z]\w+", path.read_text())}
    assert named and named <= alerts


def test_components_are_listed() -> None:
    """k8s/README.md lists each component, and no document names one that does not exist."""
    components = {path.name for path in (ROOT / "k8s/components").iterdir()}
    listed = set(re.findall(r"^\| .*`components/.*$", (ROOT / "k8s/README.md").read_text(), re.MULTILINE))
    assert {name for row in listed for name in re.findall(r"`components/([\w-]+)`", row)} == components
    named = {name for path in DOCUMENTS for name in re.findall(r"\bcomponents/([\w-]+)", path.read_text())}
    # The changelog names both packs as pack-*.
    assert named <= components | {"pack-"}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_settings_exist(path: Path) -> None:
    """Every setting that a document names by its whole path is one."""
    known = {name for name, _, _ in settings()}
    known |= {".".join(name.split(".")[:end]) for name in known for end in range(1, 4)}
    named = set(re.findall(r"`((?:kubernetes|kube_metrics|api|web|supervisor|log)(?:\.[a-z_]+)+)[`=:]", path.read_text()))
    assert named <= known


def examples() -> Iterator[tuple[str, str]]:
    """Yield (document, YAML) of each configuration that is indented as code."""
    for path in DOCUMENTS:
        for block in re.findall(r"(?:^    .*\n|^\n)+", path.read_text(), re.MULTILINE):
            text = textwrap.dedent(block).strip("\n")
            if re.match(r"(kubernetes|kube_metrics|api|web|supervisor|log):", text):
                yield path.name, text


@pytest.mark.parametrize(("name", "text"), list(examples()), ids=lambda word: word[:40])
def test_examples_are_valid(name: str, text: str, tmp_path: Path) -> None:
    """Each configuration in a document is valid."""
    path = tmp_path / "config.yaml"
    path.write_text(text)
    config = load(str(path), {"POD_NAME": "telegen-0", "POD_NAMESPACE": "telegen"})
    assert not list(selection_problems(config))
    assert not_effective(config) == []


def test_there_are_examples() -> None:
    """`examples` still finds the configurations in README.md and configuration.md."""
    assert {"README.md", "configuration.md"} <= {name for name, _ in examples()}


@pytest.mark.parametrize("flag", ADAPTER_FLAGS, ids=lambda flag: flag.name)
def test_flags_of_the_adapter_are_documented(flag: Flag) -> None:
    """docs/migration.md has a row for each flag of prometheus-adapter, as those of kube-state-metrics have."""
    section = (ROOT / "docs" / "migration.md").read_text().partition("## From prometheus-adapter\n")[2]
    (row,) = [line for line in section.splitlines() if line.startswith(f"| `--{flag.name}` |")]
    wanted = f"`{flag.key}`" if flag.key else "refused" if flag.refused else "no effect"
    assert row.split("|")[2].strip() == wanted


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: flag.name)
def test_flags_are_documented(flag: Flag) -> None:
    """docs/migration.md has a row for each flag of kube-state-metrics, with its setting, "refused" or "no effect"."""
    section = (ROOT / "docs" / "migration.md").read_text().partition("## From kube-state-metrics\n")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `--")]
    (row,) = [row for row in rows if f"`--{flag.name}`" in row.split("|")[1]]
    wanted = f"`{flag.key}`" if flag.key else "refused" if flag.refused else "no effect"
    assert row.split("|")[2].strip() == wanted
