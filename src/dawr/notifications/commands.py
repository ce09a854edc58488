"""The verbs of whoever reads and administers notifications."""

from collections.abc import Sequence
from uuid import UUID

from dawr.accounts.rules import Actor, Right
from dawr.facilities.rules import ChangedMeanwhile
from dawr.notifications import rules as own
from dawr.notifications import store, store_deliveries
from dawr.notifications.channel import channels_of
from dawr.notifications.queries import DeliveryView
from dawr.notifications.rules import Quiet, Rule, Rules
from dawr.notifications.rules_channels import INBOX
from dawr.platform.db import WriteTx
from dawr.platform.services import Services

KNOWN_CHANNELS = frozenset({INBOX, "sms", "email", "push", "whatsapp"})
"""What a rule may name, whether it is set up here or not; a channel that a plugin adds may be named once it is there."""


async def read(tx: WriteTx, actor: Actor, *, notice: UUID) -> None:
    """Marks a notice of the actor's inbox as read by them."""
    actor.require(Right.INBOX)
    await store.mark_read(tx, actor, notice)


async def read_all(tx: WriteTx, actor: Actor) -> None:
    actor.require(Right.INBOX)
    await store.mark_all_read(tx, actor)


async def set_rules(
    tx: WriteTx,
    services: Services,
    actor: Actor,
    *,
    rules: Sequence[Rule],
    quiet: Quiet | None,
    version: int | None = None,
) -> Rules:
    """Replaces the facility's rules. ``version`` is the one that was read; another one now is ``ChangedMeanwhile``."""
    before = await store.load_rules_for(tx, actor)
    if version is not None and version != before.version:
        raise ChangedMeanwhile(extra={"current": {"version": before.version}})
    checked = own.checked(rules, KNOWN_CHANNELS | set(channels_of(services)))
    saved = Rules(checked, quiet or before.quiet, before.version + 1)
    await store.save_rules(tx, actor, saved)
    return saved


async def resend(tx: WriteTx, actor: Actor, *, delivery: UUID) -> DeliveryView:
    """A dead letter goes out once more, worth as long again as it was at first."""
    one = await store_deliveries.load_for(tx, actor, delivery)
    worth = max(one.deadline - one.created_at, own.WORTH[own.Moment.YOUR_TURN])
    await store_deliveries.send_again(
        tx, actor, one, deadline=max(one.deadline, tx.now + min(worth, own.OTHERWISE_WORTH))
    )
    return one
