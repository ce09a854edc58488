"""The administrator's users over HTTP."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from dawr.accounts.rules import Role
from tests.accounts.conftest import Staff
from tests.accounts.test_api_sign_in import LOGIN, ME, code, login
from tests.conftest import PASSWORD, Live

USERS = "/api/v1/users"


@pytest.fixture
async def ada(client: httpx2.AsyncClient, staff: Staff) -> httpx2.AsyncClient:
    """The administrator's program."""
    await staff.ada()
    await login(client, staff)
    return client


@pytest.fixture
async def rui(live: Live, staff: Staff) -> AsyncIterator[httpx2.AsyncClient]:
    """The reception's program."""
    await staff.hire("rui", Role.RECEPTION)
    async with live.client(staff.house) as made:
        await login(made, staff, "rui")
        yield made


def wish(staff: Staff, name: str = "nina", **more: Any) -> dict[str, object]:
    return {"email": staff.email(name), "name": name.title(), "role": "reception"} | more


async def test_somebody_new_gets_a_password_once(ada: httpx2.AsyncClient, staff: Staff, live: Live) -> None:
    response = await ada.post(USERS, json=wish(staff, role="doctor", clinics=["lab"], doctor="dana", desk="1"))
    made = response.json()
    assert response.status_code == 201
    assert response.headers["cache-control"] == "no-store"
    assert {made[name] for name in ("role", "doctor", "desk")} == {"doctor", "dana", "1"}
    assert (made["clinics"], made["disabled"], made["password_temporary"]) == (["lab"], False, True)
    shown = (await ada.get(f"{USERS}/{made['user']}")).json()
    assert shown == {name: value for name, value in made.items() if name != "password"}
    async with live.client(staff.house) as nina:
        body = {"email": staff.email("nina"), "password": made["password"]}
        assert (await nina.post(LOGIN, json=body)).status_code == 200


async def test_a_password_that_was_given_is_not_repeated(ada: httpx2.AsyncClient, staff: Staff) -> None:
    made = (await ada.post(USERS, json=wish(staff, password="a good one to begin"))).json()
    assert made["password"] is None
    assert (await staff.sign_in("nina", "a good one to begin")).access_token


async def test_a_replay_makes_nobody_and_tells_no_password(ada: httpx2.AsyncClient, staff: Staff) -> None:
    key = {"Idempotency-Key": uuid4().hex}
    first = await ada.post(USERS, json=wish(staff), headers=key)
    again = await ada.post(USERS, json=wish(staff), headers=key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == first.json() | {"password": None}
    assert (await staff.sign_in("nina", first.json()["password"])).access_token


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"role": "operator"}, (403, "role_not_allowed")),
        ({"role": "patient"}, (422, "invalid_request")),
        ({"email": "no address"}, (422, "invalid_email")),
        ({"clinics": ["nowhere"]}, (422, "unknown_assignment")),
        ({"doctor": "dr.nobody"}, (422, "unknown_assignment")),
        ({"clinics": ["Lab!"]}, (422, "invalid_request")),
        ({"password": "short"}, (422, "weak_password")),
        ({"name": ""}, (422, "invalid_request")),
        ({"name": "Ni\u0000na"}, (422, "invalid_request")),
        ({"operator": True}, (422, "invalid_request")),
        ({"language": "tlh"}, (422, "invalid_request")),
    ],
)
async def test_what_is_wrong_is_refused(
    ada: httpx2.AsyncClient, staff: Staff, more: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert await code(ada, "POST", USERS, json=wish(staff, **more)) == expected


async def test_the_same_person_twice_is_a_conflict(ada: httpx2.AsyncClient, staff: Staff) -> None:
    await ada.post(USERS, json=wish(staff))
    assert await code(ada, "POST", USERS, json=wish(staff)) == (409, "account_exists")


async def test_reception_and_strangers_may_not(
    ada: httpx2.AsyncClient, rui: httpx2.AsyncClient, live: Live, staff: Staff
) -> None:
    mine = (await ada.get(ME)).json()["account"]
    async with live.client(staff.house) as stranger:
        for client, expected in ((rui, (403, "forbidden")), (stranger, (401, "unauthenticated"))):
            assert await code(client, "GET", USERS) == expected
            assert await code(client, "POST", USERS, json=wish(staff)) == expected
            assert await code(client, "GET", f"{USERS}/{mine}") == expected
            assert await code(client, "PATCH", f"{USERS}/{mine}", json={"role": "display"}) == expected
            assert await code(client, "DELETE", f"{USERS}/{mine}") == expected
            assert await code(client, "POST", f"{USERS}/{mine}/password") == expected


async def test_the_list_comes_in_pages(ada: httpx2.AsyncClient, staff: Staff) -> None:
    for n in range(4):
        await ada.post(USERS, json=wish(staff, f"nina{n}"))
    seen, cursor = [], None
    while True:
        page = (await ada.get(USERS, params={"limit": 2} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [one["name"] for one in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == ["Ada", "Nina0", "Nina1", "Nina2", "Nina3"]
    assert (await ada.get(USERS, params={"limit": 1, "total": "true"})).json()["total"] == 5


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "cursor=nonsense", "cursor=%F0%9F%A9%BA", "total=x"]
)
async def test_a_wrong_page_is_422(ada: httpx2.AsyncClient, query: str) -> None:
    assert (await code(ada, "GET", f"{USERS}?{query}"))[0] == 422


async def test_another_role_holds_at_once(ada: httpx2.AsyncClient, rui: httpx2.AsyncClient) -> None:
    user = (await rui.get(ME)).json()["account"]
    changed = await ada.patch(f"{USERS}/{user}", json={"role": "doctor", "clinics": ["xray"], "doctor": "omar"})
    assert changed.status_code == 200
    me = (await rui.get(ME)).json()
    assert (me["role"], me["clinics"], me["doctor"]) == ("doctor", ["xray"], "omar")
    changed = await ada.patch(f"{USERS}/{user}", json={"doctor": None})
    assert (changed.json()["doctor"], changed.json()["clinics"]) == (None, ["xray"])


async def test_who_is_disabled_is_out_at_once_and_may_come_back(
    ada: httpx2.AsyncClient, rui: httpx2.AsyncClient, staff: Staff
) -> None:
    user = (await rui.get(ME)).json()["account"]
    assert (await ada.patch(f"{USERS}/{user}", json={"disabled": True})).json()["disabled"]
    assert (await code(rui, "GET", ME))[0] == 401
    body = {"email": staff.email("rui"), "password": PASSWORD}
    assert await code(rui, "POST", LOGIN, json=body) == (401, "wrong_credentials")
    await ada.patch(f"{USERS}/{user}", json={"disabled": False})
    assert (await rui.post(LOGIN, json=body)).status_code == 200


async def test_the_last_administrator_is_kept(ada: httpx2.AsyncClient) -> None:
    user = (await ada.get(ME)).json()["account"]
    for body in ({"role": "reception"}, {"disabled": True}):
        assert await code(ada, "PATCH", f"{USERS}/{user}", json=body) == (409, "last_administrator")
    assert await code(ada, "DELETE", f"{USERS}/{user}") == (409, "last_administrator")
    assert await code(ada, "PATCH", f"{USERS}/{user}", json={"role": "operator"}) == (403, "role_not_allowed")


@pytest.mark.parametrize(
    "body", [{"role": None}, {"clinics": None}, {"disabled": None}, {"email": "a@b.c"}, {"clinics": ["?"]}]
)
async def test_a_malformed_change_is_422(ada: httpx2.AsyncClient, body: dict[str, object]) -> None:
    user = (await ada.get(ME)).json()["account"]
    assert (await code(ada, "PATCH", f"{USERS}/{user}", json=body))[0] == 422


async def test_who_is_removed_is_no_longer_listed(ada: httpx2.AsyncClient, rui: httpx2.AsyncClient) -> None:
    user = (await rui.get(ME)).json()["account"]
    assert (await ada.delete(f"{USERS}/{user}")).status_code == 204
    assert (await code(rui, "GET", ME))[0] == 401
    assert await code(ada, "GET", f"{USERS}/{user}") == (404, "account_not_found")
    assert [one["name"] for one in (await ada.get(USERS)).json()["items"]] == ["Ada"]


async def test_a_lost_password_is_replaced_and_told_once(
    ada: httpx2.AsyncClient, rui: httpx2.AsyncClient, staff: Staff
) -> None:
    user = (await rui.get(ME)).json()["account"]
    key = {"Idempotency-Key": uuid4().hex}
    first = await ada.post(f"{USERS}/{user}/password", headers=key)
    assert first.status_code == 200
    assert (await code(rui, "GET", ME))[0] == 401
    assert (await staff.sign_in("rui", first.json()["password"])).access_token
    again = await ada.post(f"{USERS}/{user}/password", headers=key)
    assert (again.status_code, again.json()["password"]) == (200, None)


async def test_another_facilitys_people_are_not_there(ada: httpx2.AsyncClient, elsewhere: Staff) -> None:
    sam = await elsewhere.hire("sam", Role.RECEPTION)
    for user in (sam, uuid4()):
        assert await code(ada, "GET", f"{USERS}/{user}") == (404, "account_not_found")
        assert await code(ada, "PATCH", f"{USERS}/{user}", json={"disabled": True}) == (404, "account_not_found")
        assert await code(ada, "POST", f"{USERS}/{user}/password") == (404, "account_not_found")
        assert await code(ada, "DELETE", f"{USERS}/{user}") == (404, "account_not_found")
    assert (await elsewhere.sign_in("sam")).access_token


async def test_an_operator_sees_no_users(live: Live, staff: Staff) -> None:
    await staff.hire("otto", Role.OPERATOR)
    async with live.client(staff.house) as otto:
        await login(otto, staff, "otto")
        assert (await otto.get(ME)).json()["rights"] == ["installation"]
        assert await code(otto, "GET", USERS) == (403, "forbidden")
