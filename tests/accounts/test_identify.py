"""Whom a request is answered for, and when a cookie is not enough."""

from uuid import uuid4

import pytest

from dawr.accounts import queries, tokens
from dawr.accounts.commands import SignedIn
from dawr.accounts.rules import COOKIE_LIFETIME, CsrfFailed, SessionKind
from dawr.platform.errors import Unauthenticated
from dawr.platform.services import Services
from tests.accounts.conftest import Staff, by_cookie


@pytest.fixture
async def page(staff: Staff) -> SignedIn:
    """Ada, signed in by cookie."""
    await staff.ada()
    return await staff.sign_in("ada", kind=SessionKind.COOKIE)


async def identified(services: Services, authorization: str | None) -> bool:
    found = await queries.identify(
        services, authorization=authorization, cookie=None, csrf=None, method="POST", same_origin=None
    )
    return found is not None


async def test_a_bearer_token_is_enough_for_everything(staff: Staff) -> None:
    await staff.ada()
    token = (await staff.sign_in("ada")).access_token
    assert await identified(staff.services, f"Bearer {token}")
    assert await identified(staff.services, f"bearer   {token} ")


@pytest.mark.parametrize("header", [None, "", "Basic dXNlcjpwYXNz", "Token abc"])
async def test_without_a_bearer_token_it_is_nobody(services: Services, header: str | None) -> None:
    assert not await identified(services, header)


@pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer x", "bearer a.b.c", "Bearer é", "Bearer a b"])
async def test_a_bad_bearer_token_is_an_error(services: Services, header: str) -> None:
    with pytest.raises(Unauthenticated):
        await identified(services, header)


async def test_a_token_of_a_session_that_never_was_is_an_error(services: Services) -> None:
    now = services.clock.now()
    token = tokens.signed(services.keyring, account_id=uuid4(), session_id=uuid4(), now=now, lives=COOKIE_LIFETIME)
    with pytest.raises(Unauthenticated):
        await identified(services, f"Bearer {token}")


async def test_a_cookies_session_cannot_be_used_as_a_tokens(staff: Staff, page: SignedIn) -> None:
    """Whoever could sign a token for it would get around the cookie's secret."""
    now, lives = staff.services.clock.now(), COOKIE_LIFETIME
    token = tokens.signed(
        staff.services.keyring, account_id=page.account_id, session_id=page.session_id, now=now, lives=lives
    )
    with pytest.raises(Unauthenticated):
        await identified(staff.services, f"Bearer {token}")


async def test_a_dead_or_forged_cookie_is_nobodys(staff: Staff, page: SignedIn) -> None:
    refresh_token = (await staff.sign_in("ada")).secret
    forged = tokens.packed(page.session_id, tokens.new_secret())
    for cookie in (None, "", "x", forged, refresh_token, page.secret[:-1]):
        assert await by_cookie(staff.services, cookie, method="POST") is None


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "get"])
async def test_a_cookie_alone_may_read(staff: Staff, page: SignedIn, method: str) -> None:
    assert await by_cookie(staff.services, page.secret, method=method, same_origin=False)


@pytest.mark.parametrize(
    ("proof", "same_origin", "form", "allowed"),
    [
        ("own", True, False, True),
        ("own", None, False, True),
        ("own", False, False, False),
        (None, True, False, False),
        (None, None, False, False),
        ("", True, False, False),
        ("another's", True, False, False),
        ("nonsense", True, False, False),
        (None, True, True, True),
        (None, None, True, True),
        (None, False, True, False),
        ("own", False, True, False),
    ],
)
async def test_to_change_something_a_page_proves_that_it_is_ours(
    staff: Staff, page: SignedIn, proof: str | None, same_origin: bool | None, form: bool, allowed: bool
) -> None:
    texts = {"own": page.csrf, "another's": tokens.csrf(staff.services.keyring, uuid4())}
    request = {"csrf": texts.get(proof or "", proof), "same_origin": same_origin, "form": form}
    for method in ("POST", "PUT", "PATCH", "DELETE", "post", "anything"):
        if allowed:
            assert await by_cookie(staff.services, page.secret, method=method, **request)
        else:
            with pytest.raises(CsrfFailed):
                await by_cookie(staff.services, page.secret, method=method, **request)


async def test_the_proof_of_an_earlier_session_is_no_proof(staff: Staff, page: SignedIn) -> None:
    later = await staff.sign_in("ada", kind=SessionKind.COOKIE)
    with pytest.raises(CsrfFailed):
        await by_cookie(staff.services, later.secret, method="POST", csrf=page.csrf, same_origin=True)
