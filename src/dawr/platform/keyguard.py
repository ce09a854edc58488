"""The keys belong to the database: with others, what is sealed could not be read and printed secrets would open nothing.

The first start leaves a code that only the holder of the keys can make; every later start checks it, so that a lost
``keys.json``, replaced by fresh keys without a word, is noticed before anything is written with them.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import CheckConstraint, Column, LargeBinary, SmallInteger, text

from dawr.platform.crypto import Keyring, KeyringError
from dawr.platform.db import Database
from dawr.platform.schema import global_table

installation = global_table(
    "installation",
    Column("id", SmallInteger, primary_key=True, server_default=text("1")),
    Column("key_id", SmallInteger, nullable=False),
    Column("code", LargeBinary, nullable=False),
    CheckConstraint("id = 1", name="only_one"),
    reason="one row an installation: which keys its database was written with",
    grants="SELECT, INSERT",
)

_REMEMBER = "INSERT INTO installation (key_id, code) VALUES (%(key_id)s, %(code)s) ON CONFLICT DO NOTHING"
KNOWN = "SELECT key_id, code FROM installation"
_PURPOSE, _MESSAGE = "installation", b"dawr"


class OtherKeys(KeyringError):
    """The keyring is not the one this database was written with."""

    def __init__(self) -> None:
        super().__init__(
            "These are not the keys this database was written with. Put the right keys.json (or DAWR_KEYS) back from its copy; "
            "with other keys, names and phones could not be read and no ticket's address would open."
        )


async def require_same_keys(db: Database, keyring: Keyring) -> None:
    """Remembers the keys at the first start; ``OtherKeys`` at a later one with others."""
    async with db.write() as tx:
        key_id, code = code_of(keyring)
        await tx.execute(_REMEMBER, key_id=key_id, code=code)
        known = await tx.row(KNOWN)
    assert known is not None
    if not fits(keyring, known):
        raise OtherKeys


def code_of(keyring: Keyring) -> tuple[int, bytes]:
    """The primary key's id and the code by which a database knows its keys."""
    return keyring.mac(_PURPOSE, _MESSAGE)


def fits(keyring: Keyring, known: Mapping[str, Any]) -> bool:
    """Whether these are the keys of the row that ``KNOWN`` finds."""
    return keyring.verify_mac(_PURPOSE, _MESSAGE, known["key_id"], bytes(known["code"]))
