"""The log, as a collector reads it: whole lines of JSON from us and from libraries, and nothing personal in any."""

import asyncio
import io
import json
import logging
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
import structlog

from dawr.platform.errors import Conflict
from dawr.platform.logging import RequestContext, agent_family, configure, get_logger

CANARY = "Zainab Q. Canary"
PHONE = "+974 5551 2345"
Lines = Callable[[], list[dict[str, Any]]]
log = get_logger("dawr.tests")


@dataclass
class Patient:
    name: str


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """The log of this test; afterwards everything is as it was."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, sys.excepthook, threading.excepthook
    target = io.StringIO()
    configure("debug", json=True, stream=target)
    yield target
    root.handlers, level, sys.excepthook, threading.excepthook = before
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture
def lines(stream: io.StringIO) -> Lines:
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def fail(error: BaseException) -> None:
    local = CANARY  # noqa: F841 - what a log of local values would show
    raise error


def test_a_line_has_level_message_time_and_fields(lines: Lines) -> None:
    log.warning("slow_query", milliseconds=140, clinic="lab")
    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "warning",
        "message": "slow_query",
        "logger": "dawr.tests",
        "milliseconds": 140,
        "clinic": "lab",
    }


def test_a_request_marks_its_lines_and_only_those(lines: Lines) -> None:
    with RequestContext(request_id="r-1", user_agent="Mozilla/5.0 (X11) Firefox/140.0"):
        log.info("inside")
        logging.getLogger("uvicorn.error").info("library")
    log.info("outside")
    marks = [(line.get("request_id"), line.get("user_agent")) for line in lines()]
    assert marks == [("r-1", "firefox"), ("r-1", "firefox"), (None, None)]


async def test_requests_at_the_same_time_keep_their_ids(lines: Lines) -> None:
    everyone_in = asyncio.Barrier(5)

    async def request(number: int) -> None:
        with RequestContext(request_id=f"r-{number}"):
            await everyone_in.wait()
            log.info("answered", number=number)

    await asyncio.gather(*(request(number) for number in range(5)))
    ours = [line for line in lines() if line["message"] == "answered"]
    assert sorted(line["request_id"] for line in ours) == [f"r-{number}" for number in range(5)]
    assert all(line["request_id"] == f"r-{line['number']}" for line in ours)


@pytest.mark.parametrize("name", ["uvicorn.error", "procrastinate.worker", "psycopg.pool", "anything"])
def test_libraries_speak_through_the_same_log(lines: Lines, name: str) -> None:
    logging.getLogger(name).warning("stopped after %d of %s", 3, "five")
    (line,) = lines()
    assert (line["logger"], line["level"], line["message"]) == (name, "warning", "stopped after 3 of five")


def test_below_the_level_nothing_is_said(stream: io.StringIO) -> None:
    configure("warning", json=True, stream=stream)
    log.info("quiet")
    logging.getLogger("procrastinate").info("quiet")
    assert stream.getvalue() == ""


def test_access_lines_of_the_server_are_left_to_us(lines: Lines) -> None:
    logging.getLogger("uvicorn.access").info('%s - "%s"', "127.0.0.1", "GET /t/secret")
    assert lines() == []


def test_an_exception_has_type_stack_and_cause_but_no_words(lines: Lines, stream: io.StringIO) -> None:
    try:
        try:
            fail(ValueError(f"{CANARY} {PHONE}"))
        except ValueError as error:
            raise Conflict(CANARY) from error
    except Conflict:
        log.exception("failed")
    first, cause = lines()[0]["exception"]
    assert (first["type"], first["message"]) == ("dawr.platform.errors.Conflict", "conflict")
    assert (cause["type"], cause["message"]) == ("ValueError", "[redacted]")
    assert cause["stack"][-1].endswith(" fail")
    assert "Canary" not in stream.getvalue()


def test_each_exception_of_a_group_is_named(lines: Lines, stream: io.StringIO) -> None:
    log.error("failed", exc_info=ExceptionGroup(CANARY, [KeyError(CANARY), OSError(28, CANARY)]))
    group = lines()[0]["exception"][0]["group"]
    assert [(one["type"], one["message"]) for one in group] == [
        ("KeyError", "[redacted]"),
        ("OSError", "No space left on device"),
    ]
    assert "Canary" not in stream.getvalue()


def ours_with_fields() -> None:
    log.info("x", name=CANARY, patient=Patient(CANARY), data={"notes": [CANARY], "phone": PHONE})


def ours_with_arguments() -> None:
    log.info("called %s and %s", Patient(CANARY), PHONE)


def ours_bound_to_the_context() -> None:
    with structlog.contextvars.bound_contextvars(patient_name=CANARY, user=PHONE):
        log.info("x")


def request_id_from_outside() -> None:
    with RequestContext(request_id=PHONE, user_agent=CANARY):
        log.info("x")


def library_with_arguments() -> None:
    logging.getLogger("lib").error("cannot send to %s: %r (%s)", Patient(CANARY), ValueError(CANARY), PHONE)


def library_with_named_arguments() -> None:
    logging.getLogger("lib").error("cannot send to %(to)s", {"to": Patient(CANARY)})


def library_with_arguments_that_do_not_fit() -> None:
    logging.getLogger("lib").error("cannot send to %d", CANARY)


def library_with_extras() -> None:
    logging.getLogger("procrastinate").warning("x", extra={"job": {"task_kwargs": {"to": CANARY}, "args": [CANARY]}})


def library_that_logs_an_exception_as_its_message() -> None:
    logging.getLogger("lib").error(ValueError(CANARY))


def library_that_prints_a_traceback() -> None:
    logging.getLogger("lib").error("failed\nTraceback:\n  ValueError: %s", CANARY)


def library_with_an_exception() -> None:
    try:
        fail(psycopg.errors.UniqueViolation(f"Key (name)=({CANARY})"))
    except psycopg.Error:
        logging.getLogger("lib").exception("Exception in ASGI application\n")


def a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn(f"odd phone: {PHONE}", UserWarning, stacklevel=1)


def an_uncaught_exception() -> None:
    try:
        fail(ValueError(CANARY))
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)


def an_uncaught_exception_in_a_thread() -> None:
    thread = threading.Thread(target=fail, args=(ValueError(CANARY),))
    thread.start()
    thread.join()


@pytest.mark.parametrize(
    "leak",
    [
        ours_with_fields,
        ours_with_arguments,
        ours_bound_to_the_context,
        request_id_from_outside,
        library_with_arguments,
        library_with_named_arguments,
        library_with_arguments_that_do_not_fit,
        library_with_extras,
        library_that_logs_an_exception_as_its_message,
        library_that_prints_a_traceback,
        library_with_an_exception,
        a_warning,
        an_uncaught_exception,
        an_uncaught_exception_in_a_thread,
    ],
)
@pytest.mark.parametrize("json_lines", [True, False])
def test_nothing_personal_survives(leak: Callable[[], None], json_lines: bool, stream: io.StringIO) -> None:
    configure("debug", json=json_lines, stream=stream)
    # The test runner's own handlers stop at arguments that do not fit.
    logging.getLogger().handlers[1:] = []
    leak()
    # Any digits may stand in the time of day.
    said = re.sub(r"T\d\d:\d\d:[\d.]+Z", "", stream.getvalue())
    assert said.count("\n") >= 1
    assert "Canary" not in said
    assert "2345" not in said


async def test_what_asyncio_says_of_a_failed_task_does_not_quote_it(stream: io.StringIO) -> None:
    loop = asyncio.get_running_loop()
    failed = loop.create_future()
    failed.set_exception(ValueError(CANARY))
    loop.call_exception_handler({"message": "never retrieved", "exception": failed.exception(), "future": failed})
    assert "never retrieved" in stream.getvalue()
    assert "Canary" not in stream.getvalue()


def test_on_a_terminal_lines_are_readable(stream: io.StringIO) -> None:
    configure("info", json=False, stream=stream)
    try:
        fail(OSError(28, CANARY))
    except OSError:
        log.exception("disk_full", clinic="lab")
    text = stream.getvalue()
    assert "disk_full" in text
    assert "OSError: No space left on device" in text
    assert not text.startswith("{")


def test_a_stream_that_is_no_terminal_gets_json(stream: io.StringIO) -> None:
    configure(stream=stream)
    log.info("x")
    assert json.loads(stream.getvalue())["message"] == "x"


def test_configuring_twice_does_not_say_things_twice(stream: io.StringIO, lines: Lines) -> None:
    configure("debug", json=True, stream=stream)
    log.info("once")
    assert len(lines()) == 1


@pytest.mark.parametrize(
    ("text", "family"),
    [
        (None, "none"),
        ("", "none"),
        ("curl/8.5.0", "curl"),
        ("Mozilla/5.0 (iPhone) AppleWebKit/605 Version/18 Mobile Safari/604.1", "safari"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537 Chrome/140 Mobile Safari/537", "chrome"),
        ("Mozilla/5.0 (iPhone) CriOS/140 Safari/604", "chrome"),
        ("Mozilla/5.0 Chrome/140 Safari/537 Edg/140", "edge"),
        ("Mozilla/5.0 SamsungBrowser/28 Chrome/130", "samsung"),
        ("Mozilla/5.0 (compatible; Googlebot/2.1)", "bot"),
        (f"{CANARY}", "other"),
    ],
)
def test_of_the_callers_program_only_its_family_is_kept(text: str | None, family: str) -> None:
    assert agent_family(text) == family
