"""What the campaign found, as one table and as JSON."""

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.proof.faults import Result

TITLES = (
    "what was tried",
    "times",
    "operations",
    "acknowledged",
    "unknown",
    "resolved",
    "slowest s",
    "standstill s",
    "lost",
    "repeated",
    "verdict",
)


def _cells(one: Result) -> tuple[str, ...]:
    if one.skipped:
        return (one.what, *("–" for _ in TITLES[1:-1]), one.verdict)
    counts = (one.times, one.operations, one.acknowledged, one.unknown, one.resolved)
    times = (f"{one.slowest:.2f}", f"{one.standstill:.2f}")
    return (one.what, *map(str, counts), *times, str(one.lost), str(one.repeated), one.verdict)


def table(results: Sequence[Result]) -> str:
    """One line for each scenario, and one for all of them."""
    rows = [TITLES, *map(_cells, results), _cells(total(results))]
    widths = [max(len(row[place]) for row in rows) for place in range(len(TITLES))]
    lines = ["  ".join(_padded(row, widths)).rstrip() for row in rows]
    rule = "  ".join("-" * width for width in widths)
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    last = len(row) - 1
    return [
        cell.ljust(width) if place in (0, last) else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def total(results: Sequence[Result]) -> Result:
    """Everything together; red where anything is."""
    red = tuple(one.name for one in results if one.verdict == "RED")
    tried = [one for one in results if not one.skipped]
    return Result(
        "total",
        f"all {len(tried)}",
        times=sum(one.times for one in tried),
        operations=sum(one.operations for one in tried),
        acknowledged=sum(one.acknowledged for one in tried),
        unknown=sum(one.unknown for one in tried),
        resolved=sum(one.resolved for one in tried),
        slowest=max((one.slowest for one in tried), default=0.0),
        standstill=max((one.standstill for one in tried), default=0.0),
        lost=sum(one.lost for one in tried),
        repeated=sum(one.repeated for one in tried),
        seconds=round(sum(one.seconds for one in tried), 1),
        findings=red,
    )


def write(path: Path, results: Sequence[Result]) -> None:
    """The figures and the machine they were taken on."""
    machine = {"system": platform.platform(), "python": platform.python_version(), "cores": os.cpu_count()}
    content = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine}
    scenarios = [one.as_json() for one in results]
    path.parent.mkdir(mode=0o711, exist_ok=True)
    path.write_text(json.dumps(content | {"scenarios": scenarios, "total": total(results).as_json()}, indent=2) + "\n")
