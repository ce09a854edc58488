"""By which names inboxes wake those who look at them, pure. The floor that keeps inboxes says for whom there is something, the
one that holds the streams knows who listens; neither knows the other."""

from collections.abc import Collection

from dawr.accounts.rules import Actor, Right, Role

PREFIX = "inbox:"
LATEST = "inbox_latest"
"""The addition that answers ``async (tx) -> object``: something that is another one when the facility has a younger notice."""


def names_of(roles: Collection[str], clinics: Collection[str]) -> frozenset[str]:
    """What wakes for something that is for these roles, and where it is about clinics, for the doctors of these alone."""
    plain = {PREFIX + role for role in roles if role != Role.DOCTOR or not clinics}
    return frozenset(plain | ({_of_doctors(one) for one in clinics} if Role.DOCTOR in roles else set()))


def heard_by(actor: Actor) -> frozenset[str]:
    """The names to which somebody listens; ``Forbidden`` for those without an inbox."""
    actor.require(Right.INBOX)
    own = {PREFIX + actor.role} if actor.role else set()
    return frozenset(own | ({_of_doctors(one) for one in actor.clinics} if actor.role is Role.DOCTOR else set()))


def _of_doctors(clinic: str) -> str:
    return f"{PREFIX}{Role.DOCTOR}:{clinic}"
