"""The drawers that there are."""

from dawr.notifications.channel import Channel
from dawr.notifications.channels.email import Email
from dawr.notifications.channels.push import Push
from dawr.notifications.channels.sms import Sms
from dawr.notifications.channels.whatsapp import WhatsApp
from dawr.platform.services import Services

_DRAWERS = (Email, Sms, Push, WhatsApp)


def configured(services: Services) -> list[Channel]:
    """One of each; each knows by itself which facilities use it."""
    return [drawer(services) for drawer in _DRAWERS]


def fresh(services: Services, name: str) -> Channel:
    """One for a single message: with the settings as they are at this moment. Whoever asks closes it."""
    return next(drawer(services) for drawer in _DRAWERS if drawer.name == name)
