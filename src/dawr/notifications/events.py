"""What happens to the rules and messages of a facility, by the names the event log keeps."""

RULES_CHANGED = "notice_rules_changed"
DELIVERY_RESENT = "delivery_resent"
CHANNEL_CHANGED = "channel_changed"
CHANNEL_REMOVED = "channel_removed"
