"""What the doctor's pages and their scripts may have to say."""

from dawr.web.desk.texts import did, statuses, verbs
from dawr.web.phrases import Texts, Voice
from dawr.web.reception.texts import appointment_statuses, genders, visit_statuses


def consultation_texts(voice: Voice) -> Texts:
    _ = voice.t.gettext
    return history_texts(voice) | {
        "verbs": verbs(voice),
        "did": did(voice),
        "statuses": statuses(voice),
        "queue_empty": _("Nobody is waiting."),
        "check_code": _("Letters, digits and . _ - only, a letter first."),
        "ended": _("%(code)s is over (%(status)s). Nothing more can be saved for it."),
        "away": _("%(code)s is not at a desk now (%(status)s). What you write can be saved once they are called."),
        "saved": _("The consultation of %(code)s is saved."),
        "saved_again": _("Another version for %(code)s is saved."),
        "withdrawn": _("The consultation of %(code)s is withdrawn."),
        "saved_and_sent": _("The consultation of %(code)s is saved; the patient was sent on to %(clinic)s."),
    }


def history_texts(voice: Voice) -> Texts:
    _ = voice.t.gettext
    return voice.staff_texts() | {
        "born": _("born %(date)s"),
        "no_phone": _("no phone"),
        "erased": _("erased"),
        "genders": genders(voice),
        "outcomes": outcomes(voice),
        "kinds": {"visit": _("Visit"), "consultation": _("Consultation"), "appointment": _("Appointment")},
        "visit_statuses": visit_statuses(voice),
        "appointment_statuses": appointment_statuses(voice),
        "amended": _("amended"),
        "entered_in_error": _("entered in error"),
        "closer": _("Versions and changes"),
        "version": _("Version %(number)s"),
        "no_notes": _("The notes are gone: this patient was erased."),
        "minutes": voice.plural(lambda n: voice.t.ngettext("%(num)s min", "%(num)s min", n)),
    }


def outcomes(voice: Voice) -> Texts:
    """The codes that every facility understands; others are its own."""
    _ = voice.t.gettext
    return {
        "treated": _("treated"),
        "follow_up": _("to come again"),
        "admitted": _("admitted"),
        "fit": _("fit"),
        "unfit": _("unfit"),
    }
