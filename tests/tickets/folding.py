"""What a screen makes of the log: a status, folded with every public update after it, must be what a fresh look gives."""

from collections.abc import Sequence
from typing import Any

from dawr.platform.events import Recorded
from dawr.tickets.queries import QueueStatus, public_update

WITH_DESK = ("called", "serving")
LISTS = ("waiting", "called", "serving", "held")
Board = dict[str, Any]


def board(status: QueueStatus) -> Board:
    """The status as a screen shows it; the mean is a figure, not a list, and is fetched anew."""
    return {name: value for name, value in status.answer().items() if name != "mean_wait_minutes"}


def fold(shown: Board, recorded: Sequence[Recorded]) -> Board | None:
    """The board after these events; ``None`` where one of them asks for a fresh look (a series or a day began)."""
    updates = [public_update(one) for one in recorded]
    for update in updates:
        if update is None:
            return None
        shown = moved(shown, update)
    return shown


def moved(shown: Board, update: dict[str, Any]) -> Board:
    code, leaving, coming = update["code"], update["from"], update["to"]
    after = shown | {"counts": dict(shown["counts"])}
    place = 0
    if leaving in LISTS:
        codes = [one["code"] if isinstance(one, dict) else one for one in shown[leaving]]
        place = codes.index(code)
        after[leaving] = shown[leaving][:place] + shown[leaving][place + 1 :]
    if coming in LISTS:
        item = {"code": code, "desk": update["desk"]} if coming in WITH_DESK else code
        at = update["ahead"] if coming == "waiting" else place if coming == leaving else len(after[coming])
        after[coming] = [*after[coming][:at], item, *after[coming][at:]]
    if leaving is None:
        after["last_number"] = max(shown["last_number"], update["number"])
    else:
        after["counts"][leaving] -= 1
    after["counts"][coming] += 1
    return after
