"""Runs checks against a copy of the product and tells a check that failed from one that could not be made."""

import asyncio
import os
import re
import secrets
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.proof.planted.copies import ROOT, Copy
from tests.proof.planted.witness import EXPECTED

LONGEST_SECONDS = 240
PASSED, FAILED = 0, 1
# A mistake in the patch or in the test program, or a run that hung: nothing was checked.
NO_CATCH = ("NameError", "ImportError", "ModuleNotFoundError", "AttributeError", "SyntaxError", "Failed: Timeout")


@dataclass(frozen=True, slots=True)
class Case:
    """One test of a run: ``trouble`` is ``""``, ``failed``, ``error`` (it could not be made) or ``skipped``."""

    node: str
    trouble: str = ""
    message: str = ""

    def belongs_to(self, check: str) -> bool:
        return self.node == check or self.node.startswith((check + "[", check + "::"))


@dataclass(frozen=True, slots=True)
class Run:
    """``code`` is pytest's exit code, -1 where it was ended for taking too long; ``tail`` the end of what it printed."""

    code: int
    cases: tuple[Case, ...]
    seconds: float
    tail: str

    def of(self, check: str) -> list[Case]:
        return [one for one in self.cases if one.belongs_to(check)]

    def not_green(self, check: str) -> str:
        """Why the check did not pass, in words; empty where it did."""
        found = self.of(check)
        if not found:
            return f"did not run (exit code {self.code}): {self.tail}"
        bad = [one for one in found if one.trouble]
        return f"{bad[0].trouble}: {bad[0].message}" if bad else ""

    def not_red(self, check: str) -> str:
        """Why this is no catch, in words; empty where the check failed, and failed for nothing but what it saw."""
        found = self.of(check)
        if not found or self.code not in (PASSED, FAILED):
            return f"did not run (exit code {self.code}): {self.tail}"
        errors = [one for one in found if one.trouble == "error"]
        if errors:
            return f"error, not failure: {errors[0].message}"
        failures = [one for one in found if one.trouble == "failed"]
        if not failures:
            return "stayed green"
        clean = [one for one in failures if not one.message.startswith(NO_CATCH)]
        return "" if clean else f"the test program broke: {failures[0].message}"

    def first_failure(self, check: str) -> str:
        return next((one.message for one in self.of(check) if one.trouble == "failed"), "")


def exists(check: str) -> bool:
    """Whether there is such a check; of a whole run pytest makes nothing where one of its checks is missing."""
    file, _, name = check.partition("::")
    path, function = ROOT / file, name.partition("[")[0]
    return path.is_file() and re.search(rf"^(async )?def {re.escape(function)}\(", path.read_text(), re.M) is not None


async def run_checks(copy: Copy, checks: Sequence[str]) -> Run:
    """Runs pytest on these nodes with the copy's interpreter."""
    report = copy.source.parent / f"report-{secrets.token_hex(4)}.xml"
    started = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        str(copy.python),
        *("-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "-p", "tests.proof.planted.witness", "--tb=short"),
        *("-o", "junit_family=xunit1", f"--junitxml={report}", *checks),
        cwd=ROOT,
        env=_environment(copy),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    code, printed = await _ended(process)
    return Run(code, _cases(report), time.monotonic() - started, _tail(printed))


def _environment(copy: Copy) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "COV"))}
    return kept | {EXPECTED: str(copy.source), "HYPOTHESIS_STORAGE_DIRECTORY": str(copy.source.parent / "hypothesis")}


async def _ended(process: asyncio.subprocess.Process) -> tuple[int, str]:
    """Exit code and output; whatever is left of the run's processes is ended with it."""
    code, printed = -1, b""
    try:
        with suppress(TimeoutError):
            printed, _ = await asyncio.wait_for(process.communicate(), LONGEST_SECONDS)
            code = process.returncode if process.returncode is not None else -1
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
    return code, printed.decode(errors="replace")


def _tail(printed: str) -> str:
    return " | ".join([line for line in printed.splitlines() if line.strip()][-3:])[-400:]


def _cases(report: Path) -> tuple[Case, ...]:
    if not report.exists():
        return ()
    found = [_case(one) for one in ElementTree.parse(report).iter("testcase")]
    return tuple(found)


def _case(element: ElementTree.Element) -> Case:
    node = f"{element.get('classname', '').replace('.', '/')}.py::{element.get('name')}"
    for kind, trouble in (("error", "error"), ("failure", "failed"), ("skipped", "skipped")):
        found = element.find(kind)
        if found is not None:
            return Case(node, trouble, " ".join((found.get("message") or "").split())[:2000])
    return Case(node)
