"""The count plus one, under a lock in the cache: what a larger hospital platform does, over PostgreSQL.

After Care (github.com/ohcnetwork/care, ``care/emr/api/viewsets/scheduling/token.py`` and ``care/utils/lock.py``): it sets a key
in Redis if it is not there, counts the queue's tokens, inserts with the count plus one, and removes the key. Whoever finds
the key there is refused with 423. The number has no UNIQUE constraint. It is deployed as gunicorn (``scripts/start.sh``).

To its advantage: no ORM, no rights, and a file that only one process can make instead of the way to Redis and back. What this
load does not show: a count falls when a token is removed, and the lock ends by itself after a while, done or not.

Two processes of ``uvicorn --factory`` serve it, one request at a time in each; ``PEER_DATABASE`` is an address,
``PEER_LOCK`` the file.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

SCHEMA = """
CREATE TABLE token (id serial PRIMARY KEY, queue_id integer NOT NULL, category_id integer NOT NULL, number integer NOT NULL,
                    status varchar(255) NOT NULL, note text, created_date timestamptz DEFAULT now());
CREATE INDEX token_queue ON token (queue_id);
CREATE INDEX token_category ON token (category_id);
"""


class Asked(BaseModel):
    name: str


@contextmanager
def locked(path: str) -> Iterator[None]:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        raise HTTPException(423, "The resource you are trying to access is locked") from None
    try:
        yield
    finally:
        os.unlink(path)


def app() -> FastAPI:
    connection = psycopg.connect(os.environ["PEER_DATABASE"], autocommit=True)
    lock = os.environ["PEER_LOCK"]
    made = FastAPI()

    @made.post("/processes", status_code=201)
    async def create(asked: Asked) -> dict[str, int]:
        with locked(lock), connection.transaction():
            found = connection.execute("SELECT count(*) FROM token WHERE queue_id = 1 AND category_id = 1").fetchone()
            number = (found[0] if found else 0) + 1
            connection.execute(
                "INSERT INTO token (queue_id, category_id, number, status, note) VALUES (1, 1, %s, 'CREATED', %s)",
                (number, asked.name),
            )
        return {"number": number, "ahead": number - 1}

    return made
