"""What happens to the users of a facility, by the names the event log keeps (stream ``account:<id>``)."""

from typing import Any

from dawr.accounts.rules import Membership

ADDED = "account_added"
CHANGED = "account_changed"
REMOVED = "account_removed"
PASSWORD_CHANGED = "account_password_changed"  # noqa: S105 - the name of an event
PASSWORD_RESET = "account_password_reset"  # noqa: S105 - the name of an event


def stream(membership: Membership) -> str:
    return f"account:{membership.account_id}"


def data(membership: Membership) -> dict[str, Any]:
    """What the account is in this facility from now on; nothing that describes the person."""
    return {
        "account": str(membership.account_id),
        "role": membership.role.value,
        "clinics": sorted(membership.clinics),
        "doctor": membership.doctor,
        "desk": membership.desk,
        "disabled": membership.disabled,
    }
