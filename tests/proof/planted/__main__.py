"""Plants every bug in a copy of the product and tells which check caught it: ``python -m tests.proof.planted [--only NAME]``.

Each check must be green on the copy as it is and red with its bug. Exit code 1 where a bug was not caught.
"""

import argparse
import asyncio
import functools
import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.proof.planted.bugs import Bug, DoesNotApplyError, load
from tests.proof.planted.checking import Run, exists, run_checks
from tests.proof.planted.copies import ROOT, Copy, copy_of_the_product

AT_ONCE = 2
FEW = 6
SHOWN = 300
RESULT = ROOT / "var" / "planted.json"


@dataclass(frozen=True, slots=True)
class Verdict:
    """``reason`` says why a bug was not caught, ``shown`` what the check said when it turned red."""

    bug: str
    title: str
    files: str
    check: str
    caught: bool
    reason: str
    shown: str
    seconds: float


async def plant(bug: Bug, sound: Copy, not_green: str) -> Verdict:
    """Plants one bug and runs its check; ``not_green`` says why that check means nothing on the ``sound`` copy."""
    if not_green:
        return _verdict(bug, f"the check is not green without the bug: {not_green}", None)
    with copy_of_the_product(sound.source) as copy:
        try:
            bug.apply(copy.source)
        except DoesNotApplyError as error:
            return _verdict(bug, str(error), None)
        run = await run_checks(copy, [bug.check])
    return _verdict(bug, run.not_red(bug.check), run)


def _verdict(bug: Bug, reason: str, run: Run | None) -> Verdict:
    shown, seconds = (run.first_failure(bug.check), run.seconds) if run else ("", 0.0)
    return Verdict(bug.name, bug.title, bug.files, bug.check, not reason, reason, shown, round(seconds, 1))


async def look(sound: Copy, checks: Sequence[str]) -> dict[str, str]:
    """Why each check is not green without bugs; empty where it is. Two runs at a time where that is worth a second one."""
    known = [one for one in checks if exists(one)]
    parts = [part for part in ((known[::2], known[1::2]) if len(known) > FEW else (known,)) if part]
    runs = await asyncio.gather(*(run_checks(sound, part) for part in parts))
    found = {check: run.not_green(check) for part, run in zip(parts, runs, strict=True) for check in part}
    return {check: found.get(check, "there is no such check") for check in checks}


async def plant_all(bugs: Sequence[Bug], told: Callable[[str], None]) -> list[Verdict]:
    """First every check without bugs, then every bug, two at a time, all on copies of one state of the source."""
    gate, done = asyncio.Semaphore(AT_ONCE), 0
    checks = list(dict.fromkeys(one.check for one in bugs))

    async def one(bug: Bug) -> Verdict:
        nonlocal done
        async with gate:
            verdict = await plant(bug, sound, not_green[bug.check])
        done += 1
        word = "caught" if verdict.caught else f"NOT CAUGHT: {verdict.reason[:SHOWN]}"
        told(f"  {done}/{len(bugs)} {bug.name}: {word} ({verdict.seconds:.1f} s)")
        return verdict

    told(f"{len(bugs)} planted bugs, {len(checks)} checks; first the checks without bugs")
    with copy_of_the_product() as sound:
        not_green = await look(sound, checks)
        return await asyncio.gather(*map(one, bugs))


def table(verdicts: Sequence[Verdict]) -> str:
    """One line a bug: what is wrong, where, the check that must see it, whether it did."""
    rows = [("bug", "file", "check", "verdict", "seconds")]
    rows += [
        (one.title, one.files, one.check, "caught" if one.caught else "NOT CAUGHT", f"{one.seconds:.1f}")
        for one in verdicts
    ]
    widths = [max(len(row[place]) for row in rows) for place in range(5)]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:]])


def write(verdicts: Sequence[Verdict], seconds: float, path: Path = RESULT) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    found = {"caught": sum(one.caught for one in verdicts), "planted": len(verdicts), "seconds": round(seconds, 1)}
    path.write_text(json.dumps(found | {"bugs": [asdict(one) for one in verdicts]}, indent=1) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proof.planted", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this bug alone; may be repeated")
    # Told to end, it ends its runs and takes away its copies, as with Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started, only = time.monotonic(), parser.parse_args().only
    try:
        bugs = load(only)
    except DoesNotApplyError as error:
        parser.error(str(error))
    verdicts = asyncio.run(plant_all(bugs, functools.partial(print, flush=True)))
    seconds = time.monotonic() - started
    if not only:
        write(verdicts, seconds)
    caught = [one for one in verdicts if one.caught]
    print(f"\n{table(verdicts)}\n\n{len(caught)} of {len(verdicts)} planted bugs caught in {seconds:.0f} s")
    for missed in (one for one in verdicts if not one.caught):
        print(f"NOT CAUGHT {missed.bug}: {missed.reason}")
    return 0 if len(caught) == len(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
