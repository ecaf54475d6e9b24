"""Answers to all requests of the metrics APIs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar
from urllib.parse import unquote

import orjson

from telegen.adapter.agents.usage import UsageSource
from telegen.adapter.apis import openapi
from telegen.adapter.apis.answers import Answer, StatusError, unknown_path
from telegen.adapter.apis.custom_metrics import CustomMetrics
from telegen.adapter.apis.discovery_documents import (
    AGGREGATED,
    ListedGroup,
    aggregated,
    api_group,
    group_list,
    resource_list,
)
from telegen.adapter.apis.external_metrics import ExternalMetrics
from telegen.adapter.apis.negotiation import PLAIN, preferred
from telegen.adapter.apis.resource_metrics import LISTED, ResourceMetrics
from telegen.adapter.apis.values import NotObserved, ValueObserver
from telegen.adapter.groups import CUSTOM, EXTERNAL, RESOURCE, VERSIONS
from telegen.adapter.live.custom import LiveCustom
from telegen.adapter.live.external import LiveExternal
from telegen.adapter.live.resource import LiveResource
from telegen.adapter.queries.backend import RulesBackend
from telegen.adapter.queries.custom import CustomQueries
from telegen.adapter.queries.external import ExternalQueries
from telegen.adapter.queries.resource import ResourceQueries

Backend = TypeVar("Backend")
Answerer = Callable[[str, list[str], Mapping[str, str], str], object]
"""Version, segments of the path, parameters and Accept header in, document out."""


class MetricsApis:
    """The groups for which there are rules or metrics of agents. A rule takes precedence over the agents."""

    def __init__(
        self,
        rules: RulesBackend | None,
        usage: UsageSource | None = None,
        groups: Collection[str] = tuple(VERSIONS),
        families: Collection[str] = (),
        observer: ValueObserver = NotObserved(),
    ) -> None:
        """Prepare answers.

        Args:
            rules: None without a rules file.
            usage: of the agents; None without agents.
            groups: that may be served.
            families: kube_* families of the agents that are external metrics.
            observer: counts the values of answers.
        """
        self._rules, self._served = rules, frozenset(groups)
        of_agents = {CUSTOM, RESOURCE, *([EXTERNAL] if families else [])}
        self._live = frozenset(of_agents if usage else ())

        def backends(of_rules: Callable[[RulesBackend], Backend], live: Callable[[UsageSource], Backend]) -> list[Backend]:
            return [*([of_rules(rules)] if rules else []), *([live(usage)] if usage else [])]

        self._custom = CustomMetrics(backends(CustomQueries, LiveCustom), observer)
        self._external = ExternalMetrics(backends(ExternalQueries, lambda source: LiveExternal(source, families)), observer)
        resource = ResourceMetrics(backends(ResourceQueries, LiveResource), observer)
        self._answerers: dict[str, Answerer] = {
            CUSTOM: self._custom.answer,
            EXTERNAL: self._external.answer,
            RESOURCE: resource.answer,
        }

    def answer(self, path: str, params: Mapping[str, str], accept: str = "", etag: str = "") -> Answer:
        """Return the answer to a GET.

        Args:
            path: as it is sent; segments may be percent-encoded.
            accept, etag: headers Accept and If-None-Match.
        """
        segments = [unquote(segment) for segment in path.strip("/").split("/")]
        try:
            if segments == ["apis"]:
                return self._groups(accept, etag)
            if segments[:2] == ["openapi", "v3"]:
                return self._openapi(segments[2:], etag)
            return Answer(200, self._document(segments, params, accept))
        except StatusError as error:
            return error.answer()

    def _document(self, segments: list[str], params: Mapping[str, str], accept: str) -> object:
        match segments:
            case ["apis", name] if name in self.names():
                return api_group(self._group(name))
            case ["apis", name, version, *rest] if name in self.names() and version in VERSIONS[name] and all(rest):
                return self._answerers[name](version, rest, params, accept) if rest else resource_list(self._group(name), version)
        raise unknown_path()

    def _groups(self, accept: str, etag: str) -> Answer:
        """Return /apis in the form that the client asks for."""
        form = preferred(accept, (PLAIN, *AGGREGATED)) or PLAIN
        if form == PLAIN:
            return Answer(200, group_list(self.groups()))
        document = aggregated(self.groups(), form)
        current = f'"{hashlib.sha256(orjson.dumps(document)).hexdigest()[:32]}"'
        if current in etag:
            return Answer(304, None, form.media_type, {"ETag": current})
        return Answer(200, document, form.media_type, {"ETag": current})

    def _openapi(self, segments: list[str], etag: str) -> Answer:
        """Return the list of OpenAPI documents, or one of them."""
        served = {name: VERSIONS[name] for name in self.names()}
        match segments:
            case []:
                return Answer(200, openapi.root(served))
            case ["apis", name, version] if version in served.get(name, ()):
                data, number = openapi.document(name, version)
                headers = {"ETag": f'"{number}"'}
                return Answer(304, None, headers=headers) if number in etag else Answer(200, orjson.Fragment(data), headers=headers)
        raise unknown_path()

    def groups(self) -> list[ListedGroup]:
        """Return the groups with what they list now."""
        return [self._group(name) for name in self.names()]

    def names(self) -> list[str]:
        """Return the names of the groups that are served now: the rules may change."""
        of_rules = self._rules.rules.groups if self._rules else frozenset()
        return [name for name in VERSIONS if name in self._served and name in self._live | of_rules]

    def _group(self, name: str) -> ListedGroup:
        if name == CUSTOM:
            return ListedGroup(name, VERSIONS[name], tuple(self._custom.listed()))
        if name == EXTERNAL:
            return ListedGroup(name, VERSIONS[name], tuple(self._external.listed()))
        return ListedGroup(name, VERSIONS[name], LISTED)
