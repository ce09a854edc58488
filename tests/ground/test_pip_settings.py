"""uv is told where pip looks for packages, and nothing that it knows already."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def told(**environment: str) -> dict[str, str]:
    command = [sys.executable, str(ROOT / "script/lib/pip_settings.py"), sys.executable]
    settings = {"PATH": "/usr/bin:/bin", "PIP_CONFIG_FILE": os.devnull, "UV_SYSTEM_CERTS": "false", **environment}
    printed = subprocess.run(command, env=settings, capture_output=True, text=True, check=True).stdout
    return dict(shlex.split(line)[1].split("=", 1) for line in printed.splitlines())


def test_nothing_is_told_where_pip_is_not_configured() -> None:
    assert told() == {}


def test_an_index_and_a_certificate_are_told() -> None:
    assert told(PIP_INDEX_URL="https://index.example/simple", PIP_CERT="/etc/our.pem") == {
        "UV_DEFAULT_INDEX": "https://index.example/simple",
        "SSL_CERT_FILE": "/etc/our.pem",
    }


def test_several_indexes_are_searched_as_pip_does() -> None:
    assert told(PIP_EXTRA_INDEX_URL="https://a.example https://b.example") == {
        "UV_INDEX": "https://a.example https://b.example",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_what_uv_was_told_by_the_caller_stays() -> None:
    assert told(PIP_INDEX_URL="https://a.example", UV_DEFAULT_INDEX="https://b.example") == {}
    assert told(PIP_INDEX_URL="https://a.example", UV_INDEX_URL="https://b.example") == {}


def test_odd_characters_stay_what_they_are() -> None:
    assert told(PIP_INDEX_URL="https://u:p'$(id)@index.example") == {
        "UV_DEFAULT_INDEX": "https://u:p'$(id)@index.example"
    }


def test_no_index_is_told_for_the_flag_that_uv_has() -> None:
    assert told(PIP_NO_INDEX="1", PIP_FIND_LINKS="/a /b") == {"DAWR_NO_INDEX": "true", "UV_FIND_LINKS": "/a,/b"}
