"""What the scripts of the patient's pages may have to say."""

from functools import cache

from dawr.records.rules import STARS
from dawr.web.phrases import Texts, Voice


@cache
def join_texts(voice: Voice) -> Texts:
    _ = voice.t.gettext
    return {
        "elsewhere": _("You already have ticket %(code)s in this queue. Please open it on the device you joined with."),
        "sending": _("Getting your ticket …"),
    }


@cache
def ticket_texts(voice: Voice) -> Texts:
    _ = voice.t.gettext
    return {
        "statuses": voice.statuses(),
        "ahead": voice.plural(voice.ahead),
        "wait": voice.wait_texts(),
        "unknown_wait": _("We cannot say yet how long it takes."),
        "late_sent": _("The staff know that you are late."),
        "title_called": _("Your turn: %(code)s"),
        "rated": _("Thank you for telling us."),
        "push_start": _("Tell me when it is my turn"),
        **_push_texts(voice),
    }


@cache
def appointment_texts(voice: Voice) -> Texts:
    _ = voice.t.gettext
    return {"push_start": _("Remind me on this device"), **_push_texts(voice)}


def _push_texts(voice: Voice) -> Texts:
    _ = voice.t.gettext
    return {
        "push": {
            "unsupported": _("This browser can tell you only while this page is open."),
            "denied": _("Your browser does not allow messages from this page. You can change that in its settings."),
            "off": "",
            "on": _("We tell you on this device, also when this page is closed."),
        },
        "push_stop": _("Tell me no more"),
    }


def appointment_states(voice: Voice) -> dict[str, tuple[str, str]]:
    """What an appointment's state means to whose it is: a headline and a sentence."""
    _ = voice.t.gettext
    return {
        "booked": (_("Your appointment is booked"), ""),
        "needs_rebooking": (
            _("Please choose another time"),
            _("The doctor cannot be there at this time. We are sorry."),
        ),
        "offered": (
            _("An earlier appointment is free"),
            _("We hold it for you until %(time)s. If you take it, it replaces your later appointment."),
        ),
        "checked_in": (_("You are checked in"), _("Your ticket tells you when it is your turn.")),
        "cancelled": (_("Your appointment is cancelled"), _("If you still need to be seen, please call us.")),
        "no_show": (_("You were missed"), _("If you come on the same day, you can still be seen.")),
        "declined": (_("You have declined this time"), _("You keep your place on the waiting list.")),
        "lapsed": (_("This offer is over"), _("The time was offered to the next who waits.")),
    }


@cache
def star_texts(voice: Voice) -> list[tuple[int, str]]:
    """Each number of stars with how a screen reader says it."""
    return [(one, voice.t.ngettext("%(num)s star", "%(num)s stars", one) % {"num": one}) for one in STARS]
