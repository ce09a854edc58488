"""The translators' tools: what stands in the sources is found, what is kept is kept, what is missing is named."""

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog

from dawr.platform import catalogues

PYTHON = """
title = N_("Nobody is waiting")
def greet(t, n):
    t.gettext("Welcome, %(name)s")
    t.pgettext("verb", "Call")
    t.ngettext("%(num)s person waits", "%(num)s people wait", n)
    t.gettext(title)
"""
PAGE = """<h1>{{ _("Floor %(floor)s", floor=floor) }}</h1>
{{ ngettext("%(num)s desk", "%(num)s desks", desks) }}{% trans %}Please wait{% endtrans %}"""
ARABIC_PLURAL = ("لا أحد", "شخص ينتظر", "شخصان ينتظران", "%(num)s أشخاص", "%(num)s شخصًا", "%(num)s شخص")


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / "web" / "templates").mkdir(parents=True)
    (tmp_path / "rules.py").write_text(PYTHON)
    (tmp_path / "web" / "templates" / "page.html").write_text(PAGE)
    return tmp_path


def template_of(*ids: str | tuple[str, str]) -> Catalog:
    template = Catalog()
    for message in ids:
        template.add(message)
    return template


def arabic(**translations: str) -> Catalog:
    catalog = Catalog(locale="ar", fuzzy=False)
    for message, text in translations.items():
        catalog.add(message, text)
    return catalog


def test_texts_are_found_in_python_and_in_templates(sources: Path) -> None:
    found = {message.id for message in catalogues.extract(sources) if message.id}
    assert found == {
        "Nobody is waiting",
        "Welcome, %(name)s",
        "Call",
        ("%(num)s person waits", "%(num)s people wait"),
        "Floor %(floor)s",
        ("%(num)s desk", "%(num)s desks"),
        "Please wait",
    }


def test_a_template_that_cannot_be_read_is_an_error(sources: Path) -> None:
    (sources / "web" / "templates" / "broken.html").write_text("{% if %}")
    with pytest.raises(Exception, match="Expected an expression"):
        catalogues.extract(sources)


def test_an_update_keeps_translations_adds_the_missing_and_drops_the_unused(sources: Path, tmp_path: Path) -> None:
    catalogues.write(arabic(Call="نداء", Gone="ذهب"), "ar", tmp_path)
    kept = catalogues.read("ar", tmp_path)
    kept.add("Call", "نداء", context="verb")
    catalogues.write(kept, "ar", tmp_path)
    catalogues.update("ar", catalogues.extract(sources), tmp_path)
    updated = catalogues.read("ar", tmp_path)
    assert updated.get("Call", "verb").string == "نداء"  # type: ignore[union-attr]
    assert "Nobody is waiting" in updated
    assert "Gone" not in updated


def test_updating_twice_changes_nothing(sources: Path, tmp_path: Path) -> None:
    template = catalogues.extract(sources)
    files = []
    for _ in range(2):
        catalogues.update("hi", template, tmp_path)
        files.append((tmp_path / "hi" / "LC_MESSAGES" / "dawr.po").read_bytes())
    assert files[0] == files[1]
    assert not re.search(rb"^#: .*:\d", files[0], re.MULTILINE)


def test_a_complete_catalogue_has_no_faults() -> None:
    template = template_of("Call %(code)s", ("%(num)s person", "%(num)s people"))
    catalog = arabic(**{"Call %(code)s": "نداء %(code)s"})
    catalog.add(("%(num)s person", "%(num)s people"), ARABIC_PLURAL)
    assert catalogues.faults(catalog, template) == []


@pytest.mark.parametrize(
    ("translation", "fault"),
    [
        ("", "0 of 1 forms translated"),
        ("نداء", "placeholders"),
        ("نداء %(kode)s", "placeholders"),
        ("نداء %(code)s {desk}", "placeholders"),
        ("Call %(code)s", "still in English"),
        ("نداء %(code)s ", "space at an end"),
    ],
)
def test_a_faulty_translation_is_named(translation: str, fault: str) -> None:
    found = catalogues.faults(arabic(**{"Call %(code)s": translation}), template_of("Call %(code)s"))
    assert any(fault in sentence for sentence in found)


def test_missing_unused_and_uncertain_entries_are_named() -> None:
    catalog = arabic(Gone="ذهب", Call="نداء")
    catalog["Call"].flags.add("fuzzy")
    assert catalogues.faults(catalog, template_of("Call", "Hold")) == [
        "'Call': marked as uncertain (fuzzy)",
        "'Gone': no longer in the sources",
        "'Hold': not in the catalogue",
    ]


def faults_of_plural(*forms: str) -> list[str]:
    catalog = arabic()
    catalog.add(("%(num)s person", "%(num)s people"), forms)
    return catalogues.faults(catalog, template_of(("%(num)s person", "%(num)s people")))


def test_every_plural_form_is_needed_and_says_its_number_where_it_stands_for_many() -> None:
    assert faults_of_plural(*ARABIC_PLURAL) == []
    assert any("5 of 6" in fault for fault in faults_of_plural(*ARABIC_PLURAL[:5], ""))
    assert any("placeholders" in fault for fault in faults_of_plural(*ARABIC_PLURAL[:3], "أشخاص", *ARABIC_PLURAL[4:]))


def test_what_is_compiled_says_the_translations() -> None:
    said = catalogues.compiled(arabic(**{"Call %(code)s": "نداء %(code)s"}))
    assert said.gettext("Call %(code)s") == "نداء %(code)s"
