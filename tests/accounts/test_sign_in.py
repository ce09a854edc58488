"""POST /auth/login: who gets in, and what everybody else is told."""

import statistics
import time

import httpx2
import pytest

from dawr.accounts import commands, passwords
from dawr.accounts import store_directory as directory
from dawr.accounts.rules import Role, SessionKind, WrongCredentials
from tests.accounts.conftest import PASSWORD, Staff, by_cookie, by_token


async def test_a_colleague_gets_tokens_that_name_them(staff: Staff) -> None:
    account_id = await staff.ada()
    signed_in = await staff.sign_in("ada")
    identity = await by_token(staff.services, signed_in)
    assert (identity.account_id, identity.kind) == (account_id, SessionKind.TOKEN)
    assert identity.home == staff.house.facility.id
    assert signed_in.expires_in == 900


async def test_x(client: httpx2.AsyncClient, staff: Staff) -> None:
    await staff.dana()
    r = await client.post("/api/v1/auth/login", json={"email": staff.email("dana"), "password": PASSWORD})
    print(r.status_code, r.headers, r.text)
    r = await client.get("/api/v1/auth/me", headers={"Authorization": "Bearer " + r.json()["access_token"]})
    print(r.status_code, r.headers, r.text)
