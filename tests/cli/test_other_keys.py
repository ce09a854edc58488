"""A database met with other keys than its own: nothing is written, and whoever called is told what to do."""

from pathlib import Path

import pytest

from tests.cli.conftest import Dawr

SENTENCE = "These are not the keys this database was written with."


@pytest.fixture
def stray(dawr: Dawr, tmp_path: Path) -> dict[str, str]:
    """The environment of a second server whose data folder is its own, on a database that has met its first."""
    assert dawr("admin", "facility", "list").code == 0
    return {"DAWR_DATA_DIR": str(tmp_path / "another")}


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("worker",), ("admin", "facility", "list"), ("demo",)])
def test_it_is_a_sentence_and_an_end(dawr: Dawr, stray: dict[str, str], command: tuple[str, ...]) -> None:
    answer = dawr(*command, **stray)
    assert (answer.code, answer.output) == (1, "")
    assert answer.errors.splitlines()[-1].startswith(f"dawr: {SENTENCE}")


def test_doctor_finds_it(dawr: Dawr, stray: dict[str, str]) -> None:
    dawr("admin", "keys", "rotate", **stray)
    found = dawr("doctor", **stray)
    assert found.code == 1
    assert "fail keys: are not those this database was written with" in found.output
    assert "fail keys" not in dawr("doctor").output
