"""The supervisor's reading of the web configuration file."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import msgspec
import pytest

from telegen.config import Config, ConfigError, ConfigSource
from telegen.config.model import Web
from telegen.config.web_file import WebFile
from telegen.kubemetrics.telemetry import Telemetry
from telegen.shm.shared_document import SharedDocument
from telegen.supervisor.configuration import load_checked
from telegen.supervisor.web_files import MAX_BYTES, WebFiles, load_web_file
from tests.certificates import self_signed

HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SharedDocument:
    """Bytes that web processes would read."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return SharedDocument("web-file", 1 << 20)


def published(shared: SharedDocument) -> WebFile:
    """The content that web processes find."""
    return msgspec.msgpack.decode(shared.read()[1], type=WebFile)


def test_file_that_is_empty_for_a_moment(tmp_path: Path, shared: SharedDocument, caplog: pytest.LogCaptureFixture) -> None:
    """A file that is truncated before it is written does not turn authentication off; one that was empty at the start may stay so."""
    path = tmp_path / "web.yml"
    web, text = Web(web_config_file=str(path)), f"basic_auth_users: {{a: {HASH}}}"
    path.write_text("")
    files = WebFiles(shared, Telemetry("supervisor"))
    files.adopt(web, *load_web_file(web))
    assert files.load(web)[0] == WebFile()
    path.write_text(text)
    files.follow()
    path.write_text("\n")
    files.follow()
    with pytest.raises(ConfigError, match="web.yml: the file is empty; write {} into it"):
        files.load(web)
    assert published(shared).users == {"a": HASH} and "the file is empty" in caplog.text
    path.write_text("{}")
    files.follow()
    assert published(shared) == WebFile()


def test_rotation_of_a_certificate(tmp_path: Path, shared: SharedDocument, caplog: pytest.LogCaptureFixture) -> None:
    """A new certificate without its key is one line in the log and changes nothing; with its key both are handed over."""
    certificate, key = self_signed(tmp_path)
    (tmp_path / "web.yml").write_text("tls_server_config: {cert_file: server.crt, key_file: server.key}")
    files = WebFiles(shared, Telemetry("supervisor"))
    web = Web(web_config_file=str(tmp_path / "web.yml"))
    files.adopt(web, *load_web_file(web))
    first = published(shared)
    assert first.certificate == certificate.read_text()
    files.follow()
    assert shared.number == 1
    fresh = self_signed(tmp_path, "fresh")
    replace(fresh[0], certificate)
    files.follow()
    files.follow()
    assert [record.getMessage() for record in caplog.records] == [
        f"reload of the web configuration failed: {tmp_path}/web.yml: tls_server_config.cert and key: "
        "the key does not belong to the certificate; the old one stays in force"
    ]
    assert published(shared) == first
    replace(fresh[1], key)
    files.follow()
    assert (shared.number, published(shared).certificate) == (2, certificate.read_text())


def replace(source: Path, target: Path) -> None:
    """Replace a file as certificate managers do."""
    copy = shutil.copy(source, f"{target}.new")
    os.replace(copy, target)


def test_change_of_users_and_a_missing_file(tmp_path: Path, shared: SharedDocument) -> None:
    """A changed file is handed over; while it is missing, as in the middle of a replacement, the old content stays."""
    path = tmp_path / "web.yml"
    path.write_text("")
    files = WebFiles(shared, Telemetry("supervisor"))
    files.adopt(Web(web_config_file=str(path)), *load_web_file(Web(web_config_file=str(path))))
    assert published(shared) == WebFile()
    path.write_text(f"basic_auth_users: {{ann: {HASH}}}")
    files.follow()
    assert published(shared).users == {"ann": HASH}
    path.unlink()
    files.follow()
    assert published(shared).users == {"ann": HASH}


def test_files_that_appear_later(tmp_path: Path, shared: SharedDocument, caplog: pytest.LogCaptureFixture) -> None:
    """A file that is named before it exists is one line in the log, and is followed from the moment it is complete."""
    path = tmp_path / "web.yml"
    path.write_text("")
    web = Web(web_config_file=str(path))
    files = WebFiles(shared, Telemetry("supervisor"))
    files.adopt(web, *load_web_file(web))
    path.write_text("tls_server_config: {cert_file: new.crt, key_file: new.key}")
    for _ in range(3):
        files.follow()
    assert len(caplog.records) == 2 and published(shared) == WebFile()
    certificate, _ = self_signed(tmp_path, "new")
    files.follow()
    assert published(shared).certificate == certificate.read_text()


def test_file_that_changes_while_it_is_read(tmp_path: Path, shared: SharedDocument) -> None:
    """A file that is replaced between its reading and the first look at it is read again."""
    path = tmp_path / "web.yml"
    path.write_text("")
    web = Web(web_config_file=str(path))
    loaded = load_web_file(web)
    path.write_text(f"basic_auth_users: {{ann: {HASH}}}")
    files = WebFiles(shared, Telemetry("supervisor"))
    files.adopt(web, *loaded)
    files.follow()
    assert published(shared).users == {"ann": HASH}


def test_renamed_files_of_equal_content(tmp_path: Path, shared: SharedDocument) -> None:
    """A file that names a copy of its certificate leads to the copy's changes."""
    for name in ("old", "new"):
        self_signed(tmp_path, name)
    for kind in ("crt", "key"):
        shutil.copy(tmp_path / f"old.{kind}", tmp_path / f"copy.{kind}")
    path = tmp_path / "web.yml"
    path.write_text("tls_server_config: {cert_file: old.crt, key_file: old.key}")
    web = Web(web_config_file=str(path))
    files = WebFiles(shared, Telemetry("supervisor"))
    files.adopt(web, *load_web_file(web))
    path.write_text("tls_server_config: {cert_file: copy.crt, key_file: copy.key}")
    files.follow()
    for kind in ("crt", "key"):
        replace(tmp_path / f"new.{kind}", tmp_path / f"copy.{kind}")
    files.follow()
    assert published(shared).certificate == (tmp_path / "new.crt").read_text()


def test_content_that_is_too_large(tmp_path: Path, shared: SharedDocument, caplog: pytest.LogCaptureFixture) -> None:
    """Content beyond the shared memory is one line in the log, and ends nothing."""
    path = tmp_path / "web.yml"
    path.write_text("")
    web = Web(web_config_file=str(path))
    files = WebFiles(shared, Telemetry("supervisor"))
    files.adopt(web, *load_web_file(web))
    path.write_text(f"tls_server_config: {{cert: &text '{'x' * (MAX_BYTES // 3)}', key: *text, client_ca: *text,"
                    " client_auth_type: RequireAndVerifyClientCert}")  # fmt: skip
    files.follow()
    assert [record.getMessage() for record in caplog.records] == [
        f"reload of the web configuration failed: {path}: more than 2 MiB together with the files that it names; the old one stays in force"
    ]


def test_errors_of_a_start(tmp_path: Path) -> None:
    """`telegen check-config` and the start refuse a broken file with one line that names setting, file, line and cause."""
    path = tmp_path / "web.yml"

    def refuse(text: str, **environ: str) -> str:
        path.write_text(text)
        with pytest.raises(ConfigError) as raised:
            load_checked(ConfigSource(None, {"TELEGEN_WEB__WEB_CONFIG_FILE": str(path), **environ}))
        return str(raised.value)

    origin = "(set by TELEGEN_WEB__WEB_CONFIG_FILE)"
    assert refuse("x: 1") == f"web.web_config_file: {path}:1: x: unknown key {origin}"
    invalid = "tls_server_config: {cert: x, key: y}"
    message = "tls_server_config.cert and key: it is not a certificate and a key in PEM, or the file is incomplete"
    assert refuse(invalid) == f"web.web_config_file: {path}: {message} {origin}"
    users = f"basic_auth_users: {{ann: {HASH}}}"
    message = "basic_auth_users: cannot be used with web.auth: kubernetes; remove one of them"
    assert refuse(users, TELEGEN_WEB__AUTH="kubernetes") == f"web.web_config_file: {path}: {message} {origin}"
    path.unlink()
    with pytest.raises(ConfigError, match="No such file or directory"):
        load_checked(ConfigSource(None, {"TELEGEN_WEB__WEB_CONFIG_FILE": str(path)}))
    assert load_checked(ConfigSource(None, {})) == Config()
