"""Who may import what: the parts of the house's rules that import-linter's layers do not say."""

import re
import sys

from tests.house.code import Module, modules

FLOORS = {
    *("platform", "accounts", "facilities", "patients", "tickets", "visits", "appointments", "consultations"),
    *("waits", "records", "exchange", "notifications", "plugins", "webhooks", "realtime", "web", "demo"),
}
PRIVATE = {"store", "api", "jobs", "mount"}
PURE = {"rules", "events"}
FRAMEWORKS = ("fastapi", "starlette", "uvicorn")
DOORS = {"app.py", "cli.py", "worker.py", "server.py"}
SQL = re.compile(r"^\s*(SELECT|INSERT INTO|UPDATE \w+|DELETE FROM|WITH \w+ AS)\b")


def _slice_of(target: str) -> tuple[str, str]:
    parts = [*target.split("."), "", ""]
    return parts[1], parts[2].split("_")[0]


def _foreign(module: Module, target: str) -> bool:
    other, _ = _slice_of(target)
    return target.startswith("dawr.") and other in FLOORS - {"platform"} and other != module.slice


def test_of_another_slice_only_its_public_drawers() -> None:
    wrong = [
        f"{module.name} imports {target}"
        for module in modules()
        if module.name not in DOORS
        for target in module.imports()
        if _foreign(module, target) and _slice_of(target)[1] in PRIVATE
    ]
    assert wrong == []


def test_rules_and_events_are_pure() -> None:
    allowed = ("dawr.platform.errors.", "dawr.platform.values.")
    wrong = [
        f"{module.name} imports {target}"
        for module in modules()
        if module.kind in PURE and module.slice in FLOORS - {"platform"}
        for target in module.imports()
        if target.split(".")[0] not in sys.stdlib_module_names
        and not target.startswith(allowed)
        and not (target.startswith("dawr.") and _slice_of(target)[1] in PURE)
    ]
    assert wrong == []


def test_the_web_framework_stays_at_the_edge() -> None:
    wrong = [
        f"{module.name} imports {target}"
        for module in modules()
        if module.name not in DOORS
        and module.kind not in {"api", "mount"}
        and not module.name.startswith(("web/", "platform/http/"))
        for target in module.imports()
        if target.split(".")[0] in FRAMEWORKS
    ]
    assert wrong == []


def test_sql_stays_in_stores_and_queries() -> None:
    wrong = [
        module.name
        for module in modules()
        if module.slice != "platform" and module.kind not in {"store", "queries"}
        for line in module.text.splitlines()
        if SQL.match(line.replace('"""', "").replace('"', ""))
    ]
    assert wrong == []


def test_the_platform_knows_no_clinic_word() -> None:
    words = re.compile(r"\b(ticket|clinic|doctor|patient|queue)s?\b", re.IGNORECASE)
    wrong = [
        f"{module.name}: {node}"
        for module in modules()
        if module.slice == "platform"
        for node in _names(module)
        if words.search(node.replace("_", " "))
    ]
    assert wrong == []


def _names(module: Module) -> list[str]:
    return [function.name for function in module.functions()]
