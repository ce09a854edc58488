"""What happens to a patient's record, by the names the event log keeps. Data holds ids and the names of fields, never values.

Stream: ``STREAM`` and the record's id.
"""

STREAM = "patient:"

PATIENT_CREATED = "patient_created"
PATIENT_CHANGED = "patient_changed"
PATIENT_MERGED = "patient_merged"
PATIENT_JOINED = "patient_joined"
PATIENT_UNMERGED = "patient_unmerged"
PATIENT_PARTED = "patient_parted"
PATIENT_ERASED = "patient_erased"

RECORDS_CHANGING = "records_changing"
"""Told in the transaction (``platform.listeners``) before any record is locked: ids of records that are to be merged, parted or
erased. Whoever locks what comes before patients does so then."""
RECORDS_CHANGED = "records_changed"
"""Told after a merge or a parting, see ``commands.Regrouped``."""
