"""The drawers that there are."""

from dawr.notifications.channel import Channel
from dawr.notifications.channels.email import Email
from dawr.notifications.channels.push import Push
from dawr.notifications.channels.sms import Sms
from dawr.notifications.channels.whatsapp import WhatsApp
from dawr.platform.services import Services


def configured(services: Services) -> list[Channel]:
    """One of each; each knows by itself which facilities use it."""
    return [Email(services), Sms(services), Push(services), WhatsApp(services)]
