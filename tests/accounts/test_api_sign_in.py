"""Signing in and out over HTTP, as a program and as a browser."""

import base64
import json
from typing import Any

import httpx2
import pytest

from tests.accounts.conftest import Staff
from tests.conftest import PASSWORD, Live

LOGIN = "/api/v1/auth/login"
ME = "/api/v1/auth/me"


async def login(client: httpx2.AsyncClient, staff: Staff, name: str = "ada", **more: object) -> dict[str, Any]:
    """Signs in and shows the token with every request that follows."""
    response = await client.post(LOGIN, json={"email": staff.email(name), "password": PASSWORD} | more)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    if "access_token" in answer:
        client.headers["Authorization"] = f"Bearer {answer['access_token']}"
    return answer


async def code(client: httpx2.AsyncClient, method: str, path: str, **request: object) -> tuple[int, str]:
    """Status and problem code of a request that is refused."""
    response = await client.request(method, path, **request)  # type: ignore[arg-type]
    assert response.headers["content-type"] == "application/problem+json", response.text
    return response.status_code, response.json()["code"]


async def test_a_program_gets_what_the_contract_says(client: httpx2.AsyncClient, staff: Staff) -> None:
    await staff.ada()
    answer = await login(client, staff)
    assert set(answer) == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 900)


async def test_me_tells_who_i_am_and_what_i_may(client: httpx2.AsyncClient, staff: Staff) -> None:
    account_id = await staff.dana()
    await login(client, staff, "dana")
    assert (await client.get(ME)).json() == {
        "account": str(account_id),
        "email": staff.email("dana"),
        "name": "Dana",
        "facility": staff.house.facility.slug,
        "role": "doctor",
        "operator": False,
        "clinics": ["lab"],
        "doctor": "dana",
        "desk": None,
        "language": None,
        "rights": ["consult", "history", "inbox", "queue", "reports", "watch"],
        "password_temporary": False,
    }


async def test_without_naming_a_facility_it_is_ones_own(live: Live, staff: Staff) -> None:
    await staff.ada()
    async with live.client() as client:
        await login(client, staff)
        assert (await client.get(ME)).json()["facility"] == staff.house.facility.slug


async def test_a_facility_where_one_has_no_role_is_not_there(live: Live, staff: Staff, elsewhere: Staff) -> None:
    await staff.ada()
    async with live.client(elsewhere.house) as client:
        await login(client, staff)
        assert (await code(client, "GET", ME))[0] == 404
        assert (await client.get(f"/f/{elsewhere.house.facility.slug}/api/v1/clinics")).status_code == 404


@pytest.mark.parametrize(("name", "password"), [("ada", "not her password"), ("nobody", "not her password")])
async def test_who_is_wrong_hears_nothing_more(
    client: httpx2.AsyncClient, staff: Staff, name: str, password: str
) -> None:
    await staff.ada()
    response = await client.post(LOGIN, json={"email": staff.email(name), "password": password})
    title = "E-mail or password is wrong"
    assert response.status_code == 401
    assert response.json() | {"type": ""} == {
        "type": "",
        "title": title,
        "status": 401,
        "detail": title,
        "code": "wrong_credentials",
    }
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "a@b.c"},
        {"email": 5, "password": "x"},
        {"email": "a@b.c", "password": "x", "extra": 1},
        {"email": "a@b.c", "password": "x\u0000y"},
        {"email": "", "password": "x"},
        {"email": "a@b.c", "password": ""},
        {"email": "a@b.c", "password": "x" * 1025},
        {"email": "a@b.c", "password": "x", "cookie": "perhaps"},
        [],
        None,
    ],
)
async def test_a_malformed_request_is_422(client: httpx2.AsyncClient, body: object) -> None:
    assert (await code(client, "POST", LOGIN, json=body))[0] == 422


async def test_a_stale_token_does_not_stand_in_the_way_of_a_fresh_one(client: httpx2.AsyncClient, staff: Staff) -> None:
    await staff.ada()
    answer = await login(client, staff)
    client.headers["Authorization"] = "Bearer stale"
    response = await client.post("/api/v1/auth/refresh", json={"refresh_token": answer["refresh_token"]})
    assert response.status_code == 200
    client.headers["Authorization"] = f"Bearer {response.json()['access_token']}"
    assert (await client.get(ME)).status_code == 200


async def test_a_forged_token_is_401_everywhere(client: httpx2.AsyncClient, staff: Staff) -> None:
    await staff.ada()
    header, claims, signature = (await login(client, staff))["access_token"].split(".")
    unsigned = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "at+jwt"}).encode()).decode().rstrip("=")
    for token in (f"{header}.{claims}.{signature[::-1]}", f"{unsigned}.{claims}.", f"{header}.{claims}", "x"):
        client.headers["Authorization"] = f"Bearer {token}"
        for path in (ME, "/api/v1/users", "/api/v1/clinics"):
            assert await code(client, "GET", path) == (401, "unauthenticated")


async def test_without_signing_in_nothing_of_it_answers(client: httpx2.AsyncClient) -> None:
    assert await code(client, "GET", ME) == (401, "unauthenticated")
    assert await code(client, "POST", "/api/v1/auth/logout") == (401, "unauthenticated")
    password = {"current": "x", "new": "another good one"}
    assert await code(client, "POST", "/api/v1/auth/password", json=password) == (401, "unauthenticated")
    assert await code(client, "POST", "/api/v1/auth/refresh", json={"refresh_token": "x"}) == (401, "unauthenticated")


async def test_signing_out_ends_the_tokens(client: httpx2.AsyncClient, staff: Staff) -> None:
    await staff.ada()
    answer = await login(client, staff)
    assert (await client.post("/api/v1/auth/logout")).status_code == 204
    assert (await code(client, "GET", ME))[0] == 401
    again = {"refresh_token": answer["refresh_token"]}
    assert (await code(client, "POST", "/api/v1/auth/refresh", json=again))[0] == 401


async def test_signing_out_everywhere_ends_the_others_too(live: Live, staff: Staff) -> None:
    await staff.ada()
    async with live.client(staff.house) as here, live.client(staff.house) as there:
        await login(here, staff)
        await login(there, staff)
        assert (await here.post("/api/v1/auth/logout", json={"everywhere": True})).status_code == 204
        assert (await code(there, "GET", ME))[0] == 401


async def test_a_page_signs_in_by_cookie_and_proves_itself(client: httpx2.AsyncClient, staff: Staff) -> None:
    await staff.ada()
    answer = await login(client, staff, cookie=True)
    assert set(answer) == {"csrf_token", "account"}
    me = (await client.get(ME)).json()
    assert me["csrf_token"] == answer["csrf_token"]
    assert await code(client, "POST", "/api/v1/auth/logout") == (403, "csrf_failed")
    proof = {"X-CSRF-Token": answer["csrf_token"]}
    assert await code(client, "POST", "/api/v1/auth/logout", headers=proof | {"Origin": "https://evil.example"}) == (
        403,
        "csrf_failed",
    )
    assert (await client.post("/api/v1/auth/logout", headers=proof)).status_code == 204
    assert (await code(client, "GET", ME))[0] == 401
    assert "dawr" not in client.cookies


async def test_its_cookie_is_out_of_reach_for_scripts_and_other_sites(client: httpx2.AsyncClient, staff: Staff) -> None:
    await staff.ada()
    body = {"email": staff.email("ada"), "password": PASSWORD, "cookie": True}
    response = await client.post(LOGIN, json=body)
    session, device = response.headers.get_list("set-cookie")
    assert session.startswith("dawr=")
    assert device.startswith("dawr-known=")
    for cookie in (session, device):
        assert {"httponly", "samesite=lax", "path=/"} <= set(cookie.lower().split("; "))
    assert "max-age" not in session.lower()


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
async def test_another_site_cannot_sign_a_browser_in(
    client: httpx2.AsyncClient, staff: Staff, headers: dict[str, str]
) -> None:
    await staff.ada()
    body = {"email": staff.email("ada"), "password": PASSWORD, "cookie": True}
    assert await code(client, "POST", LOGIN, json=body, headers=headers) == (403, "csrf_failed")
    assert "dawr" not in client.cookies


async def test_the_sites_own_origin_is_let_in(client: httpx2.AsyncClient, live: Live, staff: Staff) -> None:
    await staff.ada()
    answer = await login(client, staff, cookie=True)
    headers = {"X-CSRF-Token": answer["csrf_token"], "Origin": live.url}
    assert (await client.post("/api/v1/auth/logout", headers=headers)).status_code == 204


async def test_over_https_the_cookie_has_the_strict_name(live: Live, staff: Staff) -> None:
    """The scheme is what the server was told by the proxy in front of it; here the transport says so."""
    await staff.ada()
    transport = httpx2.ASGITransport(app=live.app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://queue.example.org") as browser:
        answer = await login(browser, staff, cookie=True)
        assert set(browser.cookies) == {"__Host-dawr", "__Host-dawr-known"}
        assert (await browser.get(ME)).json()["csrf_token"] == answer["csrf_token"]
        headers = {"X-CSRF-Token": answer["csrf_token"], "Origin": "https://queue.example.org"}
        assert (await browser.post("/api/v1/auth/logout", headers=headers)).status_code == 204


async def test_ones_own_password_is_changed(client: httpx2.AsyncClient, staff: Staff) -> None:
    await staff.ada()
    await login(client, staff)
    path = "/api/v1/auth/password"
    wrong = {"current": "not it", "new": "another good one"}
    assert await code(client, "POST", path, json=wrong) == (403, "wrong_password")
    weak = {"current": PASSWORD, "new": "short"}
    assert await code(client, "POST", path, json=weak) == (422, "weak_password")
    assert (await client.post(path, json={"current": PASSWORD, "new": " spaces count "})).status_code == 204
    assert (await client.get(ME)).status_code == 200
    body = {"email": staff.email("ada"), "password": " spaces count "}
    assert (await client.post(LOGIN, json=body)).status_code == 200


async def test_the_reason_a_password_is_weak_is_told(client: httpx2.AsyncClient, staff: Staff) -> None:
    await staff.ada()
    await login(client, staff)
    body = {"current": PASSWORD, "new": "short"}
    answer = (await client.post("/api/v1/auth/password", json=body)).json()
    assert answer["detail"] == "It needs at least 10 characters"
