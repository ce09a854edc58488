"""From a request to a page: the language it is shown in, its links, its template, its cookies."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import parse_qsl, urlencode

import orjson
from jinja2 import BytecodeCache, Environment, FileSystemLoader, StrictUndefined
from jinja2.bccache import Bucket
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from dawr.accounts import queries as accounts
from dawr.facilities.queries import Context
from dawr.facilities.rules import named
from dawr.platform.http.context import context
from dawr.platform.i18n import LANGUAGES, direction, negotiate, translator
from dawr.web import assets
from dawr.web.phrases import Texts, Voice

TEMPLATES = Path(__file__).parent / "templates"
ResponseT = TypeVar("ResponseT", bound=Response)
LANGUAGE_COOKIE = "dawr_lang"
A_YEAR = timedelta(days=365)
LANGUAGE_NAMES = {"ar": "العربية", "en": "English", "hi": "हिन्दी"}


class _Compiled(BytecodeCache):
    """A template is compiled once for all languages: that takes far longer than to render it."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


_compiled = _Compiled()


def _speaking(lang: str) -> Callable[..., Markup]:
    """``_`` of the templates: most texts have nothing to fill in, and are looked up once."""

    @cache
    def text(message: str) -> Markup:
        return Markup(translator(lang).gettext(message))  # noqa: S704 - translations are ours, as templates are

    @cache
    def plain(message: str) -> Markup:
        return text(message) % {}

    def say(message: str, **values: object) -> Markup:
        return text(message) % values if values else plain(message)

    return say


def _json(value: object, **_: object) -> str:
    return orjson.dumps(value).decode()


@cache
def environment(lang: str) -> Environment:
    """The templates, speaking one language."""
    env = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=_compiled,
        extensions=["jinja2.ext.i18n"],
        # Each page would look at the file of each of its templates.
        auto_reload=False,
    )
    env.install_gettext_translations(translator(lang), newstyle=True)  # type: ignore[attr-defined]
    env.globals["_"] = _speaking(lang)
    env.policies["json.dumps_function"] = _json
    env.filters["wait_words"] = Voice(lang).wait
    return env


def prepare() -> None:
    """Reads every text and compiles every page, so that nobody waits for that: a first page took a tenth of a second."""
    assets.fingerprint()
    for lang in LANGUAGES:
        Voice(lang).wait_texts()
        for name in environment(lang).list_templates():
            environment(lang).get_template(name)


def root_of(request: Request) -> str:
    """The prefix of every link: ``""``, or ``/f/city`` in a facility named by the address."""
    # Inside a mounted app ``root_path`` is that app's own.
    root: str = request.scope.get("app_root_path", request.scope.get("root_path", ""))
    return root.rstrip("/")


def static_root_of(request: Request) -> str:
    """Static files belong to no facility: all share one copy in the browser's cache."""
    before, marker, slug = root_of(request).rpartition("/f/")
    return before if marker and "/" not in slug else root_of(request)


def language_of(request: Request, languages: tuple[str, ...]) -> str:
    """``?lang=``, else the cookie, else the browser's wish, else the facility's first language."""
    for wish in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if wish in LANGUAGES:
            return wish
    offered = (*languages, *(lang for lang in LANGUAGES if lang not in languages))
    return negotiate(request.headers.get("accept-language"), offered)


@dataclass(frozen=True, slots=True)
class Page:
    """One page for one reader. ``known`` is None only on error pages, when not even the facility could be found."""

    request: Request
    known: Context | None
    lang: str

    @classmethod
    async def open(cls, request: Request) -> Self:
        here: Context = await context(request)
        return cls(request, here, language_of(request, here.facility.languages))

    @classmethod
    def anywhere(cls, request: Request) -> Self:
        return cls(request, None, language_of(request, ("en",)))

    @property
    def here(self) -> Context:
        assert self.known is not None
        return self.known

    @property
    def root(self) -> str:
        return root_of(self.request)

    @property
    def voice(self) -> Voice:
        return Voice(self.lang)

    def render(self, template: str, *, status: int = 200, address: str | None = None, **own: Any) -> HTMLResponse:
        """The template as an answer that nobody else's cache keeps; it varies by the reader's language. ``address`` is where
        this page can be read again, where it may be shown in answer to a form that was sent elsewhere."""
        html = environment(self.lang).get_template(template).render(self._common(address) | own)
        response = HTMLResponse(html, status)
        response.headers["cache-control"] = "private, no-cache"
        response.headers["vary"] = "Accept-Language, Cookie"
        response.headers["content-language"] = self.lang
        if self.request.query_params.get("lang") == self.lang:
            set_cookie(self.request, response, LANGUAGE_COOKIE, self.lang, lifetime=A_YEAR)
        return response

    def redirect(self, path: str) -> RedirectResponse:
        """To another page of ours, always by GET."""
        return RedirectResponse(self.root + path, 303)

    def script_data(self, texts: Texts, **more: Any) -> dict[str, Any]:
        """What every script of ours reads from the page's data block; the common part and its own."""
        account = self.here.actor.account_id
        common = {"root": self.root, "lang": self.lang, "csrf": self.csrf, "account": str(account) if account else None}
        return common | {"texts": self.voice.common_texts() | texts, **more}

    @property
    def csrf(self) -> str | None:
        """What proves that a change comes from this page, where somebody is signed in."""
        session_id = self.here.actor.session_id
        return accounts.csrf_token(self.here.services, session_id) if session_id else None

    def _common(self, address: str | None) -> dict[str, Any]:
        static = static_root_of(self.request)
        here = "" if address is None else self.root + address
        return {
            "lang": self.lang,
            "dir": direction(self.lang),
            "root": self.root,
            "facility_name": named(self.known.facility.name, self.lang) if self.known else "Dawr",
            "static": lambda name: static + assets.address(name),
            "languages": [(lang, LANGUAGE_NAMES[lang], here + self._in_language(lang)) for lang in LANGUAGES],
        }

    def _in_language(self, lang: str) -> str:
        """This very page in another language, as a link relative to itself."""
        kept = [(name, value) for name, value in self.request.query_params.multi_items() if name != "lang"]
        return "?" + urlencode([*kept, ("lang", lang)])


def private(response: ResponseT) -> ResponseT:
    """The page's address is the key to what it shows: it must not be stored by others nor leave with a click."""
    response.headers["cache-control"] = "no-store"
    response.headers["referrer-policy"] = "no-referrer"
    response.headers["x-robots-tag"] = "noindex"
    return response


def set_cookie(request: Request, response: Response, name: str, value: str, *, lifetime: timedelta) -> None:
    """HttpOnly, for our own pages only, and Secure wherever the browser came by https."""
    response.set_cookie(
        name,
        value,
        max_age=int(lifetime.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a plain form (``application/x-www-form-urlencoded``), stripped; empty ones are left out."""
    body = (await request.body()).decode("utf-8", "replace")
    return {name: value.strip() for name, value in parse_qsl(body, max_num_fields=50) if value.strip()}
