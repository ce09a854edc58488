"""The cheap checks of histories find what they look for, and nothing in a good history."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.proof import history
from tests.proof.linearizability import Operation
from tests.proof.recorder import Recorder, number_of
from tests.proof.test_queue_model import GOOD, did, entered, line, lost, refused

LAB = ("lab", None, None)

UNRIGHT = {
    "repeated": [entered(1, 0, 1), entered(2, 2, 3, number=1)],
    "overtaken": [entered(2, 0, 1), entered(1, 2, 3)],
    "called": [*line(2), did("call_next", 1, 10, 11), did("call_next", 1, 12, 13)],
    "undone once, called three times": [
        *line(1),
        *(did("call_next", 1, 10 + n, 10.5 + n) for n in (0, 2, 4)),
        did("undo", 1, 11, 11.5, status="waiting"),
    ],
}


def findings(operations: list[Operation]) -> list[int]:
    """How many sentences each check has to say."""
    checks = (history.repeated_numbers, history.overtaken_numbers, history.called_twice)
    return [len(one(operations)) for one in checks]


@pytest.mark.parametrize(
    ("name", "expected"),
    [*zip(UNRIGHT, [[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1]], strict=True)],
)
def test_each_finds_its_own(name: str, expected: list[int]) -> None:
    assert findings(UNRIGHT[name]) == expected


@pytest.mark.parametrize("name", GOOD)
def test_nothing_is_said_of_a_good_history(name: str) -> None:
    assert findings(GOOD[name]) == [0, 0, 0]


def test_numbers_of_other_clinics_days_and_series_are_others() -> None:
    places: list[dict[str, Any]] = [{"clinic": "lab"}, {"clinic": "xray"}, {"series": 2}, {"service_day": "2026-11-22"}]
    others = [entered(1, 2 * n, 2 * n + 1, ticket=f"t{n}", **place) for n, place in enumerate(places)]
    assert findings(others) == [0, 0, 0]


@pytest.mark.parametrize(
    ("numbers", "lost_answers", "last", "wrong"),
    [([1, 2, 3], 0, 3, 0), ([1, 3], 0, 3, 1), ([1, 3], 1, 3, 0), ([1, 4], 1, 4, 1), ([1, 2], 0, 1, 1), ([], 0, 0, 0)],
)
def test_numbers_have_no_gap_but_where_answers_were_lost(
    numbers: list[int], lost_answers: int, last: int, wrong: int
) -> None:
    operations = [entered(n, 2 * n, 2 * n + 1) for n in numbers] + [lost(entered(9, 0, 1))] * lost_answers
    assert len(history.missing_numbers(operations, {LAB: last})) == wrong


def test_a_history_is_read_as_it_was_written(tmp_path: Path) -> None:
    operations = [*line(2), lost(did("call_next", 1, 10, 11)), refused("serve", 2, 12, 13, code="wrong_state")]
    history.write(tmp_path / "one.jsonl", operations)
    assert history.read(tmp_path / "one.jsonl") == operations


@pytest.mark.parametrize(("code", "number"), [("LAB-031", 31), ("LAB-B031", 31), ("X2-1000", 1000)])
def test_the_number_of_a_code(code: str, number: int) -> None:
    assert number_of(code) == number


async def test_a_connection_cut_is_an_unknown_outcome() -> None:
    async def cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    recorder = Recorder()
    async with server, httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", verify=False) as client:
        one = await recorder.ask(client, 1, "enter", clinic="lab", user="amina")
    assert (one.returned, one.output) == (None, None)
    assert recorder.operations == [one]
