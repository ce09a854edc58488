"""Background work of accounts."""

from datetime import timedelta

from dawr.accounts import store_directory as directory
from dawr.platform.jobs import periodic
from dawr.platform.logging import get_logger
from dawr.platform.services import Services

KEPT = timedelta(days=90)
log = get_logger(__name__)


@periodic("sessions_purged", cron="17 3 * * *")
async def purge_sessions(services: Services) -> None:
    """Sessions that ended three months ago are no longer of use to anybody."""
    async with services.db.write() as tx:
        gone = await directory.purge(tx, older_than=KEPT)
    log.info("sessions_purged", count=gone)
