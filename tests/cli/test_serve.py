"""``dawr serve``: it comes up, serves, stops in order and finds everything again."""

import datetime
import os
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dawr.platform.embedded_postgres_home import running_url
from tests.cli.conftest import Dawr, Starter, post, starter
from tests.conftest import PLAIN
from tests.platform import servers

ENTER = "/api/v1/queue/enter"


def test_it_serves_the_demonstration_and_goes_on_after_a_restart(start: Starter) -> None:
    first = start("serve", "--demo", "--port", "0", "--data", "data")
    url = first.url()
    assert any("mmc, city" in line for line in first.said)
    assert any("password, shown this once" in line for line in first.said)
    assert httpx2.get(f"{url}/api/v1/health/ready", verify=PLAIN).json()["status"] == "healthy"
    assert post(url, ENTER, clinic="lab", user="TEST_1").json()["number"] == 1
    assert first.stop(signal.SIGINT)[0] == 0
    assert running_url(start.folder / "data" / "postgres") is None

    second = start("serve", "--demo", "--port", "0", "--data", "data")
    assert post(second.url(), ENTER, clinic="lab", user="TEST_2").json()["number"] == 2
    assert not any("password" in line for line in second.said)


@pytest.fixture(scope="module")
def empty() -> Iterator[tuple[Starter, str]]:
    """One that nothing was made in, in the folder ``data``, and its address."""
    with starter() as made:
        yield made, made("serve", "--port", "0", "--data", "data").url()


def test_an_empty_installation_says_what_to_do_next(empty: tuple[Starter, str]) -> None:
    said = empty[0].started[0].said
    assert any("dawr admin facility create" in line for line in said)
    assert any("dawr admin create" in line for line in said)


def test_it_has_its_folder_to_itself(empty: tuple[Starter, str]) -> None:
    start, _ = empty
    assert start("serve", "--port", "0", "--data", "data").process.wait(60) == 1
    assert "is in use by another program" in start.errors()


def test_two_run_side_by_side(empty: tuple[Starter, str]) -> None:
    start, url = empty
    urls = [url, start("serve", "--port", "0", "--data", "other").url()]
    assert urls[0] != urls[1]
    assert [httpx2.get(f"{url}/api/v1/health/ready", verify=PLAIN).status_code for url in urls] == [200, 200]


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Dawr:
    """The program in this process, told nothing, for what ends before anything is served."""
    monkeypatch.chdir(tmp_path)
    for name in [one for one in os.environ if one.startswith(("DAWR_", "DATABASE_"))]:
        monkeypatch.delenv(name)
    return Dawr({}, monkeypatch)


def test_a_port_that_is_taken_is_told_before_anything_is_made(bare: Dawr, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = bare("serve", "--port", str(port), "--data", "data")
    told = f"dawr: Port {port} on 127.0.0.1 is taken by another program. Choose another one with --port.\n"
    assert (answer.code, answer.errors) == (1, told)
    assert not (tmp_path / "data").exists()


def test_mistakes_in_the_settings_are_told_one_a_line(bare: Dawr) -> None:
    answer = bare("serve", "--data", "data", DAWR_LOG_LEVEL="loud", DAWR_WORKER="maybe", DAWR_PORTS="1")
    assert answer.code == 2
    lines = answer.errors.splitlines()
    assert [line.split(":")[1].strip() for line in lines] == ["DAWR_LOG_LEVEL", "DAWR_WORKER"]


def test_it_uses_the_server_it_is_given(start: Starter, server_url: str) -> None:
    empty = servers.database(server_url, "given_to_serve")
    running = start("serve", "--demo", "--port", "0", "--data", "data", DATABASE_URL=empty)
    assert post(running.url(), ENTER, clinic="lab", user="TEST_1").status_code == 201
    assert not (start.folder / "data" / "postgres").exists()


def test_a_server_out_of_reach_is_a_sentence(bare: Dawr) -> None:
    answer = bare("serve", "--port", "0", "--data", "data", DATABASE_URL="postgresql://dawr@127.0.0.1:1/dawr")
    assert answer.code == 1
    assert answer.errors.startswith("dawr: the database is out of reach")


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate of its own for localhost, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    none = serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, none))
    return paths


def test_it_speaks_tls_without_a_proxy(start: Starter) -> None:
    own, key = certificate(start.folder, "own")
    running = start(
        "serve", "--host", "localhost", "--port", "0", "--data", "data",
        DAWR_TLS_CERTIFICATE=str(own), DAWR_TLS_KEY=str(key),
    )  # fmt: skip
    url = running.url()
    assert url.startswith("https://localhost:")
    trusting = ssl.create_default_context(cafile=str(own))
    assert httpx2.get(f"{url}/api/v1/health/live", verify=trusting).status_code == 200


def test_a_key_of_another_certificate_is_a_sentence(bare: Dawr, tmp_path: Path) -> None:
    own, _ = certificate(tmp_path, "own")
    _, other = certificate(tmp_path, "other")
    answer = bare("serve", "--port", "0", DAWR_TLS_CERTIFICATE=str(own), DAWR_TLS_KEY=str(other))
    assert answer.code == 1
    assert "do not make a pair" in answer.errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_can_be_stopped_while_it_starts(start: Starter, number: signal.Signals) -> None:
    running = start("serve", "--port", "0", "--data", "data")
    log = start.folder / "data" / "postgres" / "postgresql.log"
    while not log.exists():
        assert running.process.poll() is None
        time.sleep(0.01)
    code, seconds = running.stop(number)
    assert code in (0, 130, 143, -signal.SIGTERM)
    assert seconds < 8
    assert running_url(start.folder / "data" / "postgres") is None
