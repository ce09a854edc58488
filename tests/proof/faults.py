"""One fault, done to the product while people and desks are at work, and what came of it."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from math import inf
from time import monotonic
from typing import Any

from tests.proof.driver import PATIENCE, Journal, Mix, traffic
from tests.proof.faults_judge import Findings, durable, judge
from tests.proof.faults_stage import Setting, Stage

Fault = Callable[[Stage], Awaitable[None]]
# Resolved with the same key so soon after the recovery.
RESOLVED_WITHIN = 2.0


def possible() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Scenario:
    """``what`` is done, in words, ``times`` times. ``fault`` returns once its cause is gone. ``least``: changes that have to
    succeed before, between and after the faults. ``needs`` says why it cannot be done here; nothing where it can. ``days``:
    the service day turns meanwhile. ``is_long``: one fault takes longer than 10 s.
    ``still_at_most``: the seconds in which somebody in every clinic has to succeed, fault or not."""

    name: str
    what: str
    setting: Setting
    fault: Fault
    times: int = 3
    least: int = 120
    mix: Mix = field(default_factory=Mix)
    clinics: int = 3
    days: bool = False
    needs: Callable[[], str] = possible
    is_long: bool = False
    still_at_most: float = inf


@dataclass(frozen=True, slots=True)
class Result:
    """Times in seconds. ``slowest``: an unknown outcome's resolution, from the recovery or from when it was missed.
    ``standstill``: the longest time without a success in some clinic. ``findings``: sentences."""

    name: str
    what: str
    times: int = 0
    operations: int = 0
    acknowledged: int = 0
    unknown: int = 0
    resolved: int = 0
    slowest: float = 0.0
    standstill: float = 0.0
    lost: int = 0
    repeated: int = 0
    seconds: float = 0.0
    findings: tuple[str, ...] = ()
    skipped: str = ""

    @property
    def verdict(self) -> str:
        if self.skipped:
            return f"skipped: {self.skipped}"
        return "RED" if self.findings or self.lost or self.repeated else "ok"

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"verdict": self.verdict}


async def play(stage: Stage, scenario: Scenario, *, times: int = 0, least: int = 0, within: float = 0.0) -> Result:
    """Whatever goes wrong is a finding. ``within``: the seconds in which an unknown outcome has to be resolved."""
    started, journal = monotonic(), Journal()
    try:
        found = await _played(stage, scenario, journal, times=times or scenario.times, least=least or scenario.least)
    except Exception:
        found = Findings(wrong=(traceback.format_exc(), stage.last_words()))
    slow = journal.slowest()
    late = [f"an unknown outcome took {slow:.2f} s"] if slow > (within or RESOLVED_WITHIN) else []
    if (still := journal.standstill()) > scenario.still_at_most:
        late.append(f"a clinic stood still for {still:.2f} s")
    return Result(
        scenario.name,
        scenario.what,
        times=len(journal.faults),
        operations=len(journal.operations),
        acknowledged=journal.acknowledged,
        unknown=len(journal.lost),
        resolved=len(journal.lost) - len(journal.unresolved),
        slowest=round(slow, 3),
        standstill=round(still, 3),
        lost=len(found.lost),
        repeated=len(found.repeated),
        seconds=round(monotonic() - started, 1),
        findings=(*found.lost, *found.repeated, *found.wrong, *late),
    )


async def _played(stage: Stage, scenario: Scenario, journal: Journal, *, times: int, least: int) -> Findings:
    clinics = await stage.new_clinics(scenario.clinics)
    async with traffic(stage, journal, clinics, scenario.mix) as at_work:
        for _ in range(times):
            await _more(journal, least)
            async with stage.fault(journal):
                await scenario.fault(stage)
            await _resolved(journal)
        await _more(journal, least)
        await at_work.go_home()
        await stage.at_rest()
        await at_work.call_all()
    found = await judge(stage, journal, clinics, days=scenario.days)
    with stage.owner() as owner:
        return Findings(found.lost, found.repeated, (*found.wrong, *durable(owner)))


async def _more(journal: Journal, count: int, *, within: float = 60) -> None:
    """Until so many more changes have succeeded."""
    wanted, ends = journal.acknowledged + count, monotonic() + within
    while journal.acknowledged < wanted:
        assert monotonic() < ends, f"only {journal.acknowledged} of {wanted} changes succeeded in {within} s"
        await asyncio.sleep(0.02)


async def _resolved(journal: Journal) -> None:
    """Until nobody waits for an outcome any more."""
    ends = monotonic() + PATIENCE + 10
    while journal.missing:
        assert monotonic() < ends, f"{journal.missing} outcomes stay unknown"
        await asyncio.sleep(0.02)
