"""A database and its keys belong together."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dawr.platform import keyguard
from dawr.platform.crypto import Keyring
from dawr.platform.keyguard import OtherKeys, holding_keys, require_same_keys
from tests.conftest import make_services, new_database


async def test_other_keys_are_refused_and_rotated_ones_are_not(server_url: str, tmp_path: Path) -> None:
    services = make_services(new_database(server_url), tmp_path)
    await services.db.open()
    await require_same_keys(services.db, services.keyring)
    await require_same_keys(services.db, services.keyring.rotate(now=datetime(2030, 1, 1, tzinfo=UTC)))
    with pytest.raises(OtherKeys):
        await require_same_keys(services.db, Keyring.generate())
    await services.db.close()


async def test_a_running_process_says_which_keys_it_holds_and_takes_it_back(
    server_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = make_services(new_database(server_url), tmp_path)
    await services.db.open()

    async def holders() -> list[tuple[list[int], int]]:
        async with services.db.read() as tx:
            return [(row["key_ids"], row["primary_id"]) for row in await tx.rows("SELECT * FROM key_holder")]

    async def seen() -> object:
        async with services.db.read() as tx:
            return await tx.value("SELECT max(seen_at) FROM key_holder")

    monkeypatch.setattr(keyguard, "BEAT_SECONDS", 0.01)
    async with holding_keys(services.db, services.keyring):
        assert await holders() == [(list(services.keyring.key_ids), services.keyring.primary_id)]
        first = await seen()
        async with asyncio.timeout(5):
            while await seen() == first:
                await asyncio.sleep(0.01)
    assert await holders() == []
    await services.db.close()
