"""What a message to a webhook says, and one by which an administrator sees whether the other side takes it."""

import orjson

from dawr.facilities.queries import Context
from dawr.platform.events import Recorded
from dawr.platform.ids import new_id
from dawr.platform.outgoing import ForbiddenAddress, NotSent, OutcomeUnknown, Outgoing
from dawr.platform.signatures import signed
from dawr.webhooks.rules import Webhook, message_id

INTERNAL = frozenset({"before"})
TEST = "test"
"""No event has this name."""


def content(facility: str, recorded: Recorded) -> bytes:
    """The body of a message; always the same for the same event."""
    data = {name: value for name, value in recorded.data.items() if name not in INTERNAL}
    return orjson.dumps(
        {
            "type": recorded.type,
            "timestamp": recorded.at.isoformat(),
            "data": {"facility": facility, "entity": recorded.entity, "version": recorded.version, **data},
        }
    )


async def try_webhook(here: Context, webhook: Webhook) -> tuple[int | None, str | None]:
    """The status that was answered, or why there was none. In no transaction while the other side is asked."""
    at = here.services.clock.now()
    body = content(here.facility.slug, Recorded("", 0, str(webhook.id), TEST, {}, here.actor.label, at))
    headers = signed(webhook.secrets, id=message_id(webhook.id, f"{TEST}:{new_id(at)}"), at=at, body=body)
    outgoing = Outgoing(private=here.services.settings.outgoing_networks)
    try:
        said = await outgoing.post(webhook.url, body, headers | {"content-type": "application/json"})
    except ForbiddenAddress:
        return None, "private_address"
    except (NotSent, OutcomeUnknown):
        return None, "no_answer"
    finally:
        await outgoing.close()
    return said.status, None
