"""Reading the log for streams: what several queues have gained, in one statement, and where they stand."""

from collections.abc import Iterable, Mapping

from dawr.platform.db import ReadTx
from dawr.platform.events import Recorded

_NEWS = """
SELECT e.stream, e.version, e.entity, e.type, e.data, e.actor, e.at
FROM unnest(%(streams)s::text[], %(versions)s::bigint[]) AS w (stream, version)
CROSS JOIN LATERAL (
  SELECT stream, version, entity, type, data, actor, at FROM event
  WHERE facility_id = %(facility_id)s AND event.stream = w.stream AND event.version > w.version
  ORDER BY event.version LIMIT %(limit)s
) AS e
ORDER BY e.stream, e.version
"""
_HEADS = """
SELECT w.stream, coalesce((
  SELECT event.version FROM event WHERE facility_id = %(facility_id)s AND event.stream = w.stream
  ORDER BY event.version DESC LIMIT 1), 0) AS version
FROM unnest(%(streams)s::text[]) AS w (stream)
"""


async def news(tx: ReadTx, versions: Mapping[str, int], *, limit: int) -> dict[str, list[Recorded]]:
    """What happened to each stream after its version, in order, at most ``limit`` each; streams without news are missing."""
    found: dict[str, list[Recorded]] = {}
    for row in await tx.rows(_NEWS, streams=list(versions), versions=list(versions.values()), limit=limit):
        found.setdefault(row["stream"], []).append(Recorded(**row))
    return found


async def heads(tx: ReadTx, streams: Iterable[str]) -> dict[str, int]:
    """The last version of each stream in the log, 0 where it has none."""
    rows = await tx.rows(_HEADS, streams=sorted(streams))
    return {row["stream"]: row["version"] for row in rows}
