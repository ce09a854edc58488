"""The last number plus one: what a plain web app does, over SQLite or PostgreSQL.

After FQM (github.com/mrf345/FQM, ``app/database.py``, ``Serial.create_new_ticket``): it reads the row with the highest number,
adds one, counts who is ahead, inserts and commits. The table has neither a UNIQUE constraint nor an index on the number.
``DATABASE_URI`` chooses the database, SQLite where it is not given. It is deployed as gunicorn with as many one-request-at-a-
time workers as there are cores (``entrypoint.sh``).

To its advantage: no ORM, no settings read for every ticket, kept connections, and no printing between the reading and the
insert, which is where FQM waits for the printer.

``/processes`` answers one request at a time in each process, as gunicorn's workers do; ``/threads`` answers each in a thread,
as FastAPI runs a plain function. Two processes of ``uvicorn --factory`` serve it; ``PEER_DATABASE`` is a file or an address.
"""

import os
import sqlite3
import threading
from typing import Protocol

from fastapi import FastAPI
from psycopg_pool import ConnectionPool
from pydantic import BaseModel

_LAST = "SELECT number FROM serials ORDER BY number DESC LIMIT 1"
_WAITING = "SELECT count(*) FROM serials WHERE office_id = 1 AND NOT p"


class Asked(BaseModel):
    name: str


class Serials(Protocol):
    def take(self, name: str) -> tuple[int, int]:
        """The number given and how many were ahead."""
        ...


class InSqlite:
    """A connection a thread, with the library's own defaults: it waits five seconds for a lock."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._mine = threading.local()

    def take(self, name: str) -> tuple[int, int]:
        if not hasattr(self._mine, "connection"):
            self._mine.connection = sqlite3.connect(self._path)
        with self._mine.connection as connection:
            last = connection.execute(_LAST).fetchone()
            ahead = connection.execute(_WAITING).fetchone()
            number = (last[0] if last else 0) + 1
            connection.execute(
                "INSERT INTO serials (number, name, office_id, p) VALUES (?, ?, 1, false)", (number, name)
            )
        return number, ahead[0]


class InPostgres:
    """Connections as SQLAlchemy's pool keeps them: five, and ten more when all are taken."""

    def __init__(self, url: str) -> None:
        self._pool = ConnectionPool(url, min_size=5, max_size=15, timeout=30, open=True)

    def take(self, name: str) -> tuple[int, int]:
        with self._pool.connection() as connection:
            last = connection.execute(_LAST).fetchone()
            ahead = connection.execute(_WAITING).fetchone()
            number = (last[0] if last else 0) + 1
            connection.execute(
                "INSERT INTO serials (number, name, office_id, p) VALUES (%s, %s, 1, false)", (number, name)
            )
        return number, ahead[0] if ahead else 0


def schema(postgres: bool) -> str:
    key = "serial PRIMARY KEY" if postgres else "integer PRIMARY KEY"
    return f"""
    CREATE TABLE serials (id {key}, number integer, timestamp timestamp DEFAULT current_timestamp, name varchar(300),
                          office_id integer, p boolean);
    CREATE INDEX ix_serials_timestamp ON serials (timestamp);
    """


def app() -> FastAPI:
    database = os.environ["PEER_DATABASE"]
    serials: Serials = InPostgres(database) if "://" in database else InSqlite(database)
    made = FastAPI()

    # A coroutine that blocks keeps its whole process busy: one request at a time, as in gunicorn's plain worker.
    @made.post("/processes", status_code=201)
    async def one_at_a_time(asked: Asked) -> dict[str, int]:
        number, ahead = serials.take(asked.name)
        return {"number": number, "ahead": ahead}

    @made.post("/threads", status_code=201)
    def in_a_thread(asked: Asked) -> dict[str, int]:
        number, ahead = serials.take(asked.name)
        return {"number": number, "ahead": ahead}

    return made
