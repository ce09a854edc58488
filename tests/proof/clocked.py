"""The program with a clock that a file moves: ``python -m tests.proof.clocked FILE serve --demo …``.

The product is composed as always and given this clock, as any clock may be given to it. The file holds by how many seconds its
time differs from the machine's.
"""

import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import dawr.server
from dawr import cli
from dawr.app import build_services


class FileClock:
    """The machine's clock, moved by what stands in the file at that moment."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=float(self._file.read_text()))


def write_offset(file: Path, offset: timedelta) -> None:
    """Moves the clock for all who read the file, who see the one or the other and never half of it."""
    unfinished = file.with_suffix(".new")
    unfinished.write_text(str(offset.total_seconds()))
    unfinished.replace(file)


def main(file: str, *arguments: str) -> None:
    server: Any = dawr.server
    server.build_services = partial(build_services, clock=FileClock(Path(file)))
    sys.argv = ["dawr", *arguments]
    cli.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
