from ipaddress import ip_network
from pathlib import Path

import pytest

from dawr.platform.config import FIELDS, Settings, SettingsError, read_settings, variable


def settings(folder: Path, **environ: str) -> Settings:
    return read_settings(environ, folder=folder).settings


def mistakes(folder: Path, **environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        read_settings(environ, folder=folder)
    return caught.value.lines


def test_nothing_set_gives_a_server_for_this_machine_alone(tmp_path: Path) -> None:
    found = settings(tmp_path)
    assert (found.host, found.port, found.url) == ("127.0.0.1", 8080, "http://127.0.0.1:8080")
    assert found.data_dir == tmp_path / "var"
    assert found.rate_limits
    assert not found.demo


def test_the_command_line_wins_over_the_environment_over_the_files(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / ".env").write_text(
        "DAWR_PORT=1\nDAWR_HOST=::1\nDAWR_LOG_LEVEL=debug\nDAWR_DATA_DIR=data\nDAWR_DEMO=on\n"
    )
    (data / ".env").write_text("DAWR_PORT=2\nDAWR_HOST=localhost\nDAWR_LOG_LEVEL=error\n")
    environ = {"DAWR_PORT": "3", "DAWR_HOST": "127.0.0.2"}
    found = read_settings(environ, folder=tmp_path, given={"port": 4, "demo": None}).settings
    assert (found.port, found.host, found.log_level, found.demo) == (4, "127.0.0.2", "error", True)


def test_the_data_folder_of_the_command_line_brings_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / ".env").write_text("DAWR_PORT=9000\nDAWR_DATA_DIR=ignored\n")
    found = read_settings({}, folder=tmp_path, given={"data_dir": "elsewhere"}).settings
    assert (found.port, found.data_dir) == (9000, tmp_path / "elsewhere")


def test_an_empty_value_counts_as_not_set(tmp_path: Path) -> None:
    assert settings(tmp_path, DAWR_PORT="", DATABASE_URL="").port == 8080


def test_every_mistake_is_one_line_that_names_its_setting(tmp_path: Path) -> None:
    lines = mistakes(
        tmp_path,
        DAWR_PORT="eighty",
        DAWR_LOG_LEVEL="loud",
        DAWR_PUBLIC_URL="queue.example.org",
        DAWR_TRUSTED_PROXIES="10.0.0.0/33",
        DAWR_TLS_KEY="missing.pem",
        DATABASE_URL="mysql://db/dawr",
    )
    named = [line.split(":")[0] for line in lines]
    assert named == [
        "DATABASE_URL",
        "DAWR_LOG_LEVEL",
        "DAWR_PORT",
        "DAWR_PUBLIC_URL",
        "DAWR_TLS_KEY",
        "DAWR_TRUSTED_PROXIES",
    ]
    assert all("\n" not in line for line in lines)


def test_a_mistake_never_shows_a_secret(tmp_path: Path) -> None:
    (line,) = mistakes(tmp_path, DATABASE_URL="mysql://dawr:hunter2@db/dawr")
    assert "hunter2" not in line


def test_settings_printed_by_accident_hide_what_is_secret(tmp_path: Path) -> None:
    secret = "hunter2"
    found = settings(
        tmp_path,
        DATABASE_URL=f"postgresql://dawr:{secret}@db/dawr",
        DATABASE_DIRECT_URL=f"postgresql://dawr:{secret}@db/dawr",
        DAWR_DEMO_PASSWORD=secret,
        DAWR_METRICS_TOKEN=secret,
        DAWR_KEYS=secret,
    )
    assert secret not in repr(found)
    assert secret not in str(found)


def test_what_does_not_fit_together_is_told_all_at_once(tmp_path: Path) -> None:
    certificate = tmp_path / "certificate.pem"
    certificate.touch()
    lines = mistakes(
        tmp_path,
        DAWR_HOST="0.0.0.0",
        DAWR_RATE_LIMITS="off",
        DAWR_TLS_CERTIFICATE=str(certificate),
        DATABASE_DIRECT_URL="postgresql://db/dawr",
        DAWR_STREAM_SECONDS="10",
    )
    assert [line.split(":")[0] for line in lines] == [
        "DATABASE_DIRECT_URL",
        "DAWR_RATE_LIMITS",
        "DAWR_STREAM_JITTER_SECONDS",
        "DAWR_TLS_CERTIFICATE and DAWR_TLS_KEY",
    ]


@pytest.mark.parametrize(
    "environ",
    [
        {"DAWR_HOST": "0.0.0.0", "DAWR_DEMO": "on"},
        {"DAWR_HOST": "127.0.0.5"},
        {"DAWR_HOST": "::1"},
        {"DAWR_HOST": "localhost"},
    ],
)
def test_rate_limits_may_be_off_for_a_demo_or_on_loopback(tmp_path: Path, environ: dict[str, str]) -> None:
    assert settings(tmp_path, DAWR_RATE_LIMITS="off", **environ).rate_limits is False


def test_an_unknown_variable_is_reported_with_what_was_probably_meant(tmp_path: Path) -> None:
    notes = read_settings(
        {"DAWR_RATE_LIMIT": "off", "HOME": "/", "PORT": "1", "DAWR_PYTHON": "python3"}, folder=tmp_path
    ).notes
    assert notes == ["DAWR_RATE_LIMIT: there is no such setting; did you mean DAWR_RATE_LIMITS?"]


def test_a_file_that_is_no_text_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"DAWR_PORT=\xff\xfe")
    assert mistakes(tmp_path) == [f"{tmp_path / '.env'}: cannot be read (UnicodeDecodeError)"]


def test_trusted_proxies_are_a_list_of_networks(tmp_path: Path) -> None:
    found = settings(tmp_path, DAWR_TRUSTED_PROXIES="10.0.0.0/8, ::1")
    assert found.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1"))


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://localhost:81"), ("::1", "http://[::1]:81"), ("queue.lan", "http://queue.lan:81")],
)
def test_the_local_address_can_be_opened_in_a_browser(tmp_path: Path, host: str, url: str) -> None:
    assert settings(tmp_path, DAWR_HOST=host).local_url(81) == url


def test_the_public_address_is_what_people_are_shown(tmp_path: Path) -> None:
    assert settings(tmp_path, DAWR_PUBLIC_URL="https://queue.example.org/").url == "https://queue.example.org"


def test_every_field_has_a_variable_and_a_description() -> None:
    assert {variable(name) for name in Settings.model_fields} == set(FIELDS)
    assert all((field.description or "").endswith(".") for field in Settings.model_fields.values())
