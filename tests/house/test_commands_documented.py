"""Every command and option of the program is in ``docs/commands.md``, and nothing that is not."""

import re
from collections.abc import Iterator
from typing import Any

import typer.main

from dawr.cli import app
from tests.house.code import ROOT

PAGE = (ROOT / "docs" / "commands.md").read_text()


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Each command that does something, with the words that call it."""
    for name, one in getattr(command, "commands", {}).items():
        yield from commands(one, f"{path} {name}")
    if not hasattr(command, "commands") and not command.hidden:
        yield path, command


ALL = dict(commands(typer.main.get_command(app), "dawr"))


def sections() -> dict[str, str]:
    parts = re.split(r"^## `(dawr [^`]+)`\n", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_has_its_section() -> None:
    assert sorted(sections()) == sorted(ALL)


def test_every_option_is_in_its_command_s_section() -> None:
    missing = [
        f"{path} {option}"
        for path, command in ALL.items()
        for parameter in command.params
        for option in parameter.opts
        if option.startswith("--") and option != "--help" and f"`{option}" not in sections()[path]
    ]
    assert missing == []


def test_no_option_is_described_that_does_not_exist() -> None:
    known = {path: {option for one in command.params for option in one.opts} for path, command in ALL.items()}
    invented = [
        f"{path} {option}"
        for path, text in sections().items()
        for option in re.findall(r"^\| `(--[a-z-]+)", text, re.MULTILINE)
        if option not in known[path]
    ]
    assert invented == []
