"""How tables are declared. Every slice's ``store.py`` declares its own on the one ``metadata``.

``facility_table`` is the rule: the key starts with ``facility_id`` and row-level security, forced, shows a transaction only
the rows of the facility it was opened for. ``global_table`` is the exception and must give its reason. The statements that
secure a table are made here from its declaration, so that no table can forget them.
"""

from collections.abc import Iterable

from sqlalchemy import Column, MetaData, Table, Uuid
from sqlalchemy.dialects.postgresql import dialect as postgresql
from sqlalchemy.schema import CreateIndex, CreateTable, SchemaItem

APP_ROLE = "dawr_app"
DIRECTORY = "directory"
CURRENT_FACILITY = "nullif(current_setting('dawr.facility', true), '')::uuid"

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)
_functions: dict[str, str] = {}


def facility_table(
    name: str, *items: SchemaItem, grants: str = "SELECT, INSERT, UPDATE, DELETE", fillfactor: int | None = None
) -> Table:
    """A table of a facility's own rows. ``grants`` is what the app may do; a log, for one, is never updated."""
    facility = Column("facility_id", Uuid, primary_key=True)
    return Table(name, metadata, facility, *items, info=_info("facility", grants, fillfactor))


def global_table(
    name: str,
    *items: SchemaItem,
    reason: str,
    grants: str = "SELECT, INSERT, UPDATE, DELETE",
    unlogged: bool = False,
) -> Table:
    """A table without a facility, and why it may be one. ``unlogged``: a crash empties it, and that costs nothing."""
    info = _info("global", grants, None) | {"reason": reason}
    return Table(name, metadata, *items, info=info, prefixes=["UNLOGGED"] if unlogged else [])


def directory_table(name: str, *items: SchemaItem, reason: str) -> Table:
    """A table that the app cannot touch: it is reached through ``define_function`` alone."""
    return Table(name, metadata, *items, schema=DIRECTORY, info=_info("directory", "", None) | {"reason": reason})


def define_function(name: str, sql: str) -> None:
    """Registers a database function (``CREATE OR REPLACE FUNCTION …``) that belongs to the schema."""
    _functions[name] = sql.strip().rstrip(";")


def _info(scope: str, grants: str, fillfactor: int | None) -> dict[str, object]:
    return {"scope": scope, "grants": grants, "fillfactor": fillfactor}


def _secure(table: Table) -> Iterable[str]:
    name = table.fullname
    if table.info["fillfactor"]:
        yield f"ALTER TABLE {name} SET (fillfactor = {table.info['fillfactor']})"
    if table.info["scope"] == "facility":
        yield f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"
        yield f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY"
        yield (
            f"CREATE POLICY facility ON {name} USING (facility_id = {CURRENT_FACILITY}) "
            f"WITH CHECK (facility_id = {CURRENT_FACILITY})"
        )
    if table.info["grants"]:
        yield f"GRANT {table.info['grants']} ON {name} TO {APP_ROLE}"


def _secure_function(name: str) -> Iterable[str]:
    yield f"REVOKE ALL ON FUNCTION {name} FROM PUBLIC"
    yield f"GRANT EXECUTE ON FUNCTION {name} TO {APP_ROLE}"


def statements() -> list[str]:
    """The whole schema as it stands in the code, in an order in which it can be run on an empty database."""
    dialect = postgresql()  # type: ignore[no-untyped-call]
    out = [f"CREATE SCHEMA {DIRECTORY}", f"GRANT USAGE ON SCHEMA {DIRECTORY} TO {APP_ROLE}"]
    for table in metadata.sorted_tables:
        out.append(str(CreateTable(table).compile(dialect=dialect)).strip())
        indexes = sorted(table.indexes, key=lambda index: str(index.name))
        out += [str(CreateIndex(index).compile(dialect=dialect)) for index in indexes]
        out += _secure(table)
    for name, sql in _functions.items():
        out += [sql, *_secure_function(name)]
    return out
