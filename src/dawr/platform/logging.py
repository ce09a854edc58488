"""The log: one JSON object a line (readable lines on a terminal), with nothing personal in it.

Messages are constants (``log.info("ticket_called", clinic=…)``); what varies is a field. Everything, also what libraries
say through the standard library's logging, passes ``redaction``. Exceptions are written as type, stack and what
``redaction.describe`` lets through: no local values, no source lines, no message of their own.
"""

import asyncio
import logging
import re
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import nullcontext
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from traceback import extract_tb
from types import MappingProxyType, TracebackType
from typing import Any, TextIO, cast

import orjson
import structlog
from structlog.processors import NAME_TO_LEVEL
from structlog.stdlib import BoundLogger, ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

from dawr.platform.redaction import describe, mask, redact, safe

_ROOT = logging.getLogger()
_OURS = frozenset({"timestamp", "level", "logger"})
# What may be anything else is a client's.
_MADE_HERE = re.compile(r"[0-9a-f]{32}")
_request: ContextVar[Mapping[str, Any]] = ContextVar("request", default=MappingProxyType({}))
_MOST_FRAMES = 30
_MOST_CAUSES = 5
_LONGEST_AGENT = 300
_FAMILIES = (
    ("bot", ("bot", "crawl", "spider")),
    ("curl", ("curl/", "wget/")),
    ("python", ("python", "httpx", "aiohttp")),
    ("edge", ("edg/", "edga/", "edgios/")),
    ("opera", ("opr/", "opera")),
    ("samsung", ("samsungbrowser",)),
    ("firefox", ("firefox", "fxios")),
    ("chrome", ("chrome", "crios", "chromium")),
    ("safari", ("safari",)),
)


def get_logger(name: str) -> BoundLogger:
    """A logger; fields are keyword arguments."""
    return structlog.stdlib.get_logger(name)


class RequestContext:
    """What is logged inside carries the request's id and the family of the caller's program (not its whole text)."""

    def __init__(self, *, request_id: str, user_agent: str | None = None) -> None:
        plain = request_id if _MADE_HERE.fullmatch(request_id) else mask(request_id)
        self._fields = {"request_id": plain, "user_agent": agent_family(user_agent)}

    def __enter__(self) -> None:
        self._before = _request.set(self._fields)

    def __exit__(self, *_: object) -> None:
        _request.reset(self._before)


def log_request(*, method: str, route: str, status: int, milliseconds: float) -> None:
    """The one line that every request leaves. ``route`` is a pattern of ours: there is nothing for the net to catch."""
    if _REQUESTS.isEnabledFor(logging.INFO):
        _REQUESTS.write(
            {
                "method": method,
                "route": route,
                "status": status,
                "milliseconds": milliseconds,
                "event": "request",
                "logger": _REQUESTS.name,
                "level": "info",
                "timestamp": _now(),
                **_request.get(),
            }
        )


def _now() -> str:
    """As the processors write the time of all other lines."""
    second, microsecond = divmod(time.time_ns() // 1000, 1_000_000)
    return f"{_of_second(second)}.{microsecond:06}Z"


@lru_cache(maxsize=1)
def _of_second(second: int) -> str:
    """Written once for all lines of a second: it would be a fortieth of a ticket."""
    return datetime.fromtimestamp(second, UTC).replace(tzinfo=None).isoformat()


@lru_cache(maxsize=512)
def agent_family(user_agent: str | None) -> str:
    """``chrome``, ``safari``, ``curl`` …: enough to find a fault, too little to find a person."""
    text = (user_agent or "")[:_LONGEST_AGENT].lower()
    for family, signs in _FAMILIES:
        if any(sign in text for sign in signs):
            return family
    return "other" if text else "none"


def configure(level: str = "info", *, json: bool | None = None, stream: TextIO | None = None) -> None:
    """Sends the logs of this process to ``stream`` (standard error); may be called again.

    ``json=None`` means JSON unless the stream is a terminal. ``level`` is a name of the standard library's.
    """
    target = stream or sys.stderr
    as_json = not target.isatty() if json is None else json
    handler = _Handler(target, _renderers(as_json=as_json))
    root = logging.getLogger()
    root.handlers = [handler, *(other for other in root.handlers if not isinstance(other, _Handler))]
    root.setLevel(level.upper())
    _take_over_libraries()
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread


def _take_over_libraries() -> None:
    logging.captureWarnings(True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "procrastinate", "psycopg", "psycopg.pool"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    # Requests are logged once, by us, with their route instead of their path.
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)


class _Handler(logging.StreamHandler[TextIO]):
    """Where lines end: ours as they are, the libraries' by way of the formatter."""

    def __init__(self, stream: TextIO, renderers: list[Processor]) -> None:
        super().__init__(stream)
        self._renderers = renderers
        # Standard error writes each line through; what is under it does not.
        self._into: Any = getattr(stream, "buffer", None)
        self._flushing_in: asyncio.AbstractEventLoop | None = None
        processors = [ProcessorFormatter.remove_processors_meta, *renderers]
        self.setFormatter(_Formatter(foreign_pre_chain=_FOREIGN, processors=processors))

    def write(self, event: EventDict) -> None:
        line: Any = event
        for render in self._renderers:
            line = render(None, "", line)
        with self.lock or nullcontext():
            if self._into is None:
                self.stream.write(f"{line}\n")
            else:
                self._into.write(f"{line}\n".encode())
        self._flush_soon()

    def _flush_soon(self) -> None:
        """What is said in one turn of a loop is written together, at its end."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.flush()
            return
        if self._flushing_in is not loop:
            self._flushing_in = loop
            loop.call_soon(self._flush_now)

    def _flush_now(self) -> None:
        self._flushing_in = None
        self.flush()


class _Sink:
    """What our own events come to. Making a record of the standard library's for each would cost more than all the rest."""

    def __init__(self, name: str | None = None) -> None:
        self._library = logging.getLogger(name)
        self.name = self._library.name
        self.isEnabledFor = self._library.isEnabledFor

    def write(self, event: EventDict) -> None:
        ours = False
        for handler in _ROOT.handlers:
            if isinstance(handler, _Handler):
                ours = True
                handler.write(event)
        if not ours:
            level = logging.getLevelNamesMapping()[event["level"].upper()]
            self._library.log(level, "%s", _to_json(event))

    debug = info = warning = error = critical = exception = write


class _Formatter(ProcessorFormatter):
    """Makes a foreign record's text out of safe arguments before anything else sees it."""

    def format(self, record: logging.LogRecord) -> str:
        if hasattr(record, "_logger"):
            return super().format(record)
        copy = logging.makeLogRecord(record.__dict__)
        copy.msg, copy.args = _foreign_text(record), ()
        return super().format(copy)


def _foreign_text(record: logging.LogRecord) -> str:
    """The first line only: the others hold tracebacks and printed objects (asyncio's, for one)."""
    text = record.msg if isinstance(record.msg, str) else str(safe(record.msg))
    return (_filled(text, record.args).strip().splitlines() or [""])[0]


def _filled(text: str, args: tuple[object, ...] | Mapping[str, object] | None) -> str:
    if not args:
        return text
    values: object = (
        {name: _argument(value) for name, value in args.items()}
        if isinstance(args, Mapping)
        else tuple(_argument(value) for value in args)
    )
    try:
        return str(text % values)
    except (TypeError, ValueError, KeyError):
        return f"{text} (with arguments that do not fit)"


def _argument(value: object) -> object:
    """Numbers stay numbers for ``%d``; a long one is masked in the finished text."""
    return value if isinstance(value, int | float) else safe(value)


def _clean(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """The net: what comes out is plain data without anything personal, and the exception as a list of its causes."""
    error = _error(event.pop("exc_info", None))
    event.pop("color_message", None)
    event["event"] = _filled(str(event.get("event")), event.pop("positional_args", None))
    kept = {key: value for key, value in event.items() if key.startswith("_") or key in _OURS}
    cleaned: EventDict = kept | redact({key: value for key, value in event.items() if key not in kept})
    if error is not None:
        cleaned["exception"] = _causes(error)
    return cleaned


def _error(info: Any) -> BaseException | None:
    if info is True:
        return sys.exc_info()[1]
    if isinstance(info, tuple):
        return cast(BaseException | None, info[1])
    return info if isinstance(info, BaseException) else None


def _causes(error: BaseException) -> list[dict[str, Any]]:
    """The exception and what led to it, the last one first."""
    causes: list[dict[str, Any]] = []
    current: BaseException | None = error
    while current is not None and len(causes) < _MOST_CAUSES:
        causes.append(_cause(current))
        hidden = None if current.__suppress_context__ else current.__context__
        current = current.__cause__ or hidden
    return causes


def _cause(error: BaseException) -> dict[str, Any]:
    kind = type(error)
    frames = extract_tb(error.__traceback__)[-_MOST_FRAMES:]
    cause: dict[str, Any] = {
        "type": f"{kind.__module__}.{kind.__qualname__}".removeprefix("builtins."),
        "message": describe(error),
        "stack": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
    if isinstance(error, BaseExceptionGroup):
        cause["group"] = [_cause(one) for one in error.exceptions[:_MOST_CAUSES]]
    return cause


def _exception_as_text(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    causes = event.pop("exception", None)
    if causes:
        lines = [line for cause in causes for line in (f"{cause['type']}: {cause['message']}", *cause["stack"])]
        event["exception"] = "\n  ".join(lines)
    return event


def _as_json(_: WrappedLogger, __: str, event: EventDict) -> str:
    event["message"] = event.pop("event")
    return _to_json(event)


def _to_json(event: EventDict) -> str:
    return orjson.dumps(event, default=_masked, option=orjson.OPT_NON_STR_KEYS).decode()


def _masked(value: object) -> str:
    return mask(str(value))


def _renderers(*, as_json: bool) -> list[Processor]:
    return [_as_json] if as_json else [_exception_as_text, structlog.dev.ConsoleRenderer()]


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    get_logger(__name__).critical("uncaught_exception", exc_info=(kind, error, trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
        _uncaught(args.exc_type, args.exc_value, args.exc_traceback)


_REQUESTS = _Sink("dawr.requests")


def _by_level(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    if not logger.isEnabledFor(NAME_TO_LEVEL[method]):
        raise structlog.DropEvent
    return event


def _with_request(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """After the net: these fields were made safe when the request came."""
    return {**_request.get(), **event}


def _whole(_: WrappedLogger, __: str, event: EventDict) -> Any:
    """The event as the sink's one argument."""
    return (event,), {}


_SHARED: list[Processor] = [
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
_FOREIGN: list[Processor] = [structlog.stdlib.ExtraAdder(), *_SHARED, _clean, _with_request]

# At import: also a program that never calls ``configure`` must not print what it was not meant to.
structlog.configure(
    processors=[_by_level, *_SHARED, _clean, _with_request, _whole],
    wrapper_class=BoundLogger,
    logger_factory=_Sink,
    cache_logger_on_first_use=True,
)
