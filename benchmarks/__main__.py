"""``python -m benchmarks [--quick] [NAME …]``: runs the measurements, prints their tables, keeps the figures as JSON."""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from benchmarks import enter, growth, morning, overload, patients, processor, side_by_side, streams, visits
from benchmarks.report import Section

SCENARIOS: dict[str, Callable[[bool], Awaitable[Section]]] = {
    "enter": enter.run,
    "peers": side_by_side.run,
    "overload": overload.run,
    "streams": streams.run,
    "growth": growth.run,
    "morning": morning.run,
    "processor": processor.run,
    "visits": visits.run,
    "patients": patients.run,
}
OUT = Path("var/bench.json")


def main() -> int:
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which of {', '.join(SCENARIOS)} (default: all)")
    parser.add_argument(
        "--quick", action="store_true", help="smaller runs: shows that they work, not what they measure"
    )
    parser.add_argument("--out", type=Path, default=OUT, help="where the figures go as JSON (default: %(default)s)")
    asked = parser.parse_args()
    unknown = set(asked.names) - set(SCENARIOS)
    if unknown:
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    sections = {}
    for name in asked.names or SCENARIOS:
        started = time.perf_counter()
        print(f"-- {name}", flush=True)
        sections[name] = uvloop.run(_run(SCENARIOS[name], quick=asked.quick))
        print(sections[name].table(), flush=True)
        print(f"   {time.perf_counter() - started:.0f} s", flush=True)
    _keep(asked.out, sections, quick=asked.quick)
    return 0 if all(section.kept for section in sections.values()) else 1


async def _run(scenario: Callable[[bool], Awaitable[Section]], *, quick: bool) -> Section:
    return await scenario(quick)


def _keep(path: Path, sections: dict[str, Section], *, quick: bool) -> None:
    about = {"cores": os.cpu_count(), "machine": platform.machine(), "python": sys.version.split()[0], "quick": quick}
    path.parent.mkdir(mode=0o711, exist_ok=True)
    path.write_text(json.dumps(about | {name: one.json() for name, one in sections.items()}, indent=1) + "\n")
    print(f"The figures: {path}")


if __name__ == "__main__":
    sys.exit(main())
