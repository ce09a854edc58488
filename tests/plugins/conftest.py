"""Plugins of the tests, installed where their processes look for packages."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from dawr.plugins.process import PluginProcess
from tests.conftest import House

Install = Callable[[str, str], PluginProcess]


@pytest.fixture
async def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Install]:
    """Installs a plugin of this name and source (with a class ``Plugin``); its process, with two seconds for a hook."""
    made: list[PluginProcess] = []
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("DAWR_PLUGIN_NOTES", str(tmp_path / "notes"))

    def installing(name: str, source: str) -> PluginProcess:
        (tmp_path / f"{name}_plugin.py").write_text(source)
        folder = tmp_path / f"{name}-1.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        (folder / "entry_points.txt").write_text(f"[dawr.plugins]\n{name} = {name}_plugin:Plugin\n")
        made.append(PluginProcess(name, seconds=2.0))
        return made[-1]

    yield installing
    for one in made:
        await one.close()


@pytest.fixture
def notes(tmp_path: Path) -> Callable[[], list[dict[str, str]]]:
    """What the plugins of this test have written down."""

    def read() -> list[dict[str, str]]:
        path = tmp_path / "notes"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    return read


NOTING = """
import json, os
from dawr.hooks import hookimpl

def note(happening, **more):
    with open(os.environ["DAWR_PLUGIN_NOTES"], "a") as notes:
        notes.write(json.dumps({"id": happening.id, "type": happening.type, "facility": happening.facility, **more}) + "\\n")
"""


async def until_settled(house: House) -> None:
    """Waits until no transaction that began before can still add to the log."""
    async with house.services.db.read(house.facility.id) as tx:
        mark = await tx.value("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
    while True:
        async with house.services.db.read(house.facility.id) as tx:
            if await tx.value("SELECT pg_snapshot_xmin(pg_current_snapshot()) >= %(mark)s::xid8", mark=mark):
                return
        await asyncio.sleep(0.02)
