"""What happens to appointments, waiting lists and doctors' time, by the names the event log keeps."""

from dawr.appointments.rules import Verb

BOOKED = "appointment_booked"
OFFERED = "appointment_offered"
NEEDS_REBOOKING = "appointment_needs_rebooking"
STANDS_AGAIN = "appointment_stands_again"
DOUBLED = "appointment_doubled"
SINGLE_AGAIN = "appointment_single_again"
REMINDER = "reminder"
"""The type of a reminder's notice; it changes nothing, so the log does not have it."""

TYPES: dict[Verb, str] = {
    Verb.RESCHEDULE: "appointment_rescheduled",
    Verb.CANCEL: "appointment_cancelled",
    Verb.CHECK_IN: "appointment_checked_in",
    Verb.NO_SHOW: "appointment_no_show",
    Verb.ACCEPT: "appointment_accepted",
    Verb.DECLINE: "appointment_declined",
    Verb.LAPSE: "appointment_lapsed",
}

WAITING_JOINED = "waiting_joined"
WAITING_OFFERED = "waiting_offered"
WAITING_SERVED = "waiting_served"
WAITING_WAITS_AGAIN = "waiting_waits_again"
WAITING_WITHDRAWN = "waiting_withdrawn"
WAITING_ENDED = "waiting_ended"
WAITING_CLOSED = "waiting_closed"
WAITING_SET_ASIDE = "waiting_set_aside"

SCHEDULE_CHANGED = "schedule_changed"
LEAVE_ADDED = "leave_added"
LEAVE_CANCELLED = "leave_cancelled"
RULES_CHANGED = "appointment_rules_changed"
