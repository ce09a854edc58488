"""The command line: ``dawr --help``. What goes wrong is told in a sentence; 1 is a failure, 2 a mistake in what was asked."""

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import time
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import psycopg
import typer

from dawr import cli_exchange, cli_keys
from dawr.accounts import commands as accounts
from dawr.accounts.rules import SYSTEM, Role
from dawr.app import build_services, create_app
from dawr.facilities import queries as facilities
from dawr.facilities.commands import create_facility
from dawr.facilities.rules import Facility, FacilityNotFound
from dawr.facilities.rules_settings import FacilitySettings
from dawr.platform import doctor as examination
from dawr.platform import logging
from dawr.platform.config import Settings, SettingsError, read_settings
from dawr.platform.crypto import Keyring, KeyringError
from dawr.platform.embedded_postgres_home import EmbeddedPostgresError, running_url
from dawr.platform.errors import Problem, Unavailable
from dawr.platform.health import VERSION
from dawr.platform.http.openapi import schema_of
from dawr.platform.ids import new_id
from dawr.platform.keyguard import holding_keys
from dawr.platform.migrate import MigrationError, freeze, migrate
from dawr.platform.services import Services
from dawr.realtime.mount import announcing
from dawr.server import CannotServe, any_database, direct_url, furnish_demo, leaving_in_order, serve
from dawr.worker import run_worker

T = TypeVar("T")
DataOption = Annotated[Path | None, typer.Option("--data", metavar="DIR", help="The data folder (DAWR_DATA_DIR; var).")]
EmailOption = Annotated[str, typer.Option("--email", help="The address they sign in with.")]
StdinOption = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]

app = typer.Typer(
    help="Dawr gets people through a hospital or clinic.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
admin = typer.Typer(help="Accounts and facilities, for whoever runs the installation.", no_args_is_help=True)
facility = typer.Typer(help="Facilities.", no_args_is_help=True)
keys = typer.Typer(help="The installation's keys. Servers read them when they start.", no_args_is_help=True)
app.add_typer(admin, name="admin")
app.add_typer(cli_keys.app, name="keys")
app.command("import")(cli_exchange.import_command)
app.command("export")(cli_exchange.export_command)
admin.add_typer(facility, name="facility")
admin.add_typer(keys, name="keys")

_SENTENCES = (CannotServe, EmbeddedPostgresError, MigrationError, KeyringError)


def main() -> None:
    """Where the installed program begins."""
    try:
        app()
    except SettingsError as error:
        _end(2, *(f"dawr: {line}" for line in error.lines))
    except _SENTENCES as error:
        _end(1, f"dawr: {error}")
    except Unavailable:
        _end(1, "dawr: the database is out of reach; `dawr doctor` says more")
    except Problem as problem:
        _end(1, f"dawr: {sentence(problem)}")
    except psycopg.OperationalError as error:
        _end(1, f"dawr: the database is out of reach: {str(error).strip().splitlines()[-1]}")


def sentence(problem: Problem) -> str:
    """What a problem says, with its parameters, in English."""
    detail = f": {problem.detail.format(**problem.params)}" if problem.detail else ""
    return f"{problem.title}{detail}."


def _end(code: int, *lines: str) -> NoReturn:
    for line in lines:
        print(line, file=sys.stderr)
    sys.exit(code)


def say(line: str) -> None:
    print(line, flush=True)


def settings_of(*, quiet: bool = False, **given: Any) -> Settings:
    """The checked settings, after which the log is as they say. ``quiet``: only what goes wrong, for short commands."""
    settings, notes = read_settings(given=given)
    level = "warning" if quiet and settings.log_level == "info" else settings.log_level
    logging.configure(level, json=settings.log_json)
    for note in notes:
        print(f"dawr: {note}", file=sys.stderr)
    return settings


@app.callback(invoke_without_command=True)
def _top(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        say(f"dawr {VERSION}")
        raise typer.Exit


@app.command("serve")
def serve_command(
    demo: Annotated[bool | None, typer.Option("--demo", help="Make the demonstration's facilities, once.")] = None,
    port: Annotated[int | None, typer.Option(help="The port to listen on (DAWR_PORT; 8080).")] = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on (DAWR_HOST; 127.0.0.1).")] = None,
    data: DataOption = None,
) -> None:
    """Run the server in the foreground, with the database it needs; Ctrl-C stops it."""
    serve(settings_of(demo=demo, port=port, host=host, data_dir=data), say)


@app.command("worker")
def worker_command(data: DataOption = None) -> None:
    """Run background work alone, beside servers that have DAWR_WORKER=off."""
    settings = settings_of(data_dir=data)
    with leaving_in_order(), any_database(settings) as found:
        migrate(direct_url(found))
        services = build_services(found)
        # What the slices add to each other's work they add when they are mounted.
        create_app(services)
        asyncio.run(_work(services))


async def _work(services: Services) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await services.db.open()
    try:
        async with holding_keys(services.db, services.keyring), announcing(services), run_worker(services):
            say("Background work is running.")
            await stopping.wait()
    finally:
        await services.db.close()


@app.command("migrate")
def migrate_command(data: DataOption = None) -> None:
    """Bring the database to this release's schema. Safe to run twice, and from several machines at once."""
    settings = settings_of(quiet=True, data_dir=data)
    with leaving_in_order(), any_database(settings) as found:
        applied = migrate(direct_url(found))
    say(f"Applied: {', '.join(applied)}" if applied else "Nothing to do.")


@app.command("demo")
def demo_command(data: DataOption = None) -> None:
    """Make the demonstration's facilities and staff in this installation, where they are missing."""

    async def work(services: Services) -> None:
        await furnish_demo(services, say)

    _with_services(work, data=data)


@app.command("doctor")
def doctor_command(data: DataOption = None) -> None:
    """Check the installation and say what to do. Exit code 1 if anything fails."""
    settings = settings_of(quiet=True, data_dir=data)
    if settings.database_url is None:
        running = running_url(settings.data_dir / "postgres")
        settings = settings.model_copy(update={"database_url": running})
    failed = False
    for finding in examination.examine(settings):
        failed |= finding.level is examination.Level.FAIL
        say(f"{finding.level:<5}{finding.about}: {finding.text}")
        if finding.advice:
            say(f"     {finding.advice}")
    raise typer.Exit(1 if failed else 0)


@app.command("openapi")
def openapi_command() -> None:
    """Print the machine-readable description of the API."""
    # Nothing is opened: the keys are made for the moment, the address leads nowhere.
    bare = Settings.model_validate({"database_url": "postgresql://", "keys": Keyring.generate().to_setting()})
    say(json.dumps(schema_of(create_app(build_services(bare))), indent=2, ensure_ascii=False))


@app.command("freeze", hidden=True)
def freeze_command(name: str) -> None:
    """For developers: write the declared schema to a first revision's SQL file."""
    say(str(freeze(name)))


@admin.command("create")
def admin_create(
    *,
    email: EmailOption,
    name: Annotated[str, typer.Option(help="How they are called.")],
    role: Annotated[
        Role, typer.Option(help="What they are in the facility; an operator needs none.")
    ] = Role.ADMINISTRATOR,
    facility_slug: Annotated[str | None, typer.Option("--facility", help="The facility's short name.")] = None,
    clinic: Annotated[list[str] | None, typer.Option(help="A doctor's clinic; may be given several times.")] = None,
    doctor: Annotated[str | None, typer.Option(help="The short name of the doctor they are.")] = None,
    password_stdin: StdinOption = False,
    data: DataOption = None,
) -> None:
    """Make an account that can sign in. The password is asked for, never given as an argument."""
    if role is not Role.OPERATOR and facility_slug is None:
        raise typer.BadParameter("every role but operator needs --facility")
    password = _password(password_stdin)

    async def work(services: Services) -> None:
        found = await _facility(services, facility_slug) if facility_slug else None
        await accounts.create_staff(
            services,
            email=email,
            name=name,
            password=password,
            facility_id=found.id if found else None,
            role=role,
            clinics=clinic or (),
            doctor=doctor,
        )
        say(f"{email} can sign in as {role}" + (f" of {found.slug}." if found else "."))

    _with_services(work, data=data)


@admin.command("password")
def admin_password(email: EmailOption, password_stdin: StdinOption = False, data: DataOption = None) -> None:
    """Set a password for somebody who lost theirs; all their sessions end."""
    password = _password(password_stdin)

    async def work(services: Services) -> None:
        await accounts.set_password(services, email=email, password=password)
        say(f"{email} has another password, and is signed out everywhere.")

    _with_services(work, data=data)


@admin.command("disable")
def admin_disable(email: EmailOption, data: DataOption = None) -> None:
    """Lock an account in every facility, at once."""
    _lock(email, data, disabled=True)


@admin.command("enable")
def admin_enable(email: EmailOption, data: DataOption = None) -> None:
    """Unlock an account."""
    _lock(email, data, disabled=False)


def _lock(email: str, data: Path | None, *, disabled: bool) -> None:
    async def work(services: Services) -> None:
        await accounts.disable(services, email=email, disabled=disabled)
        say(f"{email} is {'locked' if disabled else 'unlocked'}.")

    _with_services(work, data=data)


@facility.command("create")
def facility_create(
    *,
    slug: Annotated[str, typer.Option(help="Its short name in addresses: letters, digits, hyphens.")],
    name: Annotated[str, typer.Option(help="Its name.")],
    zone: Annotated[str, typer.Option(help="Its time zone, such as Asia/Qatar.")],
    pivot: Annotated[str, typer.Option(help="When its service day begins.", metavar="HH:MM")] = "00:00",
    language: Annotated[list[str] | None, typer.Option(help="ar, en or hi; the first is shown first.")] = None,
    data: DataOption = None,
) -> None:
    """Found a facility. The first one is the default."""
    settings = FacilitySettings(
        name={"en": name}, zone=zone, pivot=_clock(pivot), languages=tuple(language or ("ar", "en", "hi"))
    )

    async def work(services: Services) -> None:
        async with services.db.write(new_id(services.clock.now())) as tx:
            made = await create_facility(tx, SYSTEM, slug=slug, settings=settings)
        say(f"{made.slug} is founded; its address begins with {services.settings.url}/f/{made.slug}/")

    _with_services(work, data=data)


@facility.command("list")
def facility_list(data: DataOption = None) -> None:
    """List the facilities."""

    async def work(services: Services) -> None:
        for one in await facilities.listed(services):
            say(f"{one.slug}")

    _with_services(work, data=data)


@keys.command("list")
def keys_list(data: DataOption = None) -> None:
    """List the keys' numbers and when they were made, never the keys."""
    keyring = _keyring(settings_of(quiet=True, data_dir=data))
    for number in keyring.key_ids:
        mark = "  seals what is written now" if number == keyring.primary_id else ""
        say(f"{number}  {keyring.created(number):%Y-%m-%d}{mark}")


@keys.command("add")
def keys_add(data: DataOption = None) -> None:
    """Add a key that nothing is sealed with yet: the first step where several servers share a database."""
    _change_keys(data, Keyring.add)


@keys.command("promote")
def keys_promote(number: int, data: DataOption = None) -> None:
    """Seal with this key from now on: the second step, once every server knows it."""
    _change_keys(data, lambda keyring: keyring.promote(number), require=cli_keys.require_held)


@keys.command("rotate")
def keys_rotate(data: DataOption = None) -> None:
    """Add a key and seal with it from now on: both steps at once, while no server or worker runs."""
    _change_keys(data, Keyring.rotate, require=cli_keys.require_none_running)


def _keyring(settings: Settings) -> Keyring:
    if settings.keys:
        return Keyring.from_setting(settings.keys.get_secret_value())
    return Keyring.load_or_create(settings.keys_file)


def _change_keys(
    data: Path | None,
    change: Callable[[Keyring], Keyring],
    *,
    require: Callable[[Settings, Keyring], None] = lambda *_: None,
) -> None:
    """``require`` refuses keys that may not be the present ones yet."""
    settings = settings_of(quiet=True, data_dir=data)
    changed = change(_keyring(settings))
    require(settings, changed)
    if settings.keys:
        say(f"DAWR_KEYS={changed.to_setting()}")
    else:
        changed.save(settings.keys_file)
        say(
            f"Written to {settings.keys_file}. Start the servers again, and keep a copy apart from the database's backup."
        )


def _clock(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter("--pivot should be a time such as 05:00") from None


async def _facility(services: Services, slug: str) -> Facility:
    found = await facilities.locate(services, slug=slug)
    if found is None:
        raise FacilityNotFound
    return found


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


def _with_services(work: Callable[[Services], Awaitable[T]], *, data: Path | None) -> T:
    """Does something on the installation's database, migrated, whether or not a server is running."""
    settings = settings_of(quiet=True, data_dir=data)
    with leaving_in_order(), any_database(settings) as found:
        migrate(direct_url(found))
        return asyncio.run(_opened(found, work))


async def _opened(settings: Settings, work: Callable[[Services], Awaitable[T]]) -> T:
    services = build_services(settings)
    await services.db.open()
    try:
        async with holding_keys(services.db, services.keyring):
            return await work(services)
    finally:
        await services.db.close()
