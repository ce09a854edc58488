"""What a screen makes of the log: a status, folded with every public update after it, must be what a fresh look gives."""

from collections.abc import Sequence
from typing import Any

from dawr.platform.events import Recorded
from dawr.tickets.queries import QueueStatus, public_update
from tests.realtime.folding import Fold

Board = dict[str, Any]


def board(status: QueueStatus) -> Board:
    """The status as a screen shows it; the mean is a figure, not a list, and is fetched anew."""
    return Fold(status.answer()).state


def fold(shown: Board, recorded: Sequence[Recorded]) -> Board | None:
    """The board after these events; ``None`` where one of them asks for a fresh look (a series or a day began)."""
    folded = Fold(shown)
    for one in recorded:
        update = public_update(one)
        if update is None:
            return None
        folded.apply(update)
    return folded.state
