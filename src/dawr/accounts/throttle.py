"""How often a password may be guessed, so that guessing is hopeless and nobody can lock a colleague out by trying.

Only failures count. A stranger's device is limited by its network address, by address and e-mail together, and by e-mail
from everywhere. A device on which this account has signed in before (OWASP's device cookie) has a count of its own and
none of the others: whatever somebody else tries, from the same Wi-Fi or from anywhere, it does not use that up.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

from dawr.accounts import store_directory as directory
from dawr.accounts.rules import TooManyAttempts
from dawr.platform.addresses import limit_bucket
from dawr.platform.errors import Forbidden, TooManyRequests, Unauthenticated
from dawr.platform.ratelimit import Limit
from dawr.platform.services import Services

_HOUR = timedelta(hours=1)
ADDRESS = Limit("sign_in_address", 120, _HOUR, 60)
ADDRESS_EMAIL = Limit("sign_in_address_email", 20, _HOUR, 10)
EMAIL = Limit("sign_in_email", 60, _HOUR, 30)
DEVICE = Limit("sign_in_device", 30, _HOUR, 10)
PASSWORD = Limit("password_change", 20, _HOUR, 10)
Pairs = Sequence[tuple[Limit, str]]


def of_sign_in(services: Services, *, email: str, address: str, device: str | None) -> Pairs:
    """What one attempt counts against; ``device`` names a known one."""
    if device is not None:
        return [(DEVICE, device)]
    who, where = directory.email_index(services.keyring, email).hex(), limit_bucket(address)
    return [(ADDRESS, where), (ADDRESS_EMAIL, f"{where} {who}"), (EMAIL, who)]


def of_password(account_id: UUID) -> Pairs:
    return [(PASSWORD, str(account_id))]


@asynccontextmanager
async def failures_only(services: Services, pairs: Pairs) -> AsyncIterator[None]:
    """Counts what happens inside if it fails for a wrong secret. ``TooManyAttempts`` before it begins.

    It is counted first and given back afterwards: attempts made at the same moment cannot slip through together.
    """
    try:
        await services.limits.check(*pairs)
    except TooManyRequests as error:
        raise TooManyAttempts(retry_after=error.retry_after) from error
    try:
        yield
    except (Unauthenticated, Forbidden):
        raise
    except BaseException:
        await _give_back(services, pairs)
        raise
    await _give_back(services, pairs)


async def _give_back(services: Services, pairs: Pairs) -> None:
    if services.limits.enabled:
        async with services.db.write() as tx:
            await directory.give_back(tx, services.keyring, pairs)
