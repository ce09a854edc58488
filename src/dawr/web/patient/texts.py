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
    }


@cache
def star_texts(voice: Voice) -> list[tuple[int, str]]:
    """Each number of stars with how a screen reader says it."""
    return [(one, voice.t.ngettext("%(num)s star", "%(num)s stars", one) % {"num": one}) for one in STARS]
