"""A database and its keys belong together."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dawr.platform.crypto import Keyring
from dawr.platform.keyguard import OtherKeys, require_same_keys
from tests.conftest import make_services, new_database


async def test_other_keys_are_refused_and_rotated_ones_are_not(server_url: str, tmp_path: Path) -> None:
    services = make_services(new_database(server_url), tmp_path)
    await services.db.open()
    await require_same_keys(services.db, services.keyring)
    await require_same_keys(services.db, services.keyring.rotate(now=datetime(2030, 1, 1, tzinfo=UTC)))
    with pytest.raises(OtherKeys):
        await require_same_keys(services.db, Keyring.generate())
    await services.db.close()
