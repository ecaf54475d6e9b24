"""Keeping of all certificates: one pass reads what is stored, renews what is due, and publishes what is in force."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from telegen.adapter.certificates.authorities import Authorities, Lifetimes, advance
from telegen.adapter.certificates.ca_bundles import patch_bundles
from telegen.adapter.certificates.document import Certificates, Pair
from telegen.adapter.certificates.secrets import (
    BUNDLE,
    Secrets,
    agents_data,
    authorities_data,
    read_authorities,
    read_pair,
)
from telegen.adapter.certificates.serving_files import ServingFiles
from telegen.adapter.certificates.signing import Leaf, end_of, leaf_problem, sign
from telegen.api.client import Client
from telegen.api.errors import ApiError, Conflict, NotFound, ProtocolError, Unreachable
from telegen.config.agent_api import CLIENT_NAME

TRIES = 5
"""Reads and writes of a Secret that another replica changes meanwhile."""
FAILURES = (ApiError, Unreachable, ProtocolError)
RIGHTS = "apply k8s/components/adapter, which gives the rights of the adapter"


@dataclass(frozen=True)
class Names:
    """Names of the adapter's objects.

    Attributes:
        service: Service of the adapter; its Secrets have names that begin with it.
        agents_service: headless Service of the agents; "" without agents.
    """

    namespace: str
    service: str
    agents_service: str

    @property
    def authority_secret(self) -> str:
        """Secret with the CA."""
        return f"{self.service}-ca"

    @property
    def agents_secret(self) -> str:
        """Secret that agents mount."""
        return f"{self.service}-agents"

    @property
    def serving(self) -> Leaf:
        """Serving certificate; the API server asks for its first name."""
        return Leaf(self._names(self.service))

    @property
    def agents(self) -> Leaf:
        """Certificate of all agents."""
        return Leaf(self._names(self.agents_service)[:1])

    def _names(self, service: str) -> list[str]:
        inside = f"{service}.{self.namespace}"
        return [f"{inside}.svc", f"{inside}.svc.cluster.local", inside, service]


@dataclass
class State:
    """State between passes.

    Attributes:
        authorities: as the last pass left them; None before the first that succeeded.
        serving, polling: certificates of this replica.
        files: last good serving certificate of the user.
        agents: certificate of the agents in PEM.
        reported: problem that was logged last, by subject.
    """

    authorities: Authorities | None = None
    serving: Pair = Pair("", "")
    polling: Pair = Pair("", "")
    files: Pair | None = None
    agents: str = ""
    reported: dict[str, str] = field(default_factory=dict)


class Keeper:
    """Certificates of one replica. Replicas agree by the Secrets alone.

    Attributes:
        state: for the keeper of the next pass.
    """

    def __init__(
        self,
        client: Client,
        names: Names,
        groups: tuple[str, ...],
        lifetimes: Lifetimes,
        files: ServingFiles | None,
        clock: Callable[[], float],
        log: logging.Logger,
        state: State | None = None,
    ) -> None:
        """Prepare passes.

        Args:
            groups: API groups whose APIServices get the caBundle.
            files: serving certificate of the user, in place of one of the own CA; the caBundle is then left alone. Without agents no CA is
                needed either.
            clock: Unix seconds.
            state: of the keeper of the last pass; None for the first one.
        """
        self._client, self._secrets = client, Secrets(client, names.namespace)
        self._names, self._groups, self._lifetimes = names, groups, lifetimes
        self._files, self._clock, self._log = files, clock, log
        self.state = state or State()

    def run_pass(self) -> Certificates | None:
        """Renew what is due; return the certificates in force, None if there are none yet. A failure is logged and harms no other step.

        The order matters: a CA is trusted by the API server and by agents before a certificate of it is presented to them.
        """
        if self._files and not self._names.agents_service:
            serving = self._read_files(self._files)
            return Certificates(serving, Pair("", ""), "", "") if serving else None
        self._attempt(f"Secret {self._names.authority_secret}", self._keep_authorities)
        return self._with_authorities(self.state.authorities) if self.state.authorities else None

    def ends(self, found: Certificates) -> dict[str, float]:
        """Return the ends of the certificates in force in Unix seconds, by name."""
        authority = self.state.authorities.current.certificate if self.state.authorities else ""
        known = {"ca": authority, "serving": found.serving.certificate, "client": found.client.certificate, "agents": self.state.agents}
        return {name: end_of(pem) for name, pem in known.items() if pem}

    def _with_authorities(self, authorities: Authorities) -> Certificates | None:
        """Hand out the CAs, then sign with the one in force."""
        if not self._files:
            self._attempt("APIServices", lambda: self._patch(authorities))
        if self._names.agents_service:
            self._attempt(f"Secret {self._names.agents_secret}", lambda: self._keep_agents(authorities))
        self.state.polling = self._renewed(self.state.polling, Leaf([CLIENT_NAME], client=True), authorities)
        if self._files:
            serving = self._read_files(self._files)
        else:
            serving = self.state.serving = self._renewed(self.state.serving, self._names.serving, authorities)
        return Certificates(serving, self.state.polling, authorities.bundle, self._names.agents.names[0]) if serving else None

    def _read_files(self, files: ServingFiles) -> Pair | None:
        serving = self.state.files = files.read(self._clock(), self.state.files)
        self._report("serving certificate", files.problem)
        return serving

    def _keep_authorities(self) -> None:
        """Read the CA; make, rotate or restore it if that is due."""
        for _ in range(TRIES):
            secret = self._secrets.read(self._names.authority_secret)
            stored = read_authorities(secret)
            step = advance(stored, self.state.authorities, self._names.authority_secret, self._clock(), self._lifetimes)
            if not step.reason:
                self.state.authorities = step.authorities
                return
            try:
                self._secrets.write(secret, authorities_data(step.authorities))
            except (Conflict, NotFound):
                # Another replica was faster: its decision stands.
                continue
            self.state.authorities = step.authorities
            self._log.info("Secret %s: %s", secret.name, step.reason)
            return
        raise ProtocolError(f"it changed during {TRIES} attempts to write it; does another program write it?")

    def _keep_agents(self, authorities: Authorities) -> None:
        """Renew the agents' certificate, and the authorities that agents trust."""
        for _ in range(TRIES):
            secret, now = self._secrets.read(self._names.agents_secret), self._clock()
            pair = read_pair(secret)
            problem = leaf_problem(pair, authorities.current.certificate, self._names.agents, now)
            if not problem and secret.data.get(BUNDLE) == authorities.bundle:
                self.state.agents = pair.certificate
                return
            if problem:
                pair = sign(authorities.current, self._names.agents, now, self._lifetimes.leaf)
            try:
                self._secrets.write(secret, agents_data(pair, authorities.bundle))
            except (Conflict, NotFound):
                continue
            self.state.agents = pair.certificate
            self._log.info("Secret %s: written: %s", secret.name, problem or "the trusted authorities have changed")
            return
        raise ProtocolError(f"it changed during {TRIES} attempts to write it; does another program write it?")

    def _patch(self, authorities: Authorities) -> None:
        service = f"{self._names.namespace}/{self._names.service}"
        self._report("APIService", "\n".join(patch_bundles(self._client, self._groups, service, authorities.bundle)))

    def _renewed(self, pair: Pair, leaf: Leaf, authorities: Authorities) -> Pair:
        now = self._clock()
        if leaf_problem(pair, authorities.current.certificate, leaf, now):
            return sign(authorities.current, leaf, now, self._lifetimes.leaf)
        return pair

    def _attempt(self, subject: str, step: Callable[[], None]) -> None:
        try:
            step()
        except FAILURES as error:
            status = getattr(error, "status", 0)
            self._report(f"{subject} failed", f"{subject}: {error}; {RIGHTS if status in (401, 403) else 'retrying'}")
        else:
            self._report(f"{subject} failed", "")

    def _report(self, subject: str, problem: str) -> None:
        """Log a problem once, and its end."""
        before = self.state.reported.get(subject, "")
        self.state.reported[subject] = problem
        if problem == before:
            return
        for line in problem.splitlines():
            self._log.warning("%s", line)
        if not problem:
            self._log.info("%s: no problem any more", subject.removesuffix(" failed"))
