"""Usage as the adapter polls it."""

from __future__ import annotations

import shutil
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from telegen.adapter.agents import documents
from telegen.adapter.agents.connection import Identity
from telegen.adapter.agents.endpoints import Endpoint
from telegen.adapter.agents.families import FamiliesReader
from telegen.demo.server import SimulatedServer
from tests.adapter.polling.wire import Polling
from tests.cadvisor.page import write
from tests.e2e.conftest import small_cluster
from tests.e2e.polled_agent import SERVER, Site, install, make_certificates, started
from tests.harness import get, replace_file
from tests.process_tree import wait_for


@pytest.fixture(scope="module")
def server_of() -> Iterator[SimulatedServer]:
    """The API server of `site`."""
    server = small_cluster()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, server_of: SimulatedServer) -> Iterator[Site]:
    """An agent with certificates."""
    root = tmp_path_factory.mktemp("node")
    make_certificates(root)
    with started(root, server_of) as site:
        yield site


def shown(site: Site) -> bool:
    """Return True if the pod has usage."""
    return site.usage()["pods"] not in ([], [None])


def test_document(site: Site) -> None:
    """The pod has its labels, its containers in order, and the rates of its control files; an idle container has a rate of 0."""
    wait_for("the pod", lambda: shown(site), 20)
    document = site.usage()
    [one] = document["objects"]
    metadata = site.pod["metadata"]
    identity = {key: metadata[key] for key in ("namespace", "name", "uid", "labels")}
    assert one == {**identity, "containers": ["app", "proxy"]}
    assert (document["version"], document["node"], document["shards"]) == (1, "node-1", [0])
    [[moment, window, containers, whole]] = document["pods"]
    assert 0 <= document["sent"] - moment < 30 and 0.5 < window < 30
    assert [len(values) for values in containers] == [len(document["container_metrics"])] * 2
    assert [values[:3] for values in containers] == [[0, 1000, None]] * 2
    assert len(whole) == len(document["pod_metrics"])


def test_agent_without_containers(tmp_path: Path, server_of: SimulatedServer) -> None:
    """An agent that serves kube_* alone, as of overlays/cluster, has no pods, and the families of its shard."""
    make_certificates(tmp_path)
    with started(tmp_path, server_of, containers=False) as site:
        wait_for("the shard", lambda: site.usage()["shards"] == [0], 20)
        document = site.usage()
        assert (document["node"], document["objects"], document["pods"], document["node_usage"]) == ("node-1", [], [], None)
        assert b"kube_namespace_created{" in site.get("/adapter/v1/families?names=kube_namespace_created").body


def test_what_a_client_has_is_not_sent_again(site: Site) -> None:
    """The tag of the newest document gets 304, the generation a document without objects; the next pass has another tag."""
    site.usage()

    def unchanged() -> bool:
        # A pass may end between the two requests.
        reply = site.get("/adapter/v1/usage")
        again = site.get("/adapter/v1/usage", headers={"If-None-Match": reply.etag})
        return (again.status, again.body) == (304, b"")

    wait_for("304", unchanged, 10)
    first = site.get("/adapter/v1/usage")
    known = site.get(f"/adapter/v1/usage?generation={first.document['generation']}").document
    assert "objects" not in known and known["generation"] == first.document["generation"] and "pods" in known
    wait_for("another tag", lambda: site.get("/adapter/v1/usage", headers={"If-None-Match": first.etag}).status == 200, 10)


def test_only_the_adapter_may_connect(site: Site) -> None:
    """A client without a certificate, with another name, or of another CA is refused; so is plain HTTP."""
    assert site.status("client") == 200
    assert [site.status(client) for client in ("", "other", "server", "foreign")] == [0, 0, 0, 0]
    assert get(f"http://127.0.0.1:{site.port}/adapter/v1/usage").status == 400


def test_paths_of_the_two_addresses(site: Site) -> None:
    """The adapter's address has two paths, and the other address none of them."""
    others = ("/", "/metrics", "/healthz", "/readyz", "/telemetry", "/status.json", "/adapter/v1", "/adapter/v1/usage/")
    assert [site.get(path).status for path in others] == [404] * len(others)
    for path in ("/adapter/v1/usage", "/adapter/v1/families?names=kube_namespace_created"):
        assert get(f"{site.agent.url}{path}").status == 404


def test_families(site: Site) -> None:
    """Families are those of the shard, by their exact names; containers have none here; malformed names get 400."""
    wait_for("the shard", lambda: site.usage()["shards"] == [0], 20)
    names = "kube_deployment_spec_replicas,kube_namespace_created"
    text = site.get(f"/adapter/v1/families?names={names}").body.decode()
    assert {line.partition("{")[0] for line in text.splitlines() if not line.startswith("#")} == set(names.split(","))
    page = site.agent.page()
    assert set(text.splitlines()) < set(page.splitlines()) and "container_memory_usage_bytes" in page
    for other in ("kube_deployment_spec", "container_memory_usage_bytes"):
        assert site.get(f"/adapter/v1/families?names={other}").body == b""
    assert [site.get(f"/adapter/v1/families{query}").status for query in ("", "?names=", "?names=kube_*", "?names=a%0Ab")] == [400] * 4


def test_the_adapter_reads_both(site: Site) -> None:
    """The adapter's own code takes the document, and the families from the holder of the shard."""
    wait_for("the pod", lambda: shown(site), 20)
    document = documents.decode(site.get("/adapter/v1/usage").body)
    stored = documents.stored_usage(document, documents.describe(document, "address").containers)
    assert documents.read_row(stored, 0) and documents.read_shards(stored) == [0]
    identity = Identity(1, site.context("client"), SERVER)
    answer = FamiliesReader(lambda: identity, lambda: {0: f"127.0.0.1:{site.port}"}, 1, 60.0).read(["kube_namespace_created"])
    assert answer.problem == "" and len(answer.samples["kube_namespace_created"]) == 7


def test_the_poller_reads_it(site: Site) -> None:
    """The adapter's poller takes new documents over one connection, and objects once."""
    wait_for("the pod", lambda: shown(site), 20)
    polling = Polling(Identity(1, site.context("client"), SERVER))
    endpoint = Endpoint("127.0.0.1", site.port, "node-1", True)
    try:
        polling.poller.set_endpoints({endpoint.address: endpoint})
        polling.until("new and old documents", lambda: {"ok", "unchanged"} <= set(polling.noted.results[1:]), 20)
        (pod,) = polling.usage.pods("")
    finally:
        polling.close()
    assert not polling.noted.failures and polling.noted.results[0] == "ok"
    assert (pod.name, pod.node) == (site.pod["metadata"]["name"], "node-1") and pod.containers["app"]["memory"] == 1000
    assert polling.store.holders() == {0: endpoint.address}


def test_pod_that_changes(site: Site, server_of: SimulatedServer) -> None:
    """A label changes the generation; a pod that the API does not have is not shown."""
    wait_for("the pod", lambda: shown(site), 20)
    before, metadata = site.usage()["generation"], site.pod["metadata"]
    server_of.state.put("pods", {**site.pod, "metadata": {**metadata, "labels": {"fresh": "yes"}}})
    wait_for("the label", lambda: site.usage()["objects"][0]["labels"] == {"fresh": "yes"}, 10)
    assert site.usage()["generation"] != before
    server_of.state.delete("pods", metadata["namespace"], metadata["name"])
    wait_for("its end", lambda: site.usage()["objects"] == [], 10)
    server_of.state.put("pods", site.pod)
    wait_for("the pod", lambda: shown(site), 20)


def test_restarted_container(site: Site) -> None:
    """The pod is left out, never smaller, from the end of a container's cgroup until the new one has a rate."""
    wait_for("the pod", lambda: shown(site), 20)
    shutil.rmtree(site.folders[1])
    wait_for("its absence", lambda: not shown(site), 10)
    write(site.folders[1], cpu_stat="usage_usec 0\n", memory_stat="inactive_file 100\n", memory_current="1100\n")
    seen = []
    wait_for("the pod", lambda: shown(site) or bool(seen.append(site.usage()["pods"])), 20)
    assert all(rows in ([None], site.usage()["pods"]) or len(rows[0][2]) == 2 for rows in seen)


def test_killed_sampler(site: Site) -> None:
    """The last document goes on being served, with its own time; then the successor's comes."""
    wait_for("the pod", lambda: shown(site), 20)
    [sampler] = site.agent.named("telegen-sample")
    sampler.kill()
    last = site.get("/adapter/v1/usage").document["pods"]
    assert last != [None]
    wait_for("a new document", lambda: shown(site) and site.usage()["pods"] != last, 20)
    assert [process.pid for process in site.agent.named("telegen-sample")] != [sampler.pid]


def test_rotation_of_the_ca(site: Site) -> None:
    """While both CAs are in the file, clients of both may connect; then those of the new one alone. No process is replaced."""
    before = {process.pid for process in site.agent.tree.processes()}
    tls, old = site.root / "tls" / "ca.crt", (site.root / "ca.crt").read_text()
    replace_file(tls, old + (site.root / "foreign.crt").read_text())
    wait_for("the new CA", lambda: site.status("foreign") == 200, 10)
    assert site.status("client") == 200
    replace_file(tls, (site.root / "foreign.crt").read_text())
    wait_for("the end of the old CA", lambda: site.status("client") == 0, 10)
    assert site.status("foreign") == 200
    replace_file(tls, "no certificate")
    wait_for("the line", lambda: "adapter.agent_tls_dir: " in site.agent.log.read_text(), 10)
    assert site.status("foreign") == 200
    install(site.root)
    wait_for("the old CA", lambda: site.status("client") == 200, 10)
    assert {process.pid for process in site.agent.tree.processes()} == before


def test_certificates_that_come_late(server: SimulatedServer, tmp_path: Path) -> None:
    """Without files the agent works, refuses the adapter's connections and has one line about it; it follows the files, and a reload
    that turns the part off and on."""
    with started(tmp_path, server) as late:
        late.agent.wait_page("the page", lambda page: "kube_namespace_created{" in page, 20)
        lines = [line for line in late.agent.log.read_text().splitlines() if "adapter.agent_tls_dir" in line]
        assert len(lines) == 1 and f"{tmp_path}/tls/tls.crt" in lines[0] and "refuses all connections" in lines[0]
        with socket.create_connection(("127.0.0.1", late.port), 10) as sock, pytest.raises(OSError):
            unverified().wrap_socket(sock)
        make_certificates(tmp_path)
        wait_for("the pod", lambda: shown(late), 20)
        text = late.agent.config.read_text()
        replace_file(late.agent.config, text.replace("adapter:", "# adapter:"))
        wait_for("the end of the address", lambda: not listens(late.port), 10)
        assert get(f"{late.agent.url}/metrics").status == 200
        replace_file(late.agent.config, text)
        wait_for("the pod", lambda: late.status("client") == 200 and shown(late), 20)


def unverified() -> ssl.SSLContext:
    """A client's context that trusts every server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def listens(port: int) -> bool:
    """Return True if connections to a port are accepted."""
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True
