"""What happens to a facility, by the names the event log keeps. Data holds ids, enums and numbers.

Streams: ``facility``, ``department:<id>``, ``clinic:<id>`` (its desks included), ``doctor:<id>``.
"""

FACILITY_CREATED = "facility_created"
FACILITY_CHANGED = "facility_changed"
FACILITY_PAUSED = "facility_paused"
FACILITY_RESUMED = "facility_resumed"

DEPARTMENT_CREATED = "department_created"
DEPARTMENT_CHANGED = "department_changed"
DEPARTMENT_ARCHIVED = "department_archived"

CLINIC_CREATED = "clinic_created"
CLINIC_CHANGED = "clinic_changed"
CLINIC_PAUSED = "clinic_paused"
CLINIC_RESUMED = "clinic_resumed"
CLINIC_CLOSED = "clinic_closed"
CLINIC_OPENED = "clinic_opened"
CLINIC_POSTER_RENEWED = "clinic_poster_renewed"
CLINIC_ARCHIVED = "clinic_archived"
DESK_ADDED = "desk_added"
DESK_REMOVED = "desk_removed"

DOCTOR_CREATED = "doctor_created"
DOCTOR_CHANGED = "doctor_changed"
DOCTOR_ARCHIVED = "doctor_archived"
DOCTOR_RESTORED = "doctor_restored"

DOCTORS_CHANGING = "doctors_changing"
"""Told in the transaction (``platform.listeners``) before queues are locked: pairs of the actor and a doctor whose clinics are to
change. Whoever locks what comes before queues does so then."""
DOCTORS_CHANGED = "doctors_changed"
"""Told in the transaction (``platform.listeners``): pairs of the actor and a doctor whose clinics are others from here on."""
