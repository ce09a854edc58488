"""What the page about messages and its scripts may have to say."""

from dawr.web.phrases import Texts, Voice
from dawr.web.reception.texts import channels


def messages_texts(voice: Voice) -> Texts:
    return voice.staff_texts() | {"channels": channels(voice)} | _log(voice) | _settings(voice)


def _log(voice: Voice) -> Texts:
    _ = voice.t.gettext
    return {
        "log_none": _("No messages."),
        "resend": _("Send again"),
        "resent": _("It is sent again."),
        "maybe_twice": _("It may have been sent twice"),
        "to_nobody": _("to nobody"),
    }


def _settings(voice: Voice) -> Texts:
    _ = voice.t.gettext
    return {
        "saved": _("Saved."),
        "in_use": _("in use"),
        "not_in_use": _("not in use"),
        "secret_kept": _("set; leave empty to keep it"),
        "stop_sure": _("Use this way of sending no more? What is still to be sent by it is not sent."),
        "stopped": _("Not used any more."),
        "test_sent": _("Sent to %(to)s. Look whether it arrives."),
        "test_failed": _("It was not sent to %(to)s."),
        "push": {
            "unsupported": _("This browser takes no messages."),
            "denied": _("Your browser does not allow messages from this page. You can change that in its settings."),
        },
        "rules_meanwhile": _(
            "A colleague changed the rules meanwhile. Save again to replace theirs with what stands here, or reload the page "
            "to see them."
        ),
        "webhooks_none": _("No other system is told anything."),
        "everything": _("everything"),
        "switch_on": _("Switch on"),
        "switch_off": _("Switch off"),
        "new_secret": _("New secret"),
        "remove": _("Remove"),
        "remove_sure": _("Tell this address nothing any more?"),
        "try": _("Try it"),
        "hook_accepted": _("It answered %(status)s and took the message."),
        "hook_refused": _("It answered %(status)s and did not take the message."),
        "hook_silent": {
            "no_answer": _("It did not answer."),
            "private_address": _("The address is in a private network that this installation does not allow."),
        },
        "secret_once": _("The secret, shown only this once: %(secret)s"),
        "skipped": voice.plural(
            lambda n: voice.t.ngettext(
                "%(num)s message was refused within a day", "%(num)s messages were refused within a day", n
            )
        ),
        "trying": _("does not answer at the moment; it is tried again"),
    }


def delivery_statuses(voice: Voice) -> Texts:
    _ = voice.t.gettext
    return {
        "failed": _("Could not be sent"),
        "expired": _("Not sent in time"),
        "suppressed": _("Not sent on purpose"),
        "pending": _("Waiting to be sent"),
        "sending": _("Being sent"),
        "sent": _("Sent"),
        "delivered": _("Arrived"),
        "read": _("Read"),
    }


def patient_moments(voice: Voice) -> Texts:
    """What a patient can be told."""
    _ = voice.t.gettext
    return {
        "your_turn": _("Called to a desk"),
        "next": _("Next in the queue"),
        "near": _("Soon to be called"),
        "appointment_booked": _("Appointment booked"),
        "appointment_changed": _("Appointment moved"),
        "appointment_cancelled": _("Appointment cancelled"),
        "appointment_reminder": _("Reminder of an appointment"),
        "appointment_offered": _("Earlier appointment offered"),
        "appointment_needs_rebooking": _("Appointment to be booked anew"),
        "appointment_stands_again": _("Appointment takes place after all"),
    }


def audiences(voice: Voice) -> Texts:
    _ = voice.t.gettext
    return {"doctor": _("Doctors"), "reception": _("Reception"), "administrator": _("Administrators")}
