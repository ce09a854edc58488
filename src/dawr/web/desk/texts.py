"""What the script of the desk may have to say."""

from dawr.web.phrases import Texts, Voice
from dawr.web.reception.texts import appointment_statuses


def desk_texts(voice: Voice) -> Texts:
    _ = voice.t.gettext
    return voice.staff_texts() | {
        "verbs": verbs(voice),
        "did": did(voice),
        "statuses": statuses(voice),
        "nobody": _("Nobody"),
        "queue_empty": _("Nobody is waiting."),
        "no_current": _("Call somebody first."),
        "desk": _("Desk %(desk)s"),
        "for_doctor": _("for %(doctor)s"),
        "late": _("late"),
        "priority": _("priority"),
        "emergency": _("emergency"),
        "more": _("More"),
        "since": {"minutes": voice.plural(lambda n: voice.t.ngettext("%(num)s min", "%(num)s min", n))},
        "undone": _("Taken back."),
        "signed_out": _("You are signed out."),
        "transfer_title": _("Send %(code)s to another clinic"),
        "appointment_statuses": appointment_statuses(voice),
        "history": _("History"),
        "and_more": voice.plural(lambda n: voice.t.ngettext("and %(num)s more", "and %(num)s more", n)),
    }


def verbs(voice: Voice) -> Texts:
    """The buttons."""
    _ = voice.t.gettext
    return {
        "call": _("Call"),
        "recall": _("Call again"),
        "serve": _("Start"),
        "done": _("Done"),
        "no_show": _("Not here"),
        "hold": _("Hold"),
        "resume": _("Back into the queue"),
        "rejoin": _("Let back in"),
        "transfer": _("Send on"),
        "cancel": _("Cancel"),
        "undo": _("Undo"),
    }


def did(voice: Voice) -> Texts:
    """What is said after each step."""
    _ = voice.t.gettext
    return {
        "call": _("%(code)s was called."),
        "recall": _("%(code)s was called again."),
        "serve": _("%(code)s is being served."),
        "done": _("%(code)s is done."),
        "no_show": _("%(code)s did not come."),
        "hold": _("%(code)s is on hold."),
        "resume": _("%(code)s waits again."),
        "rejoin": _("%(code)s is back in the queue."),
        "transfer": _("%(code)s was sent on."),
        "cancel": _("%(code)s is cancelled."),
    }


def statuses(voice: Voice) -> Texts:
    _ = voice.t.gettext
    return {
        "waiting": _("waiting"),
        "called": _("called"),
        "serving": _("being served"),
        "held": _("on hold"),
        "done": _("done"),
        "no_show": _("did not come"),
        "cancelled": _("cancelled"),
        "transferred": _("sent on"),
        "expired": _("over"),
    }
