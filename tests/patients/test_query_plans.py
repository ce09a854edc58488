"""What finding and opening patients reads among many, by the server's own account; see ``tests/proof/test_query_plans.py``."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from dawr.patients import commands, queries, queries_find
from dawr.patients.queries import tokens_of
from dawr.patients.rules import Identity
from dawr.platform.services import Services
from tests.conftest import House, found_house, make_services, new_database
from tests.patients.conftest import found, made, run
from tests.proof.test_query_plans import Reported, nodes
from tests.visits.test_query_plans import REPORT

LARGE = {"patient", "patient_key", "patient_index", "patient_access", "event"}
MANY, MOST_BLOCKS = 8000, 700
# Everybody is called Omar; each has a phone of their own.
_MANY = """
CREATE TEMP TABLE many AS SELECT gen_random_uuid() AS patient, n FROM generate_series(1, %(many)s) n;
INSERT INTO patient (facility_id, patient, survivor, created_at, version)
  SELECT %(f)s, patient, patient, now(), 1 FROM many;
INSERT INTO patient_key (facility_id, patient, wrapped) SELECT %(f)s, patient, '' FROM many;
INSERT INTO patient_index (facility_id, kind, token, bloom, patient)
  SELECT %(f)s, 'name', token, bloom::bit(128), patient
  FROM many, unnest(%(omar)s::bytea[], %(blooms)s::text[]) AS one (token, bloom);
INSERT INTO patient_index (facility_id, kind, token, patient)
  SELECT %(f)s, 'phone', substring(sha256(n::text::bytea) FOR 16), patient FROM many;
INSERT INTO patient_access (facility_id, access, patient, at, actor, purpose, break_glass)
  SELECT %(f)s, gen_random_uuid(), patient, now(), 'system', 'care', false FROM many;
INSERT INTO event (facility_id, stream, version, entity, type, data, actor, at)
  SELECT %(f)s, 'patient:' || patient, 1, patient, 'patient_created', '{}', 'system', now() FROM many;
"""


@pytest.fixture(scope="module", params=[("fresh", "force_generic_plan"), ("analysed", "force_custom_plan")], ids=str)
async def plans(request: pytest.FixtureRequest, server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Reported:
    """The plans of everything that is asked at reception, among many people."""
    statistics, mode = request.param
    url, folder = new_database(server_url), tmp_path_factory.mktemp("many")
    house, amina = await _furnished(make_services(url, folder))
    with psycopg.connect(url, autocommit=True) as owner:
        if statistics == "analysed":
            owner.execute("ANALYZE")
        for setting, value in (REPORT | {"plan_cache_mode": mode}).items():
            owner.execute(f"ALTER DATABASE \"{url.rpartition('/')[2]}\" SET {setting} = '{value}'".encode())
    return await _asked(house, amina, url, folder)


async def _furnished(services: Services) -> tuple[House, UUID]:
    await services.db.open()
    house = await found_house(services)
    amina = await made(house, "Amina Zubaida Omar", phones=("55501234",), birth_year=1980, record_number="MR-1")
    omar = [one for one in tokens_of(house.here()).entries(Identity("Omar")) if one[0] == "name"]
    tokens, blooms = [token for _, token, _ in omar], [bloom for *_, bloom in omar]
    with psycopg.connect(services.db.url, autocommit=True, cursor_factory=psycopg.ClientCursor) as owner:
        for table in sorted(LARGE):
            owner.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)".encode())
        owner.execute(_MANY, {"f": house.facility.id, "many": MANY, "omar": tokens, "blooms": blooms})
    await services.db.close()
    return house, amina.patient


async def _asked(house: House, amina: UUID, url: str, folder: Path) -> Reported:
    reported, services = Reported(), make_services(url, folder)
    services = Services(
        **{name: getattr(services, name) for name in services.__slots__} | {"keyring": house.services.keyring}
    )
    services.db.pool.connection_class = reported.connection_class()
    assert isinstance(services.db.pool.kwargs, dict)
    services.db.pool.kwargs["prepare_threshold"] = 0
    await services.db.open()
    await _reception(House(services, house.facility), amina)
    await services.db.close()
    return reported


async def _reception(house: House, amina: UUID) -> None:
    for query in ("55501234", "mr-1", "amina", "omar zubaida", "amina zub om"):
        assert await found(house, query) == [amina]
    here = house.here(house.ada)
    async with here.read() as tx:
        await queries_find.duplicates(tx, here, Identity("Amina Zubaida Omar", birth_year=1980, phones=("55501234",)))
    await run(house, house.rui, commands.change, amina, {"phones": ("55505678",)})
    await run(house, house.ada, commands.open_record, amina, purpose="reception")
    other = await made(house, "Badria")
    await run(house, house.rui, commands.merge, other.patient, into=amina)
    async with here.read() as tx:
        await queries.accesses(tx, here, amina)
        await queries.changes(tx, amina)
        await queries.changes_count(tx, amina)
        await queries.family(tx, other.patient)
        await queries.contact(tx, house.services, amina)
    await run(house, house.rui, commands.unmerge, other.patient)
    await run(house, house.ada, commands.erase, other.patient, "asked")


def _of_ours(reported: Reported) -> Iterator[tuple[str, dict[str, object]]]:
    for plan in reported.plans:
        if any(node.get("Relation Name") in LARGE for node in nodes(plan["Plan"])):
            yield " ".join(plan["Query Text"].split()), plan["Plan"]


def test_no_statement_reads_a_whole_table(plans: Reported) -> None:
    whole = {
        query
        for query, plan in _of_ours(plans)
        for node in nodes(plan)
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE
    }
    assert whole == set()


def test_no_statement_reads_much(plans: Reported) -> None:
    read = {
        query: int(str(plan["Shared Hit Blocks"])) + int(str(plan["Shared Read Blocks"]))
        for query, plan in _of_ours(plans)
    }
    assert {query: blocks for query, blocks in read.items() if blocks > MOST_BLOCKS} == {}


def test_names_are_looked_through_in_their_index_alone(plans: Reported) -> None:
    looked = [plan for query, plan in _of_ours(plans) if "start.bloom" in query]
    read = {
        node["Node Type"] for plan in looked for node in nodes(plan) if node.get("Relation Name") == "patient_index"
    }
    assert read == {"Index Only Scan"}


def test_the_statements_were_seen(plans: Reported) -> None:
    seen = " ".join(query for query, _ in _of_ours(plans))
    parts = [
        "AS start WHERE (start.bloom &",
        "SELECT DISTINCT i.patient",
        "SELECT wanted.token",
        "UPDATE patient SET survivor",
        "WITH RECURSIVE",
        "stream = ANY",
    ]
    assert [one for one in parts if one not in seen] == []
