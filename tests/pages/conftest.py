"""A real browser on the real server. Every page a test opens is watched: an error on its console fails the test."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright, expect

from dawr.accounts.commands import create_staff
from dawr.accounts.rules import SYSTEM, Role
from dawr.facilities import queries as facilities
from tests.conftest import PASSWORD, PLAIN, House, Live

SYSTEM_CHROMIUM = tuple(
    f"/usr/bin/{name}" for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
)
QUIET = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
Command = Callable[..., Awaitable[object]]
PHONE: ViewportSize = {"width": 360, "height": 740}
LAPTOP: ViewportSize = {"width": 1280, "height": 800}
WALL: ViewportSize = {"width": 1920, "height": 1080}


def chromium_path() -> str | None:
    """The browser named by the environment, else the system's, else (None) the one that playwright downloads."""
    named = os.environ.get("DAWR_TEST_CHROMIUM")
    return named or next((path for path in SYSTEM_CHROMIUM if Path(path).exists()), None)


# Far more than a page needs, so that a busy machine is no failure.
expect.set_options(timeout=15_000)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=chromium_path(), args=list(QUIET))
        yield opened
        await opened.close()


@dataclass
class Site:
    """The pages of one house. ``faults`` collects what pages complain about; a test takes out what it provokes itself."""

    url: str
    house: House
    live: Live
    browser: Browser
    contexts: AsyncExitStack
    faults: list[str] = field(default_factory=list)
    forgiven: list[str] = field(default_factory=list)

    async def phone(self, lang: str = "en", *, size: ViewportSize = PHONE, **options: Any) -> BrowserContext:
        """A browser of its own: cookies, storage, language."""
        context = await self.browser.new_context(viewport=size, locale=lang, base_url=self.live.url, **options)
        self.contexts.push_async_callback(context.close)
        context.set_default_timeout(20_000)
        context.on("page", self._watch)
        return context

    def _watch(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.faults.append(f"{page.url}: {error}"))
        page.on(
            "console", lambda said: self.faults.append(f"{page.url}: {said.text}") if said.type == "error" else None
        )

    async def visit(self, path: str, lang: str = "en", **options: Any) -> Page:
        """A page of this house in a browser of its own."""
        page = await (await self.phone(lang, **options)).new_page()
        await page.goto(self.url + path)
        return page

    async def desk(self, role: Role = Role.RECEPTION, lang: str = "en", **options: Any) -> Page:
        """A member of the staff at the desk of the lab."""
        return await self.staff("/desk?clinic=lab", role, lang, **options)

    async def staff(self, path: str, role: Role = Role.RECEPTION, lang: str = "en", **options: Any) -> Page:
        """A page that a member of the staff opens, signed in without the form, which has its own tests."""
        page = await (await self.phone(lang, **({"size": LAPTOP} | options))).new_page()
        login = {"email": await self.hire(role), "password": PASSWORD, "cookie": True}
        headers = {"Origin": self.live.url}
        answer = await page.request.post(f"{self.url}/api/v1/auth/login", data=login, headers=headers)
        assert answer.ok, await answer.text()
        await page.goto(self.url + path)
        return page

    async def doctor(self, path: str, lang: str = "en", *, clinics: Sequence[str] = ("lab",), **options: Any) -> Page:
        """Dana, a doctor of these clinics, signed in on a page of hers."""
        page = await (await self.phone(lang, **({"size": LAPTOP} | options))).new_page()
        email = await self.hire(Role.DOCTOR, clinics=list(clinics), doctor="dana")
        login = {"email": email, "password": PASSWORD, "cookie": True}
        answer = await page.request.post(f"{self.url}/api/v1/auth/login", data=login, headers={"Origin": self.live.url})
        assert answer.ok, await answer.text()
        await page.goto(self.url + path)
        return page

    async def hire(self, role: Role = Role.RECEPTION, **more: Any) -> str:
        email = f"{role}-{os.urandom(6).hex()}@test.example"
        post = {"facility_id": self.house.facility.id, "role": role} | more
        await create_staff(self.live.services, email=email, name="Rui", password=PASSWORD, **post)  # type: ignore[arg-type]
        return email

    async def change(self, command: Command, clinic: str = "lab") -> None:
        """``pause_clinic``, ``close_clinic`` …, by the house itself."""
        async with self.house.services.db.write(self.house.facility.id) as tx:
            await command(tx, SYSTEM, clinic=clinic)

    async def poster(self, clinic: str) -> str:
        """What the poster of a clinic leads to, below this house's address."""
        async with self.house.services.db.read(self.house.facility.id) as tx:
            found = await facilities.clinic(tx, clinic)
        return f"/c/{clinic}?code={facilities.entry_code(self.house.services, found)}"

    def forgive(self, text: str) -> None:
        """Complaints that a test provokes: there must be some already, and there may be more."""
        assert any(text in fault for fault in self.faults), f"nothing complained of {text!r}: {self.faults}"
        self.forgiven.append(text)


async def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    await page.fill("[name=email]", email)
    await page.fill("[name=password]", password)
    await page.click("main form button")


@pytest.fixture
async def site(live: Live, house: House, browser: Browser) -> AsyncIterator[Site]:
    async with AsyncExitStack() as contexts:
        pages = Site(f"{live.url}/f/{house.facility.slug}", house, live, browser, contexts)
        yield pages
        assert [fault for fault in pages.faults if not any(text in fault for text in pages.forgiven)] == []


@pytest.fixture
async def reception(live: Live, house: House) -> AsyncIterator[httpx2.AsyncClient]:
    """Rui, who works the queues through the API while a test watches a page."""
    async with live.staff(house, Role.RECEPTION) as client:
        yield client


async def enter(client: httpx2.AsyncClient, user: str, clinic: str = "lab", **more: str) -> dict[str, Any]:
    answer = await client.post("/api/v1/queue/enter", json={"clinic": clinic, "user": user, **more})
    assert answer.status_code in (200, 201), answer.text
    ticket: dict[str, Any] = answer.json()
    return ticket


async def act(client: httpx2.AsyncClient, verb: str, **body: str) -> dict[str, Any]:
    answer = await client.post(f"/api/v1/queue/{verb}", json=body)
    assert answer.status_code == 200, answer.text
    ticket: dict[str, Any] = answer.json()
    return ticket


@pytest.fixture
async def live_form(site: Site) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser's plain forms, without a browser."""
    async with httpx2.AsyncClient(base_url=site.url, headers={"Accept": "text/html"}, verify=PLAIN) as client:
        yield client
