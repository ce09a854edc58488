"""What happens to ratings and records, by the names the event log keeps."""

RATING_GIVEN = "rating_given"
RATING_CHANGED = "rating_changed"
