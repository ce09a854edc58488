"""The settings of an installation: read once at start, checked together, never changed afterwards.

They come from, the later winning: ``.env`` in the working folder, ``.env`` in the data folder, the environment, and the
command line. Every name starts with ``DAWR_``, apart from ``DATABASE_URL`` and ``DATABASE_DIRECT_URL``, which hosting
platforms set under these names. ``read_settings`` gives settings that are right, or else one line for each mistake.
"""

import difflib
import os
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from dawr.platform.addresses import Network, parse_networks

PREFIX = "DAWR_"
_UNPREFIXED = ("database_url", "database_direct_url")
# Read by the scripts, the tests and the plugins, so no mistake of whoever set them.
_NOT_OURS = ("DAWR_PYTHON", "DAWR_TEST_", "DAWR_PLUGIN_")


class SettingsError(Exception):
    """``lines`` holds one sentence for each mistake, without the value of a secret."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def _networks(value: object) -> object:
    return parse_networks(value) if isinstance(value, str) else value


def _readable(path: Path) -> Path:
    if not os.access(path, os.R_OK) or not path.is_file():
        raise ValueError("should be a file that can be read")
    return path


def _database_url(value: str) -> str:
    if urlsplit(value).scheme not in ("postgresql", "postgres"):
        raise ValueError("should look like postgresql://user:password@host:5432/database")
    return value


def _web_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("should be http:// or https:// and a host, without a path")
    return f"{parts.scheme}://{parts.netloc}"


def _words(value: object) -> object:
    return tuple(one.strip() for one in value.split(",") if one.strip()) if isinstance(value, str) else value


DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
Readable = Annotated[Path, AfterValidator(_readable)]
Networks = Annotated[tuple[Network, ...], BeforeValidator(_networks)]


class Settings(BaseModel):
    """One field for each setting; ``docs/settings.md`` and ``.env.example`` are rendered from these descriptions."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=False, str_strip_whitespace=True)

    data_dir: Path = Field(
        Path("var"),
        description="The folder of what the installation owns: its keys and, without DATABASE_URL, its PostgreSQL.",
    )
    host: str = Field("127.0.0.1", description="The address to listen on. 0.0.0.0 listens on every network.")
    port: int = Field(8080, ge=0, le=65535, description="The port to listen on. 0 takes any free one.")
    public_url: Annotated[str, AfterValidator(_web_url)] | None = Field(
        None,
        description="The address people open, as in printed QR codes and messages: https://queue.example.org. "
        "Without it: made from host and port.",
    )
    trusted_proxies: Networks = Field(
        (),
        description="Networks, separated by commas, whose X-Forwarded-For and X-Forwarded-Proto are believed. "
        "Empty: the address of the connection is the client's.",
    )
    tls_certificate: Readable | None = Field(
        None, description="A PEM file with the certificate chain, to serve HTTPS without a proxy (a LAN)."
    )
    tls_key: Readable | None = Field(None, description="The PEM file with the certificate's private key.")
    database_url: DatabaseUrl | None = Field(
        None,
        repr=False,
        description="A PostgreSQL server, 15 or later, to use instead of the embedded one: "
        "postgresql://user:password@host:5432/database.",
    )
    database_direct_url: DatabaseUrl | None = Field(
        None,
        repr=False,
        description="The same database past a transaction pooler (PgBouncer), for migrations, LISTEN and jobs. "
        "Set it whenever DATABASE_URL points at a pooler.",
    )
    database_pool_size: int = Field(
        16, ge=2, le=200, description="The most connections one process keeps open for its requests."
    )
    default_facility: str | None = Field(
        None,
        description="The short name of the facility that a request means when it names none. "
        "Without it: the demo's mmc, else the facility that was created first.",
    )
    demo: bool = Field(False, description="Creates the demonstration's facilities and staff, once. The same as --demo.")
    demo_password: SecretStr | None = Field(
        None, description="The password of the demonstration's staff. Without it: random, and printed once."
    )
    keys: SecretStr | None = Field(
        None,
        description="The installation's keys, for several servers on one database: the content of keys.json in base64. "
        "Without it they are in keys.json in the data folder, made at the first start.",
    )
    access_token_minutes: int = Field(
        15, ge=1, le=60, description="How long an access token is valid. Signing out ends it within a second anyway."
    )
    rate_limits: bool = Field(
        True,
        description="on, or off for tests and benchmarks: possible only with --demo or on a loopback address.",
    )
    enter_per_device_per_minute: int = Field(
        10, ge=1, le=10_000, description="How many tickets one device (a browser's cookie) may ask for in a minute."
    )
    enter_per_address_per_minute: int = Field(
        300,
        ge=1,
        le=1_000_000,
        description="How many tickets one network address may ask for in a minute, steadily. It is far above a "
        "device's limit because a hospital's Wi-Fi is one address: everybody in the waiting room shares it.",
    )
    enter_per_address_burst: int = Field(
        300,
        ge=1,
        le=1_000_000,
        description="How many tickets one network address may ask for at once, before the steady limit counts: "
        "the doors open at eight.",
    )
    codes_per_facility_per_hour: int = Field(
        300,
        ge=1,
        le=100_000,
        description="How many codes that prove a phone number one facility may send in an hour, steadily, and as many at once. "
        "Each costs it a text message; no stranger makes it pay for more.",
    )
    requests_at_once: int = Field(
        256,
        ge=1,
        le=100_000,
        description="How many requests one process works on at once, in each of three lanes: people who ask for a ticket, "
        "staff, everybody else. More are refused at once, with 503 and Retry-After. Live streams and files do not count.",
    )
    answer_seconds: float = Field(
        2.0,
        ge=0.1,
        le=60,
        description="How long an answer may take when there is a crowd. While answers take longer, fewer requests are "
        "admitted at once.",
    )
    stream_seconds: float = Field(
        300, ge=1, le=86_400, description="The age at which a live stream is closed; the client comes back by itself."
    )
    stream_jitter_seconds: float = Field(
        30, ge=0, le=3_600, description="By how much that age varies, so that the streams do not all come back at once."
    )
    heartbeat_seconds: float = Field(
        15, ge=0.1, le=60, description="How often a live stream says that it is alive. Proxies close what is silent."
    )
    worker: Literal["embedded", "off"] = Field(
        "embedded",
        description="embedded runs background work inside the web process; off leaves it to `dawr worker` processes.",
    )
    outgoing_networks: Networks = Field(
        (),
        description="Private networks, separated by commas, that messages may be sent to: webhooks, gateways and mail servers "
        "of the hospital's own. Without it only public addresses are asked.",
    )
    plugins: Annotated[tuple[str, ...], BeforeValidator(_words)] = Field(
        (),
        description="The installed plugins that are used, by their names, separated by commas. What a plugin reads itself "
        "are variables that begin with DAWR_PLUGIN_. Each facility can switch one off.",
    )
    metrics_token: SecretStr | None = Field(
        None, description="The bearer token that GET /metrics asks for. Without it that page answers 401 to everybody."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least important lines to write: debug, info, warning or error."
    )
    log_json: bool | None = Field(
        None, description="on writes a JSON object a line, off writes for people. Without it: on, except on a terminal."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        jitter_fits = self.stream_jitter_seconds < self.stream_seconds
        rules = (
            (
                bool(self.tls_certificate) == bool(self.tls_key),
                "DAWR_TLS_CERTIFICATE and DAWR_TLS_KEY: set both or neither",
            ),
            (self.database_url or not self.database_direct_url, "DATABASE_DIRECT_URL: is used only with DATABASE_URL"),
            (
                self.rate_limits or self.demo or self.on_loopback,
                "DAWR_RATE_LIMITS: off is possible only with --demo or on a loopback address (DAWR_HOST)",
            ),
            (jitter_fits, "DAWR_STREAM_JITTER_SECONDS: should be less than DAWR_STREAM_SECONDS"),
        )
        broken = [sentence for holds, sentence in rules if not holds]
        if broken:
            raise ValueError("\n".join(broken))
        return self

    @property
    def on_loopback(self) -> bool:
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def scheme(self) -> str:
        return "https" if self.tls_certificate else "http"

    @property
    def url(self) -> str:
        """The address people open, without a slash at its end."""
        return self.public_url or self.local_url(self.port)

    def local_url(self, port: int) -> str:
        """The address on this machine; ``port`` is the one really taken."""
        host = "localhost" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    @property
    def keys_file(self) -> Path:
        return self.data_dir / "keys.json"


class Reading(NamedTuple):
    """``notes`` are sentences about what was set and is not used."""

    settings: Settings
    notes: list[str]


def variable(field: str) -> str:
    """The environment variable of a field."""
    return field.upper() if field in _UNPREFIXED else PREFIX + field.upper()


FIELDS = {variable(name): name for name in Settings.model_fields}


def read_settings(
    environ: Mapping[str, str] | None = None, *, folder: Path | None = None, given: Mapping[str, Any] | None = None
) -> Reading:
    """The settings of this environment and working folder, or ``SettingsError``.

    ``given`` holds fields of the command line; None stands for one that was not given.
    """
    environ = os.environ if environ is None else environ
    folder = folder or Path.cwd()
    overrides = {name: value for name, value in (given or {}).items() if value is not None}
    values = _file(folder / ".env") | _ours(environ)
    data_dir = _data_dir(values, overrides, folder)
    values = _file(folder / ".env") | _file(data_dir / ".env") | _ours(environ)
    fields = {FIELDS[name]: value for name, value in values.items() if name in FIELDS and value != ""}
    notes = [_unknown(name) for name in values if name not in FIELDS and not name.startswith(_NOT_OURS)]
    try:
        return Reading(Settings(**(fields | overrides | {"data_dir": data_dir})), notes)
    except ValidationError as error:
        raise SettingsError(_lines(error)) from None


def _data_dir(values: Mapping[str, str], overrides: Mapping[str, Any], folder: Path) -> Path:
    """An absolute path; a relative one counts from the working folder."""
    chosen = overrides.get("data_dir") or values.get(variable("data_dir")) or Settings.model_fields["data_dir"].default
    return (folder / Path(chosen).expanduser()).resolve()


def _file(path: Path) -> dict[str, str]:
    try:
        found = dotenv_values(path, interpolate=False, encoding="utf-8") if path.is_file() else {}
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path}: cannot be read ({type(error).__name__})"]) from error
    return _ours({name: value or "" for name, value in found.items()})


def _ours(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if name.startswith(PREFIX) or name in FIELDS}


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, FIELDS, n=1)
    return f"{name}: there is no such setting" + (f"; did you mean {near[0]}?" if near else "")


def _lines(error: ValidationError) -> list[str]:
    return sorted({line for mistake in error.errors(include_url=False) for line in _said(dict(mistake))})


def _said(mistake: Mapping[str, Any]) -> list[str]:
    message = str(mistake["msg"]).removeprefix("Value error, ").replace("Input should", "should")
    if not mistake["loc"]:
        return message.splitlines()
    name = mistake["loc"][0]
    field = Settings.model_fields[name]
    secret = not field.repr or "SecretStr" in str(field.annotation)
    return [f"{variable(name)}: {message}" + ("" if secret else f" (it is {str(mistake['input'])!r})")]
