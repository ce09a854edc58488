"""The client of the live streams: one connection for all tabs, nothing lost over its changes, never given up."""

import asyncio
from typing import Any

import httpx2
from playwright.async_api import BrowserContext, Page, Request, Route, expect

from tests.pages.conftest import Site, act, enter

STREAM = "**/events/stream*"


def count_streams(context: BrowserContext) -> list[str]:
    """The addresses of the streams that pages of this browser open from now on."""
    opened: list[str] = []

    def note(request: Request) -> None:
        if "/events/stream" in request.url:
            opened.append(request.url)

    context.on("request", note)
    return opened


async def board(context: BrowserContext, site: Site) -> Page:
    page = await context.new_page()
    await page.goto(site.url + "/board?clinic=lab")
    return page


async def test_tabs_share_one_connection_and_pass_it_on(site: Site, reception: httpx2.AsyncClient) -> None:
    context = await site.phone()
    opened = count_streams(context)
    tabs = [await board(context, site) for _ in range(3)]
    for number, tab in enumerate(tabs, start=1):
        await enter(reception, f"user {number}")
        await expect(tab.locator("#count")).to_have_text(f"{number} waiting")
    assert len(opened) == 1
    await tabs[0].close()
    await act(reception, "call", clinic="lab", desk="1")
    for tab in tabs[1:]:
        await expect(tab.locator("#latest-number")).to_have_text("LAB-001")
    assert len(opened) == 2
    assert "last_event_id=" in opened[1]


async def test_without_locks_each_tab_has_its_own(site: Site, reception: httpx2.AsyncClient) -> None:
    context = await site.phone()
    await context.add_init_script("Object.defineProperty(navigator, 'locks', { value: undefined })")
    opened = count_streams(context)
    tabs = [await board(context, site) for _ in range(2)]
    await enter(reception, "somebody")
    for tab in tabs:
        await expect(tab.locator("#count")).to_have_text("1 waiting")
    assert len(opened) == 2


async def test_a_failed_first_connection_is_tried_again(site: Site, reception: httpx2.AsyncClient) -> None:
    context = await site.phone()
    tries: list[str] = []

    async def fail_twice(route: Route) -> None:
        tries.append(route.request.url)
        await (route.fulfill(status=503) if len(tries) <= 2 else route.continue_())

    await context.route(STREAM, fail_twice)
    page = await board(context, site)
    await enter(reception, "somebody")
    await expect(page.locator("#count")).to_have_text("1 waiting")
    assert len(tries) == 3
    site.forgive("503")


async def test_silence_longer_than_the_heartbeat_renews_the_connection(
    site: Site, reception: httpx2.AsyncClient
) -> None:
    context = await site.phone()
    await context.clock.install()
    opened = count_streams(context)
    page = await board(context, site)
    await enter(reception, "somebody")
    await expect(page.locator("#count")).to_have_text("1 waiting")
    await context.clock.fast_forward(41_000)
    async with asyncio.timeout(20):
        while len(opened) < 2:
            await context.clock.run_for(500)
    assert "last_event_id=" in opened[1]


async def test_what_happened_while_away_comes_once(site: Site, reception: httpx2.AsyncClient) -> None:
    context = await site.phone()
    page = await board(context, site)
    await enter(reception, "before")
    await expect(page.locator("#count")).to_have_text("1 waiting")
    await context.set_offline(True)
    for number in range(3):
        await enter(reception, f"meanwhile {number}")
    await context.set_offline(False)
    await expect(page.locator("#count")).to_have_text("4 waiting")
    site.faults.clear()


FOLLOW = """async ([live, fold, stream]) => {
  const { foldQueue } = await import(fold);
  const client = await import(live);
  client.live(stream, { fold: foldQueue, changed: (state) => { window.folded = state; }, connection: () => {} });
}"""


async def test_the_folded_state_is_what_a_fresh_answer_says(site: Site, reception: httpx2.AsyncClient) -> None:
    page = await site.visit("/")
    static = (await page.get_attribute("link[rel=stylesheet]", "href") or "").removesuffix("dawr.css")
    stream = f"{site.url}/api/v1/events/stream?clinic=lab"
    await page.evaluate(FOLLOW, [f"{static}live.js", f"{static}fold.js", stream])
    await page.wait_for_function("() => window.folded")
    await everything_once(reception)
    fresh = (await reception.get("/api/v1/queue/status", params={"clinic": "lab"})).json()
    version = sum(fresh["counts"].values())
    await page.wait_for_function(
        "(all) => Object.values(window.folded.counts).reduce((a, b) => a + b) === all", arg=version
    )
    await expect_same(page, fresh)


async def everything_once(reception: httpx2.AsyncClient) -> None:
    """Every verb of the queue, in an order that ends with people in each group."""
    tickets = [(await enter(reception, f"user {number}"))["ticket"] for number in range(9)]
    for number, steps in enumerate(
        (
            ["serve", "done"],
            ["serve"],
            ["recall"],
            ["no_show", "rejoin"],
            ["hold"],
            ["hold", "resume"],
            ["late"],
            ["undo"],
        )
    ):
        await act(reception, "call", ticket=tickets[number], desk="1")
        for step in steps:
            await act(reception, step, ticket=tickets[number])
    await act(reception, "transfer", ticket=tickets[8], to="xray")
    await act(reception, "cancel", ticket=(await enter(reception, "last"))["ticket"])


async def expect_same(page: Page, fresh: dict[str, Any]) -> None:
    loose = ("as_of", "cursor", "mean_wait_minutes")
    wanted = {name: value for name, value in fresh.items() if name not in loose}
    async with asyncio.timeout(20):
        while True:
            folded = await page.evaluate("() => window.folded")
            if {name: value for name, value in folded.items() if name not in loose} == wanted:
                return
            await page.wait_for_timeout(50)
