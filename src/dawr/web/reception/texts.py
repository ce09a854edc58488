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
        | _keeping(voice)
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
        "waits": _("On the waiting list of %(doctor)s."),
        "waiting_none": _("Nobody waits for a slot."),
        "offered_slot": _("offered: %(when)s"),
        "wanted": {
            "from": _("only from %(from)s"),
            "until": _("only until %(until)s"),
            "between": _("only from %(from)s until %(until)s"),
        },
        "move_title": _("Move the appointment of %(date)s, %(time)s"),
        "reschedule": _("Move"),
        "accept": _("Accept"),
        "decline": _("Decline"),
        "withdraw": _("Take off the list"),
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
            "accept": _("%(what)s has the offered appointment."),
            "decline": _("%(what)s does not want that slot."),
            "withdraw": _("%(what)s is off the waiting list."),
        },
    }


def _keeping(voice: Voice) -> Texts:
    """About a patient's record: changing it, merging it with another, who changed and who read it."""
    _ = voice.t.gettext
    return {
        "saved": _("Saved."),
        "saved_of": _("%(name)s: saved."),
        "not_saved_of": _("%(name)s: what was typed was not saved. Please open the record and try again."),
        "phone_number": _("Phone %(number)s"),
        "changed_meanwhile": _(
            "A colleague changed this record meanwhile. What you typed is still here; where they wrote something else, it is "
            "said beside the field. Save again to keep yours."
        ),
        "theirs": _("A colleague wrote: %(value)s"),
        "nothing": _("nothing"),
        "yes": _("yes"),
        "channels": channels(voice),
        "aspects": _aspects(voice),
        "check_same": _("Please compare the two and say that it is the same person."),
        "merged": _("The two records are one now: %(name)s."),
        "parted": _("They are two records again."),
        "take_apart": _("Take apart"),
        "kinds": {"visit": _("Visit"), "consultation": _("Consultation"), "appointment": _("Appointment")},
        "somebody": _("somebody who no longer works here"),
        "system": _("the system"),
        "changes": {
            "patient_created": _("registered"),
            "patient_changed": _("changed: %(fields)s"),
            "patient_merged": _("merged into another record"),
            "patient_joined": _("another record was merged into it"),
            "patient_unmerged": _("taken out of another record"),
            "patient_parted": _("another record was taken out of it"),
            "patient_erased": _("erased"),
        },
        "fields": _fields(voice),
        "purposes": {
            "reception": _("at reception"),
            "care": _("for treatment"),
            "history": _("read the history"),
            "export": _("made a copy for the patient"),
            "administration": _("for administration"),
        },
        "break_glass": _("without a visit there"),
    }


def _fields(voice: Voice) -> Texts:
    """What is kept of a person, by the names that the log has."""
    _ = voice.t.gettext
    aspects = _aspects(voice)
    same = ("name", "names", "gender", "phones", "national_id", "record_number", "email", "language")
    own = {"birth_date": _("Date of birth"), "birth_year": _("Date of birth"), "preferences": _("May be told by")}
    return {name: aspects[name] for name in same} | own


def _aspects(voice: Voice) -> Texts:
    """The lines in which two records are compared."""
    _ = voice.t.gettext
    return {
        "name": _("Name"),
        "names": _("In other scripts"),
        "born": _("Born"),
        "gender": _("Gender"),
        "phones": _("Phones"),
        "national_id": _("Number of identity"),
        "record_number": _("Record number"),
        "email": _("E-mail"),
        "language": _("Language"),
        "since": _("Registered"),
    }


def channels(voice: Voice) -> Texts:
    """By which a patient may be told something."""
    _ = voice.t.gettext
    return {
        "sms": _("Text message"),
        "email": _("E-mail"),
        "whatsapp": _("WhatsApp"),
        "push": _("Notification on the phone"),
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
