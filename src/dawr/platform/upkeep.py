"""What the platform tidies up by itself."""

from dawr.platform.jobs import periodic
from dawr.platform.services import Services


@periodic("rate_limits_swept", every_seconds=600)
async def sweep_rate_limits(services: Services) -> None:
    """Deletes what rate limits remember of callers who were quiet since."""
    while await services.limits.sweep():
        pass
