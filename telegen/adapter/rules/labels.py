"""Labels of series that name resources, by the rules of one file and the resources of one cluster."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from telegen.adapter.rest_mapping import NAMESPACES, GroupResource, Mapped, RestMapping
from telegen.adapter.rules.model import LABEL, LabelRules
from telegen.adapter.rules.regexes import compile_regex
from telegen.adapter.templates import Template, TemplateError

_GROUP, _RESOURCE = "\x01", "\x02"


class UnknownResource(Exception):
    """An override names a resource that the cluster does not have."""


class TemplateLabels:
    """Labels that a template makes of resources, and resources of labels."""

    def __init__(self, template: Template, mapping: RestMapping) -> None:
        self._template, self._mapping = template, mapping
        pattern = template.render({"Group": _GROUP, "Resource": _RESOURCE})
        self._has_group = _GROUP in pattern
        for mark, name in ((_GROUP, "group"), (_RESOURCE, "resource")):
            pattern = pattern.replace(mark, f"(?P<{name}>.+?)", 1).replace(mark, ".+?")
        self._pattern = compile_regex(f"^{pattern}$")
        # A group with dots cannot be read back out of a label. Resources of the core group are never found by a template with groups.
        dotted = [mapped for mapped in mapping.resources if mapped.resource.group] if self._has_group else []
        # Series share few labels and resources, so both directions are worked out once.
        self._labels = dict[Mapped, str]()
        self._resources: dict[str, Mapped | None] = {self.label(mapped): mapped for mapped in reversed(dotted)}

    def label(self, mapped: Mapped) -> str:
        """Return the label of a resource, "" if the template fails for it."""
        if mapped not in self._labels:
            group = mapped.resource.group.replace(".", "_").replace("-", "_")
            try:
                self._labels[mapped] = self._template.render({"Group": group, "Resource": mapped.singular})
            except TemplateError:
                self._labels[mapped] = ""
        return self._labels[mapped]

    def resource(self, label: str) -> Mapped | None:
        """Return the resource that a label names."""
        if label not in self._resources:
            self._resources[label] = self._find(label)
        return self._resources[label]

    def _find(self, label: str) -> Mapped | None:
        found = self._pattern.search(label) if LABEL.fullmatch(label) else None
        if not found:
            return None
        return self._mapping.find(GroupResource(found["group"] if self._has_group else "", found["resource"]))


class ResourceLabels:
    """Labels and resources by the `resources` of a rule."""

    def __init__(self, rules: LabelRules, mapping: RestMapping, templates: dict[str, TemplateLabels]) -> None:
        """Resolve the overrides.

        Args:
            templates: labels by the source of their template, shared by the rules of a file.

        Raises:
            UnknownResource: an override names a resource that the cluster does not have.
        """
        self._mapping = mapping
        self._overrides = dict[str, Mapped]()
        for label, name in rules.overrides.items():
            mapped = mapping.find(name)
            if not mapped:
                raise UnknownResource(f"resources.overrides.{label}: the cluster has no resource {name}")
            self._overrides[label] = mapped
        self._template = None
        if rules.template:
            source = rules.template.source
            if source not in templates:
                templates[source] = TemplateLabels(rules.template, mapping)
            self._template = templates[source]

    def resources(self, labels: Iterable[str]) -> dict[Mapped, str]:
        """Return the label of each resource that a series names by its labels; overrides come first, in the order of the file."""
        names, found = frozenset(labels), dict[Mapped, str]()
        for label, mapped in self._overrides.items():
            if label in names:
                found.setdefault(mapped, label)
        if self._template:
            others = ((label, self._template.resource(label)) for label in sorted(names - self._overrides.keys()))
            candidates = [(mapped, label) for label, mapped in others if mapped]
            for mapped, label in sorted(candidates, key=lambda one: self.label(one[0]) != one[1]):
                found.setdefault(mapped, label)
        return found

    def label(self, mapped: Mapped) -> str:
        """Return the label that names a resource, "" if the rule has none for it."""
        override = next((label for label, one in self._overrides.items() if one == mapped), "")
        return override or (self._template.label(mapped) if self._template else "")

    def namespace_label(self, labels: Collection[str] = ()) -> str:
        """Return the label that names the namespace, "" if the rule has none for it.

        Args:
            labels: of a series; one of them is preferred.
        """
        mapped = self._mapping.find(NAMESPACES)
        if not mapped:
            return ""
        return next((label for label, one in self._overrides.items() if one == mapped and label in labels), self.label(mapped))
