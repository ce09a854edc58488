"""Background work on patients: who was erased stays erased, whatever backup was put back."""

from dawr.patients import commands
from dawr.platform.jobs import periodic
from dawr.platform.logging import get_logger
from dawr.platform.services import Services

log = get_logger(__name__)


@periodic("erasures_kept", every_seconds=600)
async def keep_erased(services: Services) -> None:
    """Erases again whom the ledger in the data folder names and the database knows."""
    count = await commands.erase_again(services)
    if count:
        log.warning("erased_again", patients=count)
