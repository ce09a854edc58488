"""Every text of the product is there in Arabic and Hindi: complete, certain, and with the same placeholders."""

import pytest
from babel.messages.catalog import Catalog

from dawr.platform import catalogues
from dawr.platform.i18n import LANGUAGES, translator

UPDATE = "run `python -m dawr.platform.i18n update` and translate what it lists"


@pytest.fixture(scope="module")
def template() -> Catalog:
    return catalogues.extract()


def test_every_language_but_the_source_has_a_catalogue() -> None:
    assert set(catalogues.TRANSLATED) == set(LANGUAGES) - {"en"}


@pytest.mark.parametrize("lang", catalogues.TRANSLATED)
def test_every_text_is_translated(lang: str, template: Catalog) -> None:
    found = catalogues.faults(catalogues.read(lang), template)
    assert not found, f"{UPDATE}:\n" + "\n".join(found)


@pytest.mark.parametrize("lang", catalogues.TRANSLATED)
def test_the_program_says_what_the_catalogue_holds(lang: str) -> None:
    held = {str(message.id): message.string for message in catalogues.read(lang) if not message.pluralizable}
    assert len(held) > 10
    assert {text: translator(lang).gettext(text) for text in held if text} == {k: v for k, v in held.items() if k}


def test_no_translation_is_kept_in_a_form_nobody_can_review() -> None:
    assert not list(catalogues.LOCALES.rglob("*.mo"))
