"""What a user can meet is in the documentation: every error code and every event of the log."""

import re
from collections.abc import Iterator

import dawr.app  # noqa: F401 - every slice declares its errors
from dawr.platform.errors import Problem
from tests.house.code import ROOT, modules

EVENT = re.compile(
    r'"((?:ticket|clinic|facility|department|doctor|desk|account|membership|user|session|series|service'
    r'|patient|visit|appointment|consultation|schedule|leave|notice|delivery|rating)_[a-z_]+)"'
)


def _kinds(of: type[Problem]) -> Iterator[type[Problem]]:
    yield of
    for one in of.__subclasses__():
        yield from _kinds(one)


def test_every_error_code_is_documented() -> None:
    page = (ROOT / "docs" / "errors.md").read_text()
    assert sorted({one.code for one in _kinds(Problem)} - set(re.findall(r"`([a-z_]+)`", page))) == []


def test_every_documented_error_code_exists() -> None:
    page = (ROOT / "docs" / "errors.md").read_text()
    listed = set(re.findall(r"^\| `([a-z_]+)`", page, re.MULTILINE))
    assert sorted(listed - {one.code for one in _kinds(Problem)}) == []


def test_every_event_type_is_documented() -> None:
    page = (ROOT / "docs" / "events.md").read_text()
    found = {name for module in modules() if module.kind == "events" for name in EVENT.findall(module.text)}
    types = {name for name in found if not name.endswith("_id")}
    assert sorted(types - set(re.findall(r"`([a-z_]+)`", page))) == []


def test_one_code_is_one_kind_of_error() -> None:
    codes = [one.code for one in _kinds(Problem)]
    assert sorted({code for code in codes if codes.count(code) > 1}) == []
