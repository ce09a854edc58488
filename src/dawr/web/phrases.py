"""Sentences that the server paints first and the scripts repaint later: written once, here, for both.

A text with a plural goes to the scripts as ``{CLDR category: text}``; they choose with ``Intl.PluralRules``.
The scripts fill ``%(name)s`` themselves. What is decided here about a wait or a status is decided in
``static/words.js`` in the same way; a browser test compares the two.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from gettext import NullTranslations
from math import ceil
from typing import Any

from babel import Locale

from dawr.platform.i18n import translator

Texts = dict[str, Any]
# One number of each plural category that Arabic, English or Hindi know: zero, one, two, few, many, other.
SAMPLES = (0, 1, 2, 3, 11, 100)
MINUTES_UP_TO = 90


@dataclass(frozen=True, slots=True)
class Voice:
    """A language and its translations."""

    lang: str

    @property
    def t(self) -> NullTranslations:
        return translator(self.lang)

    def plural(self, text: Callable[[int], str]) -> dict[str, str]:
        """``{"one": "%(num)s person …", "other": "%(num)s people …"}``."""
        category = Locale.parse(self.lang).plural_form
        return {category(number): text(number) for number in SAMPLES}

    def about_minutes(self, number: int) -> str:
        return self.t.ngettext("about %(num)s minute", "about %(num)s minutes", number)

    def minutes(self, high: int) -> str:
        return self.t.ngettext("%(low)s to %(num)s minute", "%(low)s to %(num)s minutes", high)

    def up_to_hours(self, high: int) -> str:
        return self.t.ngettext("up to %(num)s hour", "up to %(num)s hours", high)

    def hours(self, high: int) -> str:
        return self.t.ngettext("%(low)s to %(num)s hour", "%(low)s to %(num)s hours", high)

    def ahead(self, number: int) -> str:
        return self.t.ngettext("%(num)s person is before you", "%(num)s people are before you", number)

    def wait(self, wait: Mapping[str, Any] | None) -> str:
        """A wait as the API gives it, in words; empty when there is nothing honest to say."""
        if wait is None:
            return ""
        text, low, high = wait_shape(wait["low_minutes"], wait["high_minutes"])
        sentences = {
            "moment": lambda _: self.t.gettext("less than a minute"),
            "about_minutes": self.about_minutes,
            "minutes": self.minutes,
            "up_to_hours": self.up_to_hours,
            "hours": self.hours,
        }
        return sentences[text](high) % {"low": low, "num": high}

    def status(self, ticket: Mapping[str, Any]) -> tuple[str, str]:
        """What a ticket's state means to who holds it: a headline and a sentence."""
        key = status_key(ticket)
        headline, sentence = self.statuses()[key]
        if key == "waiting":
            sentence = self.ahead(ticket["ahead"]) % {"num": ticket["ahead"]}
        return headline, sentence % {"desk": ticket["desk"]} if key == "called_desk" else sentence

    @cache  # noqa: B019 - a voice is only its language
    def statuses(self) -> dict[str, tuple[str, str]]:
        _ = self.t.gettext
        return {
            "waiting": (_("Please wait"), ""),
            "next": (_("You are next"), _("Please stay near; you will be called in a moment.")),
            "called": (_("It is your turn"), _("Please go in now.")),
            "called_desk": (_("It is your turn"), _("Please go to desk %(desk)s now.")),
            "serving": (_("You are being served"), _("The staff are taking care of you.")),
            "held": (_("Your ticket is on hold"), _("Please stay near. The staff will bring you back into the queue.")),
            "done": (_("You are done here"), _("Thank you for your visit.")),
            "no_show": (_("You were called"), _("Nobody came, so others were called. Please speak to the staff.")),
            "cancelled": (_("This ticket is cancelled"), _("If you still need to be seen, please join again.")),
            "transferred": (_("You were sent on"), _("You are now in the queue of another clinic.")),
            "expired": (_("This ticket is over"), _("It was for an earlier day. Please join again.")),
        }

    @cache  # noqa: B019
    def common_texts(self) -> Texts:
        """What every script of ours may have to say."""
        _ = self.t.gettext
        return {
            "offline": _("No connection. Trying again …"),
            "problem": _("This did not work. Please try again."),
        }

    def staff_texts(self) -> Texts:
        """For every page of the staff: its inbox and its forms."""
        _ = self.t.gettext
        return {
            "unread": self.plural(lambda n: self.t.ngettext("%(num)s new message", "%(num)s new messages", n)),
            "mark_read": _("Mark as read"),
            "check_field": _("Please check this field."),
            "fill_in": _("Please fill this in."),
            "signed_out": _(
                "You are signed out. Sign in in the other window, then try again; what you have typed stays here."
            ),
            "sign_in": _("Sign in"),
        }

    def wait_texts(self) -> Texts:
        return {
            "moment": self.t.gettext("less than a minute"),
            "about_minutes": self.plural(self.about_minutes),
            "minutes": self.plural(self.minutes),
            "up_to_hours": self.plural(self.up_to_hours),
            "hours": self.plural(self.hours),
        }


def wait_shape(low: int, high: int) -> tuple[str, int, int]:
    """Which sentence fits a range of minutes, and its two numbers: rounded outwards, so never promising too much.

    ``(4, 7)`` → minutes 4 to 7; ``(24, 43)`` → minutes 20 to 45; ``(80, 130)`` → hours 1 to 3.
    """
    if high < 1:
        return "moment", 0, 0
    if high > MINUTES_UP_TO:
        low, high = low // 60, ceil(high / 60)
        return ("hours" if low else "up_to_hours"), low, high
    if high > 20:
        low, high = low // 5 * 5, ceil(high / 5) * 5
    return ("minutes" if low < high else "about_minutes"), low, high


def status_key(ticket: Mapping[str, Any]) -> str:
    """The name of a ticket's sentence: its status, finer where the place or the desk matters."""
    status: str = ticket["status"]
    if status == "waiting" and ticket["ahead"] == 0:
        return "next"
    return "called_desk" if status == "called" and ticket["desk"] else status
