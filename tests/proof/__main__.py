"""The whole campaign: every fault, while clients run, and one table at the end. ``script/proof`` starts it."""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from tests.proof import deliveries, faults_clock, faults_disk, faults_network, faults_processes
from tests.proof.faults import Result, Scenario, play
from tests.proof.faults_stage import staged
from tests.proof.report import table, write

SCENARIOS = (
    *faults_processes.SCENARIOS,
    *faults_network.SCENARIOS,
    *faults_disk.SCENARIOS,
    *faults_clock.SCENARIOS,
)
JSON = Path("var/proof.json")
QUICK_LEAST = 40
# Of a finding, as it is shown while the campaign runs; the JSON has all of it.
SHOWN = 2000


@dataclass(frozen=True, slots=True)
class Wanted:
    scenarios: tuple[Scenario, ...]
    quick: bool = False
    telling: bool = False

    @property
    def people(self) -> int:
        """How many are told; two messages each."""
        return 500 if self.quick else 5000

    @property
    def times(self) -> int:
        """How often each is done; 0 is as often as it says itself."""
        return 1 if self.quick else 0

    @property
    def least(self) -> int:
        return QUICK_LEAST if self.quick else 0


def read_arguments(arguments: Sequence[str]) -> Wanted:
    parser = argparse.ArgumentParser(prog="script/proof", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="each fault once, and none that takes longer than 10 s")
    parser.add_argument(
        "--only", metavar="NAME", action="append", help="only this scenario; may be given several times"
    )
    parser.add_argument("--list", action="store_true", help="the names, and what is done")
    given = parser.parse_args(arguments)
    if given.list:
        print("\n".join(f"{one.name:24}{one.what}" for one in SCENARIOS))
        print(f"{deliveries.NAME:24}{deliveries.WHAT}")
        parser.exit()
    unknown = set(given.only or ()) - {deliveries.NAME, *(one.name for one in SCENARIOS)}
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))} (--list names them)")
    chosen = [one for one in SCENARIOS if one.name in given.only] if given.only else SCENARIOS
    telling = not given.only or deliveries.NAME in given.only
    return Wanted(tuple(one for one in chosen if not (given.quick and one.is_long)), given.quick, telling)


async def campaign(wanted: Wanted) -> list[Result]:
    """Scenarios that play on the same kind of stage share one, until something on it goes wrong."""
    results: dict[str, Result] = {}
    order = sorted(wanted.scenarios, key=lambda one: [known.setting for known in SCENARIOS].index(one.setting))
    for _, group in groupby(order, key=lambda one: one.setting):
        left = list(group)
        while left:
            for result in await _on_one_stage(left, wanted):
                results[result.name] = result
                left = [one for one in left if one.name != result.name]
    told = [await _telling(wanted)] if wanted.telling else []
    return [results[one.name] for one in wanted.scenarios] + told


async def _telling(wanted: Wanted) -> Result:
    """It has a stage of its own: what dies is the process that sends."""
    _say(f"{deliveries.NAME}: {deliveries.WHAT} …")
    result = await deliveries.play(people=wanted.people)
    _say(f"    {result.verdict}: {result.operations} arrivals, lost {result.lost}, repeated {result.repeated}")
    return result


async def _on_one_stage(scenarios: Sequence[Scenario], wanted: Wanted) -> list[Result]:
    done = [Result(one.name, one.what, skipped=why) for one in scenarios if (why := one.needs())]
    skipped = {one.name for one in done}
    possible = [one for one in scenarios if one.name not in skipped]
    for one in done:
        _say(f"{one.name}: {one.verdict}")
    if not possible:
        return done
    async with staged(possible[0].setting) as stage:
        for scenario in possible:
            _say(f"{scenario.name}: {scenario.what} …")
            result = await play(stage, scenario, times=wanted.times, least=wanted.least)
            _say(
                f"    {result.verdict}: {result.operations} operations, {result.unknown} unknown, lost {result.lost},"
                f" repeated {result.repeated}, {result.seconds:g} s"
            )
            for finding in result.findings:
                _say("    " + finding[:SHOWN])
            done.append(result)
            if result.verdict != "ok":
                break
    return done


def _say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {line}", flush=True)


def main() -> int:
    results = asyncio.run(campaign(read_arguments(sys.argv[1:])))
    write(JSON, results)
    print(f"\n{table(results)}\n\n{JSON} has the details.")
    return 1 if any(one.verdict == "RED" for one in results) else 0


if __name__ == "__main__":
    sys.exit(main())
