"""From a request to a page: the language it is shown in, its links, its template, its cookies."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from dawr.facilities.rules import named
from dawr.platform.i18n import LANGUAGES, direction, negotiate, translator
from dawr.web import assets
from dawr.web.phrases import Texts, Voice
from dawr.web.views import Cookie, FacilityCard, Views

TEMPLATES = Path(__file__).parent / "templates"
LANGUAGE_COOKIE = "dawr_lang"
A_YEAR = timedelta(days=365)
# Shown on error pages when not even the facility can be read.
NOWHERE = FacilityCard(facility="", names={"en": "Dawr"}, languages=(), zone="UTC")
LANGUAGE_NAMES = {"ar": "العربية", "en": "English", "hi": "हिन्दी"}


@cache
def environment(lang: str) -> Environment:
    """The templates, speaking one language."""
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    env.install_gettext_translations(translator(lang), newstyle=True)  # type: ignore[attr-defined]
    env.filters["wait_words"] = Voice(lang).wait
    return env


def views_of(request: Request) -> Views:
    """What ``mount`` was given."""
    views: Views = request.app.state.views
    return views


def root_of(request: Request) -> str:
    """The prefix of every link: ``""``, or ``/f/city`` in a facility that is not the default."""
    root: str = request.scope.get("root_path", "")
    return root.rstrip("/")


def static_root_of(request: Request) -> str:
    """Static files belong to no facility: all share one copy in the browser's cache."""
    before, marker, slug = root_of(request).rpartition("/f/")
    return before if marker and "/" not in slug else root_of(request)


def language_of(request: Request, facility: FacilityCard) -> str:
    """``?lang=``, else the cookie, else the browser's wish, else the facility's first language."""
    for wish in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if wish in LANGUAGES:
            return wish
    known = (*facility.languages, *(lang for lang in LANGUAGES if lang not in facility.languages))
    return negotiate(request.headers.get("accept-language"), known)


@dataclass(frozen=True, slots=True)
class Page:
    """One page for one reader."""

    request: Request
    facility: FacilityCard
    lang: str

    @classmethod
    async def open(cls, request: Request) -> Self:
        facility = await views_of(request).facility(request)
        return cls(request, facility, language_of(request, facility))

    @property
    def views(self) -> Views:
        return views_of(self.request)

    @property
    def root(self) -> str:
        return root_of(self.request)

    @property
    def voice(self) -> Voice:
        return Voice(self.lang)

    def render(self, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        """The template as an answer; never stored by caches between, and it varies by the reader's language."""
        html = environment(self.lang).get_template(template).render(self._common() | context)
        response = HTMLResponse(html, status)
        response.headers["cache-control"] = "private, no-cache"
        response.headers["vary"] = "Accept-Language, Cookie"
        response.headers["content-language"] = self.lang
        self._remember_language(response)
        return response

    def redirect(self, path: str, cookies: Iterable[Cookie] = ()) -> RedirectResponse:
        """To another page of ours, always by GET. ``path`` may already carry the facility's prefix."""
        address = path if self.root and path.startswith(f"{self.root}/") else self.root + path
        response = RedirectResponse(address, 303)
        set_cookies(self.request, response, cookies)
        return response

    def script_data(self, texts: Texts, **more: Any) -> dict[str, Any]:
        """What every script of ours reads from the page's data block; the common part and its own."""
        return {"root": self.root, "lang": self.lang, "texts": self.voice.common_texts() | texts, **more}

    def _common(self) -> dict[str, Any]:
        static = static_root_of(self.request)
        return {
            "lang": self.lang,
            "dir": direction(self.lang),
            "root": self.root,
            "facility_name": named(self.facility.names, self.lang),
            "static": lambda name: static + assets.address(name),
            "languages": [(lang, LANGUAGE_NAMES[lang], self._in_language(lang)) for lang in LANGUAGES],
        }

    def _in_language(self, lang: str) -> str:
        """This very page in another language, as a link relative to itself."""
        kept = [(name, value) for name, value in self.request.query_params.multi_items() if name != "lang"]
        return "?" + urlencode([*kept, ("lang", lang)])

    def _remember_language(self, response: Response) -> None:
        if self.request.query_params.get("lang") == self.lang:
            cookie = Cookie(name=LANGUAGE_COOKIE, value=self.lang, lifetime=A_YEAR)
            set_cookies(self.request, response, [cookie])


def set_cookies(request: Request, response: Response, cookies: Iterable[Cookie]) -> None:
    """Sets or removes them; Secure wherever the browser came by https."""
    secure = request.url.scheme == "https"
    for cookie in cookies:
        if cookie.value is None:
            response.delete_cookie(cookie.name, path=cookie.path, secure=secure, httponly=True, samesite="lax")
            continue
        age = int(cookie.lifetime.total_seconds()) if cookie.lifetime else None
        response.set_cookie(
            cookie.name, cookie.value, max_age=age, path=cookie.path, secure=secure, httponly=True, samesite="lax"
        )


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a plain form (``application/x-www-form-urlencoded``), stripped; empty ones are left out."""
    body = (await request.body()).decode("utf-8", "replace")
    return {name: value.strip() for name, value in parse_qsl(body, max_num_fields=50) if value.strip()}
