"""Who was erased, outside the database: a file that only grows, so that a backup put back cannot bring anybody back.

One line of JSON an erasure, ids and the moment alone, on disk before the erasure commits. It lies in the data folder and has
to be kept with the newest backup, not inside an older one.
"""

import json
import os
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from uuid import UUID

NAME = "erased.jsonl"


def add(folder: Path, facility: UUID, patients: Iterable[UUID], at: datetime) -> None:
    """Writes the lines and waits until the disk has them."""
    lines = [
        json.dumps({"facility": str(facility), "patient": str(one), "at": at.isoformat()}) + "\n" for one in patients
    ]
    handle = os.open(folder / NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        # A line that a crash cut short must not swallow the next one: the first is begun on a line of its own.
        os.write(handle, ("\n" + "".join(lines)).encode())
        os.fsync(handle)
    finally:
        os.close(handle)
    _sync_folder(folder)


def read(folder: Path) -> dict[UUID, list[UUID]]:
    """The erased patients of each facility. What a crash cut short is passed over: its erasure never committed."""
    erased: dict[UUID, list[UUID]] = defaultdict(list)
    path = folder / NAME
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        try:
            one = json.loads(line)
            erased[UUID(one["facility"])].append(UUID(one["patient"]))
        except (ValueError, KeyError, TypeError):
            continue
    return dict(erased)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
