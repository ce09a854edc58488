"""Passwords: hashed with Argon2id, at most two at a time, away from the event loop.

The parameters are OWASP's (19 MiB, two passes, one lane): about 20 ms. Two threads bound what a flood of attempts can take
from a small machine; those who wait for them are bounded too.
"""

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from dawr.platform.errors import Unavailable

HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16)
# What is compared where an e-mail address has no account: the same work, and nobody's password. Made by HASHER.
NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$/4QZWDE9yI+uiJajPUE40w$/6MpmMVvwD2XXNZVKAdIlSGW+cEx8eUPftj977324OY"
MOST_WAITING = 64
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="password")
_waiting = 0
T = TypeVar("T")


async def hashed(password: str) -> str:
    return await _away(lambda: HASHER.hash(_plain(password)))


async def verified(known: str | None, password: str) -> bool:
    """Whether it is the password of this hash. None stands for an account that is not there: false, after the same time."""
    right = await _away(lambda: _verify(known or NOBODY, password))
    return right and known is not None


def outdated(known: str) -> bool:
    """Whether the hash was made with other parameters than are asked for now."""
    return HASHER.check_needs_rehash(known)


def generated() -> str:
    """A random password of 100 bits that can be read aloud: ``k7mq-…`` in five groups."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(5))


def _plain(password: str) -> str:
    """Two keyboards may write one letter differently."""
    return unicodedata.normalize("NFKC", password)


def _verify(known: str, password: str) -> bool:
    try:
        return HASHER.verify(known, _plain(password))
    except VerificationError:
        return False


async def _away(work: Callable[[], T]) -> T:
    global _waiting
    if _waiting >= MOST_WAITING:
        raise Unavailable(retry_after=2)
    _waiting += 1
    try:
        return await asyncio.get_running_loop().run_in_executor(_threads, work)
    finally:
        _waiting -= 1
