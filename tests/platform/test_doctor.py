import datetime
from pathlib import Path

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dawr.platform.config import Settings
from dawr.platform.crypto import Keyring
from dawr.platform.doctor import Finding, Level, examine
from dawr.platform.migrate import migrate
from tests.platform import servers


def found(data: Path, **settings: object) -> dict[str, Finding]:
    """The worst finding about each thing."""
    worst: dict[str, Finding] = {}
    for finding in examine(Settings.model_validate({"data_dir": data} | settings)):
        known = worst.get(finding.about)
        if known is None or list(Level).index(finding.level) > list(Level).index(known.level):
            worst[finding.about] = finding
    return worst


def levels(findings: dict[str, Finding]) -> dict[str, Level]:
    return {about: finding.level for about, finding in findings.items() if finding.level is not Level.OK}


@pytest.fixture
def url(server_url: str) -> str:
    """A migrated database on which a worker has just run."""
    empty = servers.database(server_url, "examined")
    migrate(empty)
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("INSERT INTO job_tick VALUES ('heartbeat', now(), 0, 'done')")
    return empty


# Tests run without waiting for the disk, which the doctor rightly dislikes.
UNSAFE = {"database": Level.WARN}


def test_a_sound_installation_has_nothing_to_do(tmp_path: Path, url: str) -> None:
    assert levels(found(tmp_path, database_url=url)) == UNSAFE


def test_every_complaint_says_what_to_do(tmp_path: Path) -> None:
    findings = found(tmp_path / "a" / "b", host="0.0.0.0", demo=True, rate_limits=False)
    assert set(levels(findings)) == {"public address", "rate limits", "demonstration", "database"}
    assert all(finding.advice for finding in findings.values() if finding.level is not Level.OK)


def test_keys_that_others_can_read(tmp_path: Path) -> None:
    Keyring.load_or_create(tmp_path / "keys.json")
    assert found(tmp_path)["keys"].level is Level.OK
    (tmp_path / "keys.json").chmod(0o640)
    assert found(tmp_path)["keys"].advice == f"chmod 600 {tmp_path / 'keys.json'}"


def test_keys_that_are_broken(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{}")
    assert found(tmp_path)["keys"].level is Level.FAIL
    assert found(tmp_path, keys="not base64!")["keys"].level is Level.FAIL


def test_a_data_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    assert found(tmp_path / "data")["data folder"].level is Level.FAIL


def pair(folder: Path, *, days: int) -> dict[str, str]:
    """A certificate that is good for so many days, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "queue.example.org")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=99))
        .not_valid_after(now + datetime.timedelta(days=days, hours=1))
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / f"{days}.pem", folder / f"{days}.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, none))
    secret.chmod(0o600)
    return {"tls_certificate": str(certificate), "tls_key": str(secret)}


@pytest.mark.parametrize(("days", "level"), [(90, Level.OK), (5, Level.WARN), (-2, Level.FAIL)])
def test_a_certificate_s_age(tmp_path: Path, days: int, level: Level) -> None:
    assert found(tmp_path, **pair(tmp_path, days=days))["tls"].level is level


def test_a_key_of_another_certificate(tmp_path: Path) -> None:
    mixed = pair(tmp_path, days=90) | {"tls_key": pair(tmp_path, days=91)["tls_key"]}
    assert found(tmp_path, **mixed)["tls"].text == "the key is not the certificate's"


def test_a_private_key_that_everybody_can_read(tmp_path: Path) -> None:
    given = pair(tmp_path, days=90)
    Path(given["tls_key"]).chmod(0o644)
    assert found(tmp_path, **given)["tls"].level is Level.WARN


def test_a_network_without_encryption(tmp_path: Path) -> None:
    public = found(tmp_path, host="0.0.0.0", public_url="http://queue.example.org")["public address"]
    assert (public.level, "HTTPS" in public.advice) == (Level.WARN, True)
    secure = found(tmp_path, host="0.0.0.0", public_url="https://queue.example.org")["public address"]
    assert secure.level is Level.OK


def test_a_database_out_of_reach(tmp_path: Path) -> None:
    assert found(tmp_path, database_url="postgresql://dawr@127.0.0.1:1/dawr")["database"].level is Level.FAIL


def test_migrations_that_are_missing(tmp_path: Path, server_url: str) -> None:
    migrations = found(tmp_path, database_url=servers.database(server_url, "not_migrated"))["migrations"]
    assert (migrations.level, migrations.advice) == (Level.FAIL, "Run `dawr migrate`.")


@pytest.mark.parametrize(
    ("statement", "about", "level"),
    [
        ("ALTER TABLE counter NO FORCE ROW LEVEL SECURITY", "row security", Level.FAIL),
        ("ALTER TABLE counter DISABLE ROW LEVEL SECURITY", "row security", Level.FAIL),
        ("UPDATE job_tick SET ended_at = now() - interval '5 minutes'", "background work", Level.WARN),
        ("TRUNCATE job_tick", "background work", Level.WARN),
        (
            "INSERT INTO outbox (facility_id, topic, key, payload, wanted_at, due, dead_at)"
            " VALUES (gen_random_uuid(), 'sms', 'a', '{}', now(), now(), now())",
            "background work",
            Level.WARN,
        ),
        ("UPDATE alembic_version SET version_num = '9999_later'", "migrations", Level.FAIL),
    ],
)
def test_what_became_wrong_in_the_database(tmp_path: Path, url: str, statement: str, about: str, level: Level) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)
    assert levels(found(tmp_path, database_url=url)) == UNSAFE | {about: level}


def test_a_pool_that_the_server_has_no_room_for(tmp_path: Path, url: str) -> None:
    crowded = found(tmp_path, database_url=url, database_pool_size=200)["database"]
    assert crowded.level is Level.WARN
