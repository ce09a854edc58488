"""Names are found however they are spelled."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dawr.patients.rules_names import (
    asked,
    asked_beginnings,
    asked_keys,
    beginnings,
    begins,
    fold,
    keys,
    plain_words,
    same_name,
    share_a_word,
)

ARABIC = st.text(st.characters(min_codepoint=0x0621, max_codepoint=0x064A, categories=["Lo"]), min_size=4, max_size=12)
LATIN = st.text(
    st.characters(min_codepoint=0x41, max_codepoint=0x24F, categories=["Lu", "Ll"]), min_size=4, max_size=12
)
DEVANAGARI = st.text("अआइकखगघचजटडतदनपबमयरलवशसह", min_size=4, max_size=10)
WORDS = st.one_of(ARABIC, LATIN, DEVANAGARI)
NAMES = st.lists(WORDS, min_size=1, max_size=4).map(" ".join)
# Vowel signs, shadda, tatweel: written or not.
SIGNS = st.sampled_from("\u064b\u064e\u064f\u0650\u0651\u0652\u0640")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("أحمد", "احمد"),
        ("إبراهيم", "ابراهيم"),
        ("آمنة", "امنه"),
        ("مصطفى", "مصطفي"),
        ("مُحَمَّد", "محمد"),
        ("محـــمد", "محمد"),
        ("الثاني", "ال ثاني"),
        ("آل ثاني", "ثاني"),
        ("عبد الله", "عبدالله"),
        ("رؤوف", "رووف"),
        ("عائشة", "عايشه"),
        ("سناء", "سنا"),
        ("یاسر", "ياسر"),
        ("کریم", "كريم"),
        ("José", "JOSE"),
        ("O'Brien", "OBrien"),
        ("Straße", "STRASSE"),
        ("Łukasz Ørsted", "lukasz orsted"),
        ("Al-Thani", "Thani"),
        ("AlThani", "al thani"),
        ("Amina  Khan", "KHAN, Amina"),
        ("क़ुरैशी", "कुरैशी"),
        ("हिन्दी", "हिंदी"),
        ("चाँद", "चांद"),
        ("ज़ाकिर", "जाकिर"),
    ],
)
def test_spellings_of_one_name_are_one(one: str, other: str) -> None:
    assert plain_words(one) == plain_words(other) != ()
    assert same_name([one], [other])


@pytest.mark.parametrize(("one", "other"), [("Amina", "Amira"), ("أمينة", "أميرة"), ("राम", "रमा"), ("Alan", "an")])
def test_other_names_stay_others(one: str, other: str) -> None:
    assert not same_name([one], [other])


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("ami", "Amina Khan"),
        ("AMINA kh", "Khan Amina"),
        ("thani", "Althani"),
        ("althani", "Al Thani"),
        ("al-thani", "Amina Al-Thani"),
        ("ahmed al-fi", "Ahmed Al-Fidi"),
        ("al-fi", "Alfidi"),
        ("ثان", "الثاني"),
        ("الثان", "ثاني"),
        ("عبد", "عبد الله"),
        ("عبدال", "عبد الله"),
        ("li na", "Li Na"),
        ("हिन्द", "हिंदी"),
        ("mohammed", "Mohammed Ali"),
        ("mohamm", "Mohammed Ali"),
    ],
)
def test_a_beginning_finds_the_name(query: str, name: str) -> None:
    assert set(asked_keys(asked(query))) <= keys(name)
    assert asked_beginnings(asked(query)) <= beginnings(name)
    assert begins(asked(query), [name])


@pytest.mark.parametrize("query", ["", "a", "al", "الـ", "أب", "Li", "...", "ال"])
def test_less_than_three_letters_ask_for_nothing(query: str) -> None:
    assert asked(query) == []


def test_a_short_beginning_after_the_article_counts_with_it() -> None:
    assert asked_keys(asked("al-fi ahm")) == ["alf", "ahm"]


def test_a_key_is_no_more_than_a_beginning() -> None:
    assert keys("Muhammad") == {"muh", "muham", "muhammad"}
    assert not begins(asked("muhammed"), ["Muhammad"])


@given(NAMES)
def test_folding_again_changes_nothing(name: str) -> None:
    assert fold(" ".join(fold(name))) == fold(name)


@given(NAMES)
def test_normal_forms_and_case_do_not_matter(name: str) -> None:
    assert fold(unicodedata.normalize("NFD", name)) == fold(unicodedata.normalize("NFC", name))
    assert fold(name.upper().lower()) == fold(name.lower())


@given(ARABIC, st.lists(SIGNS, min_size=12, max_size=12))
def test_signs_in_an_arabic_word_do_not_matter(word: str, signs: list[str]) -> None:
    dressed = "".join(letter + sign for letter, sign in zip(word, signs, strict=False))
    assert fold(dressed) == fold(word)


@given(NAMES, st.data())
def test_every_beginning_of_every_word_finds_the_name(name: str, data: st.DataObject) -> None:
    word = data.draw(st.sampled_from(fold(name) or ["abc"]))
    beginning = word[: data.draw(st.integers(3, max(3, len(word))))]
    words = asked(beginning) if fold(name) else []
    assert set(asked_keys(words)) <= keys(name)
    assert begins(words, [name])


@given(NAMES, st.data())
def test_beginnings_of_several_words_are_among_those_of_the_name(name: str, data: st.DataObject) -> None:
    some = data.draw(st.lists(st.sampled_from(fold(name) or ["abc"]), max_size=4))
    words = asked(" ".join(word[: data.draw(st.integers(1, len(word)))] for word in some))
    assert not begins(words, [name]) or asked_beginnings(words) <= beginnings(name)


def test_beginnings_tell_words_apart_past_the_longest_key() -> None:
    assert not asked_beginnings(["muhammadul"]) <= beginnings("Muhammadur")


@given(NAMES, NAMES)
def test_who_has_the_same_name_shares_a_word(one: str, other: str) -> None:
    assert not same_name([one], [other]) or share_a_word([one], [other])
