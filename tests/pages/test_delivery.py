"""How pages come to the browser: light, cached, with strict headers, from nowhere else."""

import re

import httpx2
import pytest
from playwright.async_api import Page, Response, expect

from dawr.platform.i18n import LANGUAGES
from dawr.web.render import environment, prepare
from tests.pages.conftest import Site, enter

FIRST_PAGE_BYTES = 50_000
PATHS = ("/", "/c/lab", "/desk", "/board", "/api/docs", "/nowhere")


async def weigh(page: Page, address: str) -> int:
    """Bytes of everything that belongs to the page, not compressed: HTML, style, scripts, icon."""
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    await page.goto(address)
    await page.wait_for_load_state()
    sizes = {answer.url: len(await answer.body()) for answer in answers if "/api/" not in answer.url}
    assert any(url.endswith("dawr.css") for url in sizes)
    assert any(url.endswith("page.js") for url in sizes)
    return sum(sizes.values())


@pytest.mark.parametrize("lang", ["ar", "hi"])
async def test_a_patients_first_pages_are_light(site: Site, reception: httpx2.AsyncClient, lang: str) -> None:
    follow = (await enter(reception, "amina"))["follow"]
    for path in ("/c/lab", follow):
        page = await (await site.phone(lang)).new_page()
        assert await weigh(page, site.url + path) < FIRST_PAGE_BYTES, path


@pytest.mark.parametrize("path", PATHS)
async def test_pages_allow_no_inline_script_and_no_frame(live_form: httpx2.AsyncClient, path: str) -> None:
    answer = await live_form.get(path)
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script>|<style|\sstyle=|\son[a-z]+=", answer.text)


def test_every_page_is_ready_before_anybody_asks_for_it() -> None:
    prepare()
    for lang in LANGUAGES:
        pages = environment(lang)
        assert pages.cache is not None
        assert {name for _, name in pages.cache} == set(pages.list_templates())


async def test_static_files_are_kept_for_a_year_while_their_address_is_todays(live_form: httpx2.AsyncClient) -> None:
    html = (await live_form.get("/c/lab")).text
    address = re.search(r'href="(/static/[0-9a-f]{12}/dawr.css)"', html)
    assert address
    host = f"http://{live_form.base_url.netloc.decode()}"
    today = await live_form.get(host + address[1])
    assert "immutable" in today.headers["cache-control"]
    earlier = await live_form.get(host + "/static/000000000000/dawr.css")
    assert (earlier.status_code, earlier.headers["cache-control"]) == (200, "no-cache")


@pytest.mark.parametrize("path", ["/static/", "/static/x", "/static/x/%2e%2e/%2e%2e/mount.py", "/static/x/nothing.js"])
async def test_there_is_nothing_else_to_fetch(live_form: httpx2.AsyncClient, path: str) -> None:
    answer = await live_form.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_unknown_addresses_of_the_api_answer_as_the_api_does(live_form: httpx2.AsyncClient) -> None:
    answer = await live_form.get("/api/v1/nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_an_unknown_facility_is_a_page(site: Site) -> None:
    page = await site.browser.new_page()
    answer = await page.goto(site.live.url + "/f/nowhere/c/lab")
    assert answer
    assert answer.status == 404
    await expect(page.locator("h1")).to_be_visible()
    await page.close()


async def test_the_manual_of_the_api_needs_nobody_else(site: Site) -> None:
    page = await (await site.phone(size={"width": 1280, "height": 800})).new_page()
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(request.url.split("/")[2]))
    await page.goto(site.url + "/api/docs")
    await expect(page.locator("#swagger .info .title")).to_contain_text("Dawr")
    await page.locator("#operations-tag-queue").click()
    await expect(page.get_by_text("/api/v1/queue/enter", exact=True)).to_be_visible()
    assert hosts == {site.live.url.split("/")[2]}
