"""The translators' side: message ids found in the sources, catalogues brought up to date with them, and their faults.

``locales/<language>/LC_MESSAGES/dawr.po`` is all that is kept; what the program reads is made from it at the start. The
files are sorted and name no lines, so that two changes to different texts merge.
"""

import gettext
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

PACKAGE = Path(__file__).parents[1]
LOCALES = PACKAGE / "locales"
TRANSLATED = ("ar", "hi")

_METHODS = [("**.py", "python"), ("**/templates/**.*", "jinja2")]
# The same way of reading a template as when it is shown; a template that cannot be parsed is an error, not empty.
_OPTIONS = {"**/templates/**.*": {"silent": "false", "newstyle_gettext": "true", "encoding": "utf-8"}}
_KEYWORDS = {
    "_": None,
    "N_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
_PLACEHOLDER = re.compile(r"%\((\w+)\)[a-z]|\{(\w*)\}|(%[a-z])")
# Babel's own rule for Arabic has the last two forms the other way round than every translator's tool.
_PLURAL_FORMS = {
    "ar": "nplurals=6; plural=(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5);"
}
_COUNTS = frozenset({"num", "n", "count"})
# Names of things that are the same in every language.
_UNTRANSLATABLE = frozenset({"Dawr"})


def extract(root: Path = PACKAGE) -> Catalog:
    """Every message id of the sources under ``root``, with the files it stands in."""
    template = Catalog(project="Dawr", fuzzy=False)
    found = extract_from_dir(root, method_map=_METHODS, options_map=_OPTIONS, keywords=_KEYWORDS)
    for file, line, message, comments, context in found:
        template.add(message, locations=[(file, line)], auto_comments=comments, context=context)
    return template


def read(language: str, locales: Path = LOCALES) -> Catalog:
    with _file(language, locales).open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def write(catalog: Catalog, language: str, locales: Path = LOCALES) -> None:
    path = _file(language, locales)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_as_po(catalog))


def update(language: str, template: Catalog, locales: Path = LOCALES) -> None:
    """Adds what the sources have gained, drops what they have lost, and keeps every translation that is still used."""
    catalog = read(language, locales) if _file(language, locales).exists() else _empty(language)
    catalog.update(template, no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    write(catalog, language, locales)


def compiled(catalog: Catalog) -> gettext.GNUTranslations:
    memory = io.BytesIO()
    write_mo(memory, catalog)
    memory.seek(0)
    return gettext.GNUTranslations(memory)


def faults(catalog: Catalog, template: Catalog) -> list[str]:
    """What keeps a reader of this language from seeing everything in it, one sentence each."""
    wanted = {_key(message) for message in template if message.id}
    found = [f"{_name(message)}: no longer in the sources" for message in catalog if _extra(message, wanted)]
    for message in template:
        if message.id:
            translation = catalog.get(message.id, message.context)
            found += [f"{_name(message)}: {fault}" for fault in _faults(translation, catalog)]
    return sorted(found)


def as_text(catalog: Catalog) -> str:
    return _as_po(catalog).decode()


def _faults(message: Message | None, catalog: Catalog) -> Iterator[str]:
    if message is None:
        yield "not in the catalogue"
        return
    if message.fuzzy:
        yield "marked as uncertain (fuzzy)"
    ids = message.id if isinstance(message.id, tuple | list) else (message.id,)
    strings = message.string if isinstance(message.string, tuple | list) else (message.string,)
    expected = catalog.num_plurals if len(ids) > 1 else 1
    if len(strings) != expected or not all(strings):
        yield f"{sum(map(bool, strings))} of {expected} forms translated"
        return
    singles = _single_number_forms(catalog) if len(ids) > 1 else frozenset()
    for form, text in enumerate(strings):
        yield from _text_faults(str(text), ids, may_leave_count_out=form in singles)


def _text_faults(text: str, ids: Iterable[str], *, may_leave_count_out: bool) -> Iterator[str]:
    """A form for one number only may say it in a word instead (Arabic writes "two minutes" as one)."""
    ids = tuple(ids)
    allowed = _placeholders(ids[-1]) | _placeholders(ids[0])
    required = _placeholders(ids[-1]) - (_COUNTS if may_leave_count_out else frozenset())
    got = _placeholders(text)
    if got - allowed or required - got:
        yield f"placeholders {sorted(got)} instead of {sorted(allowed)} in {text!r}"
    if text in ids and text not in _UNTRANSLATABLE and any(map(str.isalpha, _PLACEHOLDER.sub("", text))):
        yield "still in English"
    if text != text.strip() and ids[0] == ids[0].strip():
        yield f"space at an end of {text!r}"


def _placeholders(text: str) -> frozenset[str]:
    return frozenset(next(part for part in found if part) for found in _PLACEHOLDER.findall(text) if any(found))


def _single_number_forms(catalog: Catalog) -> frozenset[int]:
    form_of = gettext.c2py(catalog.plural_expr)
    uses = Counter(form_of(number) for number in range(1000))
    return frozenset(form for form, numbers in uses.items() if numbers == 1)


def _extra(message: Message, wanted: set[tuple[object, str | None]]) -> bool:
    return bool(message.id) and _key(message) not in wanted


def _key(message: Message) -> tuple[object, str | None]:
    return (message.id[0] if isinstance(message.id, tuple | list) else message.id), message.context


def _name(message: Message) -> str:
    return repr(_key(message)[0])


def _empty(language: str) -> Catalog:
    catalog = Catalog(
        locale=language,
        project="Dawr",
        version="1",
        header_comment="# Dawr in this language. Brought up to date by: python -m dawr.platform.i18n update",
        msgid_bugs_address="The Dawr maintainers",
        last_translator="The Dawr maintainers",
        language_team="The Dawr maintainers",
        fuzzy=False,
    )
    catalog.revision_date = catalog.creation_date
    if language in _PLURAL_FORMS:
        catalog.mime_headers = [("Plural-Forms", _PLURAL_FORMS[language])]
    return catalog


def _as_po(catalog: Catalog) -> bytes:
    memory = io.BytesIO()
    write_po(memory, catalog, width=100, sort_output=True, ignore_obsolete=True, include_lineno=False)
    return memory.getvalue()


def _file(language: str, locales: Path) -> Path:
    return locales / language / "LC_MESSAGES" / "dawr.po"
