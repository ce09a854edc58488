"""What an exchange has to know of other slices' tables, in pages."""

from uuid import UUID

from dawr.platform.db import ReadTx

_PATIENTS = """
SELECT patient FROM patient
WHERE facility_id = %(facility_id)s AND status = 'active' AND (%(after)s::uuid IS NULL OR patient > %(after)s)
ORDER BY patient LIMIT %(limit)s
"""
_ARCHIVED = "SELECT doctor FROM doctor WHERE facility_id = %(facility_id)s AND archived_on IS NOT NULL"


async def patients_after(tx: ReadTx, after: UUID | None, limit: int) -> list[UUID]:
    """The ids of records that stand for themselves, the oldest first; not of those merged into another, nor erased."""
    return [row["patient"] for row in await tx.rows(_PATIENTS, after=after, limit=limit)]


async def archived_doctors(tx: ReadTx) -> set[str]:
    """Short names that doctors had who are gone: nobody else gets them."""
    return {row["doctor"] for row in await tx.rows(_ARCHIVED)}
