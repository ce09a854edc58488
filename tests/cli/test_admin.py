"""``dawr admin …``: facilities and accounts from the command line."""

import asyncio
import json
from pathlib import Path

import pytest

from dawr.accounts.commands import Attempt, sign_in
from dawr.accounts.rules import SessionKind, WrongCredentials
from dawr.app import build_services
from dawr.platform.config import Settings
from dawr.platform.crypto import Keyring
from tests.cli.conftest import Dawr

PASSWORD = "a long enough passphrase"
CLINIC = ("admin", "facility", "create", "--slug", "clinic", "--name", "Our clinic", "--zone", "Asia/Qatar")
ADA = ("admin", "create", "--email", "ada@clinic.example", "--name", "Ada", "--facility", "clinic")


def can_sign_in(dawr: Dawr, password: str, email: str = "ada@clinic.example") -> bool:
    settings = Settings.model_validate(
        {"database_url": dawr.environment["DATABASE_URL"], "data_dir": dawr.environment["DAWR_DATA_DIR"]}
    )

    async def attempt() -> bool:
        services = build_services(settings)
        await services.db.open()
        try:
            await sign_in(
                services, Attempt(email=email, password=password, address="192.0.2.1", kind=SessionKind.TOKEN)
            )
        except WrongCredentials:
            return False
        finally:
            await services.db.close()
        return True

    return asyncio.run(attempt())


def test_a_facility_and_its_administrator_are_made(dawr: Dawr) -> None:
    founded = dawr(*CLINIC, "--pivot", "05:00", "--language", "ar", "--language", "en")
    assert (founded.code, founded.errors) == (0, "")
    assert "/f/clinic/" in founded.output
    assert dawr("admin", "facility", "list").output == "clinic\n"
    made = dawr(*ADA, "--password-stdin", stdin=PASSWORD + "\n")
    assert made.output == "ada@clinic.example can sign in as administrator of clinic.\n"
    assert can_sign_in(dawr, PASSWORD)


def test_an_operator_needs_no_facility(dawr: Dawr) -> None:
    operator = ("admin", "create", "--email", "omar@host.example", "--name", "Omar", "--role", "operator")
    assert dawr(*operator, "--password-stdin", stdin=PASSWORD).code == 0
    assert can_sign_in(dawr, PASSWORD, "omar@host.example")


def test_every_other_role_needs_one(dawr: Dawr) -> None:
    answer = dawr(*ADA[:-2], "--password-stdin", stdin=PASSWORD)
    assert answer.code == 2
    assert "needs --facility" in answer.errors


@pytest.mark.parametrize(
    ("arguments", "password", "sentence"),
    [
        (ADA, "short", "password"),
        ((*ADA[:-1], "nowhere"), PASSWORD, "no such facility"),
        ((*ADA[:3], "not an address", *ADA[4:]), PASSWORD, "e-mail"),
        ((*ADA, "--role", "doctor", "--clinic", "moon"), PASSWORD, "no such clinic"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(
    dawr: Dawr, arguments: tuple[str, ...], password: str, sentence: str
) -> None:
    dawr(*CLINIC)
    answer = dawr(*arguments, "--password-stdin", stdin=password)
    assert (answer.code, answer.output) == (1, "")
    assert sentence in answer.errors
    assert answer.errors.startswith("dawr: ")
    assert answer.errors.count("\n") == 1


def test_an_address_has_one_account(dawr: Dawr) -> None:
    dawr(*CLINIC)
    dawr(*ADA, "--password-stdin", stdin=PASSWORD)
    assert "already a user" in dawr(*ADA, "--password-stdin", stdin="another long passphrase").errors
    assert can_sign_in(dawr, PASSWORD)


def test_a_lost_password_is_replaced(dawr: Dawr) -> None:
    dawr(*CLINIC)
    dawr(*ADA, "--password-stdin", stdin=PASSWORD)
    email = ("--email", "ada@clinic.example")
    assert dawr("admin", "password", *email, "--password-stdin", stdin="quite another passphrase").code == 0
    assert can_sign_in(dawr, "quite another passphrase")
    assert not can_sign_in(dawr, PASSWORD)


def test_an_account_is_locked_and_unlocked(dawr: Dawr) -> None:
    dawr(*CLINIC)
    dawr(*ADA, "--password-stdin", stdin=PASSWORD)
    assert dawr("admin", "disable", "--email", "ada@clinic.example").code == 0
    assert not can_sign_in(dawr, PASSWORD)
    assert dawr("admin", "enable", "--email", "ada@clinic.example").code == 0
    assert can_sign_in(dawr, PASSWORD)


def test_a_time_that_is_none_is_told(dawr: Dawr) -> None:
    answer = dawr(*CLINIC, "--pivot", "five")
    assert answer.code == 2
    assert "--pivot" in answer.errors


def test_the_demonstration_is_made_once(dawr: Dawr) -> None:
    first = dawr("demo", DAWR_DEMO_PASSWORD="demonstration")
    assert "mmc, city" in first.output
    assert "demonstration" not in first.output.replace("Demonstration", "")
    assert can_sign_in(dawr, "demonstration", "admin@mmc.demo")
    assert dawr("demo").output == ""


def test_migrating_says_what_it_did(dawr: Dawr) -> None:
    assert dawr("migrate").output == "Nothing to do.\n"


def test_the_description_of_the_api_needs_no_installation(dawr: Dawr, tmp_path: Path) -> None:
    answer = dawr("openapi", DATABASE_URL="")
    assert "/api/v1/queue/enter" in json.loads(answer.output)["paths"]
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_setting_is_mentioned_and_nothing_more(dawr: Dawr) -> None:
    answer = dawr("migrate", DAWR_PROT="1")
    assert (answer.code, answer.errors) == (0, "dawr: DAWR_PROT: there is no such setting; did you mean DAWR_PORT?\n")


def test_it_tells_its_version(dawr: Dawr) -> None:
    assert dawr("--version").output.startswith("dawr 0.")


def test_keys_are_rotated_in_their_file(dawr: Dawr) -> None:
    file = Path(dawr.environment["DAWR_DATA_DIR"]) / "keys.json"
    assert dawr("admin", "keys", "list").output.startswith("1  2")
    before = Keyring.from_json(file.read_text())
    sealed = before.seal("Amina", facility="clinic", where="ticket.name.1")
    assert dawr("admin", "keys", "rotate").code == 0
    after = Keyring.from_json(file.read_text())
    assert (after.key_ids, after.primary_id) == ((1, 2), 2)
    assert after.open(sealed, facility="clinic", where="ticket.name.1") == "Amina"
    assert file.stat().st_mode & 0o777 == 0o600


def test_keys_of_a_setting_are_handed_out_in_two_steps(dawr: Dawr) -> None:
    setting = Keyring.generate().to_setting()
    added = dawr("admin", "keys", "add", DAWR_KEYS=setting).output.strip().removeprefix("DAWR_KEYS=")
    assert (Keyring.from_setting(added).key_ids, Keyring.from_setting(added).primary_id) == ((1, 2), 1)
    promoted = dawr("admin", "keys", "promote", "2", DAWR_KEYS=added).output.strip().removeprefix("DAWR_KEYS=")
    assert Keyring.from_setting(promoted).primary_id == 2
    assert dawr("admin", "keys", "promote", "9", DAWR_KEYS=added).errors.startswith("dawr: key 9")
