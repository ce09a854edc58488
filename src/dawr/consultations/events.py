"""What happens to consultations, by the names the event log keeps."""

CONSULTATION_COMPLETED = "consultation_completed"
CONSULTATION_AMENDED = "consultation_amended"
CONSULTATION_WITHDRAWN = "consultation_withdrawn"
