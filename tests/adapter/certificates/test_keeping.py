"""Certificates of the adapter: made once, renewed, rotated with overlap, and healed."""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from cryptography import x509

from telegen.adapter.certificates.contexts import polling_context
from telegen.adapter.certificates.document import Pair, decode, encode
from telegen.adapter.certificates.keeper import Names, State
from telegen.adapter.certificates.serving_files import ServingFiles
from telegen.adapter.certificates.signing import is_valid
from tests.adapter.certificates.api_server import APISERVICES, SECRETS, ApiServer, apiservice, serving_apiservice
from tests.adapter.certificates.replicas import (
    AGENTS,
    AUTHORITY,
    Clock,
    agent_context,
    ca_bundle,
    data,
    edit,
    handshake,
    in_force,
    polls,
    replica,
    trusts_serving,
)
from tests.certificates import self_signed

OWN = "v1beta1.metrics.k8s.io"


@pytest.fixture
def api() -> Iterator[ApiServer]:
    """API server with one APIService of the adapter."""
    with serving_apiservice(OWN) as server:
        yield server


def test_the_first_pass_makes_all_certificates_and_both_connections_verify(api: ApiServer) -> None:
    found = in_force(replica(api, Clock(time.time())))
    assert trusts_serving(ca_bundle(api), found) == ""
    assert polls(found, data(api, AGENTS)) == ""
    assert decode(encode(found)) == found
    assert data(api, AGENTS).keys() == {"tls.crt", "tls.key", "ca.crt"}


def test_the_certificate_of_agents_is_not_accepted_as_that_of_the_adapter(api: ApiServer) -> None:
    found = in_force(replica(api, Clock(time.time())))
    secret = data(api, AGENTS)
    context = polling_context(replace(found, client=Pair(secret["tls.crt"], secret["tls.key"])))
    assert "unsuitable certificate purpose" in handshake(context, found.agents_name, agent_context(secret))


def test_a_second_pass_writes_nothing(api: ApiServer) -> None:
    keeper = replica(api, Clock())
    first = in_force(keeper)
    writes = list(api.writes)
    assert in_force(keeper) == first
    assert api.writes == writes


def test_two_replicas_that_start_together_agree_on_one_authority(api: ApiServer) -> None:
    barrier, clock = threading.Barrier(2, timeout=60), Clock(time.time())
    waiting = threading.local()

    def together(method: str, path: str) -> None:
        # Both have read that no Secret exists before either creates it.
        if method == "GET" and path in (AUTHORITY, AGENTS) and path not in api.objects and not getattr(waiting, path, False):
            setattr(waiting, path, True)
            barrier.wait()

    api.before = together
    keepers = [replica(api, clock), replica(api, clock)]
    threads = [threading.Thread(target=keeper.run_pass) for keeper in keepers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    api.before = lambda method, path: None
    assert sorted(api.writes)[:2] == [("POST", AGENTS), ("POST", AUTHORITY)]
    one, other = map(in_force, keepers)
    assert one.authorities == other.authorities == ca_bundle(api) == data(api, AGENTS)["ca.crt"]
    assert trusts_serving(ca_bundle(api), one) == trusts_serving(ca_bundle(api), other) == ""
    assert polls(one, data(api, AGENTS)) == polls(other, data(api, AGENTS)) == ""


def test_rotation_never_interrupts_a_side_that_is_one_step_behind(api: ApiServer) -> None:
    clock = Clock()
    keepers = [replica(api, clock), replica(api, clock)]
    seen, behind = set[str](), None
    for turn in range(180):
        found = in_force(keepers[turn % 2])
        secret, trusted = data(api, AGENTS), ca_bundle(api)
        seen.add(data(api, AUTHORITY)["tls.crt"])
        for pem in (found.serving.certificate, found.client.certificate, secret["tls.crt"]):
            assert is_valid(pem, clock.now)
        for old_found, old_secret, old_trusted in [behind] if behind else []:
            assert _signed_by(found.serving.certificate, old_trusted) and _signed_by(old_found.serving.certificate, trusted)
            assert _signed_by(found.client.certificate, old_secret["ca.crt"]) and _signed_by(secret["tls.crt"], old_found.authorities)
            assert _signed_by(old_secret["tls.crt"], found.authorities)
        assert 1 <= trusted.count("BEGIN") <= 3
        behind = (found, secret, trusted)
        clock.now += 50
    assert len(seen) >= 4


def _signed_by(certificate: str, bundle: str) -> bool:
    leaf = x509.load_pem_x509_certificate(certificate.encode())
    return leaf.issuer in [one.subject for one in x509.load_pem_x509_certificates(bundle.encode())]


def test_another_replica_that_rotates_first_wins(api: ApiServer) -> None:
    clock = Clock()
    first, second = replica(api, clock), replica(api, clock)
    in_force(first), in_force(second)
    clock.now += 2100

    def overtake(method: str, path: str) -> None:
        if method == "PUT" and path == AUTHORITY:
            api.before = lambda method, path: None
            second.run_pass()

    api.before = overtake
    found = in_force(first)
    assert api.writes.count(("PUT", AUTHORITY)) == 1
    assert found.authorities == in_force(second).authorities
    assert found.authorities.count("BEGIN") == 2


def test_a_deleted_secret_starts_a_rotation_without_interruption(api: ApiServer) -> None:
    clock = Clock(time.time())
    keeper = replica(api, clock)
    before, secret = in_force(keeper), data(api, AGENTS)
    old = data(api, AUTHORITY)["tls.crt"]
    del api.objects[AUTHORITY], api.objects[AGENTS]
    found = in_force(keeper)
    assert found.serving == before.serving
    assert polls(found, secret) == polls(found, data(api, AGENTS)) == ""
    assert old in found.authorities and found.authorities.count("BEGIN") == 2
    clock.now += 101
    assert in_force(keeper).serving != before.serving
    assert data(api, AUTHORITY)["tls.crt"] != old
    assert trusts_serving(found.authorities, in_force(keeper)) == ""


def test_a_replica_that_starts_after_the_deletion_keeps_nothing_of_the_old_authority(api: ApiServer) -> None:
    old = in_force(replica(api, Clock())).authorities
    api.objects.clear()
    assert in_force(replica(api, Clock())).authorities != old


def test_a_replica_keeps_trust_in_an_authority_that_another_one_has_replaced(api: ApiServer) -> None:
    clock = Clock(time.time())
    known = replica(api, clock)
    before, secret = in_force(known), data(api, AGENTS)
    del api.objects[AUTHORITY]
    in_force(replica(api, clock))
    found = in_force(known)
    assert trusts_serving(ca_bundle(api), before) == trusts_serving(ca_bundle(api), found) == ""
    assert _signed_by(secret["tls.crt"], found.authorities)
    assert data(api, AGENTS)["ca.crt"] == found.authorities


def test_ends_of_all_certificates_are_known(api: ApiServer) -> None:
    keeper, now = replica(api, Clock()), Clock().now
    assert keeper.ends(in_force(keeper)) == {"ca": now + 3000, "serving": now + 600, "client": now + 600, "agents": now + 600}


def test_an_authority_of_the_user_is_used_as_it_is(api: ApiServer, tmp_path: Path) -> None:
    texts = [path.read_bytes() for path in self_signed(tmp_path, "company")]
    encoded = dict(zip(("tls.crt", "tls.key"), [b64encode(text).decode() for text in texts], strict=True))
    api.put(AUTHORITY, {"metadata": {"name": "telegen-adapter-ca", "labels": {"team": "a"}}, "type": "kubernetes.io/tls", "data": encoded})
    found = in_force(replica(api, Clock(time.time() + 1)))
    assert ca_bundle(api) == found.authorities == texts[0].decode()
    assert trusts_serving(ca_bundle(api), found) == polls(found, data(api, AGENTS)) == ""
    stored = api.objects[AUTHORITY]
    assert stored["type"] == "kubernetes.io/tls" and stored["metadata"]["labels"] == {"team": "a"}
    assert data(api, AUTHORITY)["tls.key"] == texts[1].decode()


OTHER = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {}},
        {"data": None},
        {"data": {"tls.crt": "%%%", "tls.key": ""}},
        {"data": {"tls.crt": b64encode(OTHER.encode()).decode(), "tls.key": b64encode(b"-----BEGIN PRIVATE KEY-----").decode()}},
        {"data": {"tls.crt": "leaf", "tls.key": "leaf"}},
        {"data": {"tls.crt": "kept", "tls.key": "leaf"}},
        {"metadata": {"name": "telegen-adapter-ca", "labels": None}, "data": {"ca.crt": "gA=="}},
    ],
)
def test_secrets_edited_by_hand_heal(api: ApiServer, changes: dict[str, object], caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock(time.time())
    keeper = replica(api, clock)
    in_force(keeper)
    for path in (AUTHORITY, AGENTS):
        leaf, kept = api.objects[AGENTS]["data"], api.objects[path]["data"]
        changed = changes["data"]
        if isinstance(changed, dict):
            sources = {"leaf": leaf, "kept": kept}
            changed = {key: sources[value][key] if value in sources else value for key, value in changed.items()}
        edit(api, path, **{**changes, "data": changed})
    found = in_force(keeper)
    assert trusts_serving(ca_bundle(api), found) == ""
    assert polls(found, data(api, AGENTS)) == ""
    assert "PRIVATE" not in caplog.text


def test_the_clock_may_jump_forwards_and_back(api: ApiServer) -> None:
    clock = Clock()
    keepers = [replica(api, clock), replica(api, clock)]
    for jump in (0, 5e8, -5e8, -4e8, 90_000, -2900):
        clock.now += jump
        for keeper in (*keepers, replica(api, clock)):
            found = in_force(keeper)
            for pem in (found.serving.certificate, found.client.certificate, data(api, AGENTS)["tls.crt"], data(api, AUTHORITY)["tls.crt"]):
                assert is_valid(pem, clock.now)
            assert _signed_by(found.serving.certificate, ca_bundle(api))
        writes = len(api.writes)
        for keeper in keepers:
            keeper.run_pass()
        assert len(api.writes) == writes


def test_forbidden_secrets_are_one_log_line_with_a_cure_until_the_right_is_given(api: ApiServer, caplog: pytest.LogCaptureFixture) -> None:
    keeper = replica(api, Clock())
    api.refused = (SECRETS,)
    assert keeper.run_pass() is keeper.run_pass() is None
    lines = [record.getMessage() for record in caplog.records]
    cure = "apply k8s/components/adapter, which gives the rights of the adapter"
    assert lines == [f"Secret telegen-adapter-ca: 403 Forbidden: no right; {cure}"]
    api.refused = ()
    in_force(keeper)


def test_forbidden_apiservices_do_not_keep_certificates_from_being_used(api: ApiServer, caplog: pytest.LogCaptureFixture) -> None:
    api.refused = (APISERVICES,)
    in_force(replica(api, Clock()))
    assert ca_bundle(api) == ""
    assert "APIServices: 403 Forbidden" in caplog.text


def test_leaves_are_renewed_while_the_api_server_cannot_be_reached(api: ApiServer, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    keeper = replica(api, clock)
    before = in_force(keeper)
    api.is_down = True
    clock.now += 500
    found = in_force(keeper)
    assert found.serving != before.serving
    assert is_valid(found.serving.certificate, clock.now + 500)
    assert sum("telegen-adapter-ca" in record.getMessage() for record in caplog.records if record.levelname == "WARNING") == 1


def test_apiservices_of_others_stay_as_they_are(api: ApiServer, caplog: pytest.LogCaptureFixture) -> None:
    groups = ("metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io")
    foreign, injected, local = "v1beta1.custom.metrics.k8s.io", "v1beta2.custom.metrics.k8s.io", "v1.metrics.k8s.io"
    api.put(APISERVICES + foreign, apiservice(foreign, "monitoring/prometheus-adapter", insecureSkipTLSVerify=True))
    api.put(APISERVICES + local, apiservice(local, ""))
    marked = apiservice(injected)
    marked["metadata"]["annotations"]["cert-manager.io/inject-ca-from"] = "telegen/telegen-adapter"
    api.put(APISERVICES + injected, marked)
    before = {path: dict(obj) for path, obj in api.objects.items() if OWN not in path}
    keeper = replica(api, Clock(), groups)
    in_force(keeper), in_force(keeper)
    assert {path: api.objects[path] for path in before} == before
    assert ca_bundle(api) != ""
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    cure = "it stays as it is: delete it before this adapter's is applied, or remove the group from adapter.groups"
    assert warnings == [
        f"{local}: owned by the API server itself; {cure}",
        f"{foreign}: owned by monitoring/prometheus-adapter; {cure}",
        "external.metrics.k8s.io: no APIService v1beta1.external.metrics.k8s.io; apply it, or remove the group from adapter.groups",
    ]


def test_an_own_apiservice_that_skips_verification_is_verified_from_now_on(api: ApiServer) -> None:
    api.put(APISERVICES + OWN, apiservice(OWN, insecureSkipTLSVerify=True))
    in_force(replica(api, Clock()))
    assert "insecureSkipTLSVerify" not in api.objects[APISERVICES + OWN]["spec"]
    assert ca_bundle(api) == data(api, AUTHORITY)["ca.crt"]


def test_files_of_the_user_are_served_and_followed(api: ApiServer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    certificate, key = self_signed(tmp_path)
    keeper = replica(api, Clock(time.time() + 1), files=ServingFiles(str(certificate), str(key)))
    first = in_force(keeper)
    assert first.serving.certificate == certificate.read_text()
    assert ca_bundle(api) == ""
    assert polls(first, data(api, AGENTS)) == ""
    good = key.read_text()
    key.write_text("damaged")
    assert in_force(keeper).serving == first.serving
    assert f"adapter.tls: {certificate}, {key}: the key is not in PEM, or it is encrypted" in caplog.text
    self_signed(tmp_path)
    assert key.read_text() != good
    assert in_force(keeper).serving.certificate == certificate.read_text() != first.serving.certificate


def test_files_without_agents_need_no_secret(api: ApiServer, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    api.refused = ("/",)
    files, names = ServingFiles(str(certificate), str(key)), Names("", "telegen-adapter", "")
    found = in_force(replica(api, Clock(time.time() + 1), files=files, names=names))
    assert found.serving.certificate == certificate.read_text()


def test_absent_files_of_the_user_are_named(api: ApiServer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    keeper = replica(api, Clock(), files=ServingFiles(str(tmp_path / "tls.crt"), str(tmp_path / "tls.key")))
    assert keeper.run_pass() is None
    assert "tls.key: No such file or directory; mount a Secret of type kubernetes.io/tls" in caplog.text


def test_keys_are_part_of_no_representation(api: ApiServer) -> None:
    keeper = replica(api, Clock())
    found = in_force(keeper)
    shown = f"{found!r} {found} {keeper.state!r}"
    assert "PRIVATE" not in shown and found.serving.key.split("\n")[1] not in shown


def test_a_keeper_goes_on_from_the_state_of_another(api: ApiServer, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Certificates, the last good files of the user, and what was logged outlive the process of a pass."""
    certificate, key = self_signed(tmp_path)
    files, clock = ServingFiles(str(certificate), str(key)), Clock(time.time() + 1)
    keeper = replica(api, clock, files=files)
    first = in_force(keeper)
    key.write_text("damaged")
    in_force(keeper)
    before = caplog.text
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(keeper.state), type=State)
    assert state == keeper.state
    assert in_force(replica(api, clock, files=files, state=state)) == first
    assert caplog.text == before
