"""What reception's page and its scripts may have to say."""

from dawr.web.phrases import Texts, Voice


def reception_texts(voice: Voice) -> Texts:
    return (
        {
            "genders": genders(voice),
            "languages": languages(voice),
            "visit_statuses": visit_statuses(voice),
            "appointment_statuses": appointment_statuses(voice),
            "reasons": reasons(voice),
        }
        | voice.staff_texts()
        | _finding(voice)
        | _doing(voice)
    )


def _finding(voice: Voice) -> Texts:
    _ = voice.t.gettext
    return {
        "found": voice.plural(lambda n: voice.t.ngettext("%(num)s patient found", "%(num)s patients found", n)),
        "found_none": _("Nobody was found. Check the spelling, or register a new patient."),
        "born": _("born %(date)s"),
        "no_phone": _("no phone"),
        "erased": _("erased"),
        "desk": _("Desk %(desk)s"),
        "floor": _("Floor %(floor)s"),
        "visits_none": _("No visits."),
        "appointments_none": _("No appointments."),
        "any_doctor": _("Any doctor"),
    }


def _doing(voice: Voice) -> Texts:
    _ = voice.t.gettext
    return {
        "registered": _("%(name)s is registered."),
        "visit_made": _("Visit %(number)s, ticket %(code)s."),
        "booked": _("Booked: %(date)s, %(time)s."),
        "slots_none": _("No free slots on this day."),
        "left": voice.plural(lambda n: voice.t.ngettext("%(num)s place", "%(num)s places", n)),
        "late": _("Checked in late: the place in the queue is that of somebody who joins now."),
        "waits_already": _("Show that visit"),
        "needs_rebooking": _("needs rebooking"),
        "cancel": _("Cancel"),
        "no_show": _("Not here"),
        "reopen": _("Reopen"),
        "check_in": _("Check in"),
        "slip": _("Ticket"),
        "did": {
            "cancel": _("%(what)s is cancelled."),
            "no_show": _("%(what)s did not come."),
            "reopen": _("%(what)s is open again."),
            "check_in": _("%(what)s is checked in."),
        },
    }


def genders(voice: Voice) -> Texts:
    _ = voice.t.gettext
    return {"female": _("female"), "male": _("male"), "other": _("other"), "unknown": _("not known")}


def languages(voice: Voice) -> Texts:
    """In which somebody is told things, in the reader's language."""
    _ = voice.t.gettext
    return {"ar": _("Arabic"), "en": _("English"), "hi": _("Hindi")}


def priorities(voice: Voice) -> Texts:
    _ = voice.t.gettext
    return {"normal": _("normal"), "priority": _("priority"), "emergency": _("emergency")}


def visit_statuses(voice: Voice) -> Texts:
    _ = voice.t.gettext
    return {
        "waiting": _("waiting"),
        "in_progress": _("in progress"),
        "completed": _("completed"),
        "cancelled": _("cancelled"),
        "no_show": _("did not come"),
    }


def appointment_statuses(voice: Voice) -> Texts:
    _ = voice.t.gettext
    return {
        "offered": _("offered"),
        "booked": _("booked"),
        "checked_in": _("checked in"),
        "cancelled": _("cancelled"),
        "no_show": _("did not come"),
        "declined": _("declined"),
        "lapsed": _("not answered"),
    }


def reasons(voice: Voice) -> Texts:
    """Why two records are likely of one person."""
    _ = voice.t.gettext
    return {
        "national_id": _("same number of identity"),
        "record_number": _("same record number"),
        "name_and_birth": _("same name and birth"),
        "phone": _("same phone"),
    }
