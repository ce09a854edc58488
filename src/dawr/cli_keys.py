"""``dawr keys``: a whole change of the installation's keys, and the end of one that nothing needs any more."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import psycopg
import typer

from dawr.platform import logging
from dawr.platform.clock import SystemClock
from dawr.platform.config import Settings, read_settings
from dawr.platform.crypto import Keyring, KeyringError
from dawr.platform.keyguard import LIVES_SECONDS
from dawr.platform.migrate import migrate
from dawr.platform.resealing import Resealing, Sealed
from dawr.server import any_database, direct_url, leaving_in_order

# What the keyring seals, all of it. What a patient's own key seals is not here: of that the wrapped key is sealed anew.
PLACES = (
    Sealed("directory.account", "email", ("account_id",), "account.email:{account_id}", of_facility=False),
    Sealed(
        "directory.account", "display_name", ("account_id",), "account.display_name:{account_id}", of_facility=False
    ),
    Sealed("patient_key", "wrapped", ("patient",), "patient_key.wrapped:{patient}"),
    Sealed("patient", "erased_why", ("patient",), "patient.erased_why"),
    Sealed("ticket", "name_sealed", ("id",), "ticket.name:{id}"),
    Sealed("ticket", "phone_sealed", ("id",), "ticket.phone:{id}"),
    Sealed(
        "consultation_note",
        "notes_sealed",
        ("consultation", "version"),
        "consultation_note.notes:{consultation}:{version}",
    ),
    Sealed("consultation_access", "reason_sealed", ("access",), "consultation_access.reason:{access}"),
    Sealed("rating", "word_sealed", ("ticket",), "rating.word:{ticket}"),
    Sealed("channel_settings", "settings_sealed", ("channel",), "channel_settings:{channel}"),
    Sealed("push_subscription", "subscription_sealed", ("subscription",), "push_subscription:{subscription}"),
    Sealed("webhook", "url_sealed", ("webhook",), "webhook.url:{webhook}"),
    Sealed("webhook", "secret_sealed", ("webhook",), "webhook.secret:{webhook}"),
    Sealed("webhook", "earlier_sealed", ("webhook",), "webhook.secret:{webhook}"),
    Sealed("delivery", "to_sealed", ("delivery",), "delivery.to_sealed:{delivery}"),
)
OUTLIVES = timedelta(days=2)
_TOLD_SECONDS = 1.0

app = typer.Typer(help="Changing the installation's keys and everything sealed with them.", no_args_is_help=True)
DataOption = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="The data folder (DAWR_DATA_DIR; var).")]


@app.command("rotate")
def rotate(data: DataOption = None) -> None:
    """Add a key, and seal everything that is stored with it. Where that was cut short, it goes on."""
    settings = _settings(data)
    with _owner(settings) as connection:
        keyring = _keyring(settings)
        work = Resealing(connection, keyring, PLACES)
        work.require_same_keys()
        if not any(work.stale().values()):
            keyring = _with_another_key(settings, keyring)
            work = Resealing(connection, keyring, PLACES)
        _require_known(work, keyring)
        _reseal(work, keyring)
        # Whoever started while this went on may have read the keys before.
        _require_known(work, keyring)


@app.command("retire")
def retire(
    number: int,
    at_once: Annotated[bool, typer.Option("--at-once", help="Do not wait for what it made to run out.")] = False,
    data: DataOption = None,
) -> None:
    """Take away a key with which nothing stored is sealed any more: whoever has a copy of it can open nothing."""
    settings = _settings(data)
    with _owner(settings) as connection:
        keyring = _keyring(settings)
        rest = keyring.retire(number)
        work = Resealing(connection, keyring, PLACES)
        work.require_same_keys()
        _require_unused(work, keyring, number, at_once=at_once)
        forgotten = work.replays(number)
        work.remember()
        work.forget_replays(number)
    if settings.keys:
        _say(f"DAWR_KEYS={rest.to_setting()}")
    else:
        rest.save(settings.keys_file)
        _say(f"Key {number} is gone from {settings.keys_file}. Start the servers again.")
    _say(
        f"{forgotten} requests made with it are refused when they are sent again; posters printed before it ended open nothing."
    )


def require_held(settings: Settings, keyring: Keyring) -> None:
    """``KeyringError`` while a running server or worker does not know the key that would seal."""
    without = _holders_without(settings, keyring)
    if without:
        raise KeyringError(
            f"{without} of the running servers and workers do not know key {keyring.primary_id} yet, and could not open what it "
            "seals. Hand the keys to them and start them again, then run this once more. "
            f"(One that was killed is believed to run for {LIVES_SECONDS} seconds.)"
        )


def require_none_running(settings: Settings, keyring: Keyring) -> None:
    """``KeyringError`` while a server or worker runs: none can know a key that is made and would seal at once."""
    without = _holders_without(settings, keyring)
    if without:
        raise KeyringError(
            f"{without} servers and workers are running, and could not open what a key seals that they have never had. Stop them "
            "and run this once more, or take the two steps beside them: `dawr admin keys add`, then `promote`. "
            f"(One that was killed is believed to run for {LIVES_SECONDS} seconds.)"
        )


def _holders_without(settings: Settings, keyring: Keyring) -> int:
    """How many of the running servers and workers do not know the key that would seal."""
    with _owner(settings) as connection:
        work = Resealing(connection, keyring, PLACES)
        work.require_same_keys()
        return work.holders_without(keyring.primary_id)


def _require_known(work: Resealing, keyring: Keyring) -> None:
    without = work.holders_without(keyring.primary_id)
    if without:
        raise KeyringError(
            f"Key {keyring.primary_id} seals from now on, and {without} of the running servers and workers do not know it yet. "
            "Start them again, then run `dawr keys rotate` once more for what is stored. (One that was killed is believed to "
            f"run for {LIVES_SECONDS} seconds.)"
        )


def _require_unused(work: Resealing, keyring: Keyring, number: int, *, at_once: bool) -> None:
    used = work.used(number)
    if used:
        told = ", ".join(f"{place.name} {count}" for place, count in used.items())
        raise KeyringError(f"Key {number} still seals what is stored ({told}); `dawr keys rotate` seals it anew.")
    holders = work.holders_sealing_with(number) + work.holders_without(keyring.primary_id)
    if holders:
        raise KeyringError(
            f"{holders} of the running servers and workers still go by key {number}. Start them again, then run this once more. "
            f"(One that was killed is believed to run for {LIVES_SECONDS} seconds.)"
        )
    since = SystemClock().now() - keyring.created(keyring.primary_id)
    if since < OUTLIVES and not at_once:
        raise KeyringError(
            f"Key {keyring.primary_id} is younger than {OUTLIVES.days} days: addresses of tickets and sign-ins that key {number} "
            "made may still be in use. Wait, or say --at-once."
        )


def _with_another_key(settings: Settings, keyring: Keyring) -> Keyring:
    if settings.keys:
        raise KeyringError(
            f"Everything is sealed with key {keyring.primary_id}. To change a key in DAWR_KEYS: `dawr admin keys add` and "
            "`promote`, then this again."
        )
    rotated = keyring.rotate()
    rotated.save(settings.keys_file)
    _say(f"Key {rotated.primary_id} is in {settings.keys_file}. Keep a copy apart from the database's backup.")
    return rotated


def _reseal(work: Resealing, keyring: Keyring) -> None:
    told = {"at": 0.0}

    def progress(name: str, done: int, many: int) -> None:
        if done >= many or time.monotonic() - told["at"] > _TOLD_SECONDS:
            told["at"] = time.monotonic()
            _say(f"{name}: {done} of {many}")

    outcome = work.run(progress)
    work.remember()
    _say(f"{outcome.done} values are sealed with key {keyring.primary_id}.")
    if outcome.unreadable:
        raise KeyringError(f"{outcome.unreadable} values open with none of the keys and were left as they are.")


@contextmanager
def _owner(settings: Settings) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """A connection as the owner of the tables."""
    with leaving_in_order(), any_database(settings) as found:
        migrate(direct_url(found))
        with psycopg.connect(direct_url(found), autocommit=True, application_name="dawr keys") as connection:
            yield connection


def _keyring(settings: Settings) -> Keyring:
    if settings.keys:
        return Keyring.from_setting(settings.keys.get_secret_value())
    return Keyring.load_or_create(settings.keys_file)


def _settings(data: Path | None) -> Settings:
    settings, notes = read_settings(given={"data_dir": data})
    logging.configure("warning" if settings.log_level == "info" else settings.log_level, json=settings.log_json)
    for note in notes:
        typer.echo(f"dawr: {note}", err=True)
    return settings


def _say(line: str) -> None:
    typer.echo(line)
