"""Names as they are found: spellings that people do not tell apart are folded into one.

Latin: case, accents, apostrophes. Arabic: vowel signs, tatweel, forms of alef, hamza and ya, ta marbuta, letters as typed on
Persian and Urdu keyboards, the article, عبد written apart. Devanagari: nukta, candrabindu, nasals before a consonant.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import product

LENGTHS = (3, 5, 8)
SHORTEST = LENGTHS[0]
LONGEST = 12
MOST_WORDS = 12
_ASKED_WORDS = 6
_LATIN = str.maketrans({"ø": "o", "đ": "d", "ð": "d", "ł": "l", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th", "ħ": "h"})
_ARABIC = str.maketrans(
    {
        **dict.fromkeys("ٱ", "ا"),
        **dict.fromkeys("ىیېۍے", "ي"),
        **dict.fromkeys("ةھہەۃ", "ه"),
        **dict.fromkeys("کڪ", "ك"),
        "ڤ": "ف",
        "گ": "ك",
        "پ": "ب",
        "چ": "ج",
        "ژ": "ز",
        # Said or not, written or not: the letter hamza by itself, and the stroke that lengthens a word.
        "ء": None,
        "ـ": None,
    }
)
_DROPPED = re.compile(
    "[\u0300-\u036f\u064b-\u065f\u0670\u06d6-\u06ed\u093c\u0951-\u0954\u200b-\u200f\u2060\ufeff'’‘`´ʿʾʼ′]"
)
_NASAL = re.compile("[ङञणनम]्(?=[क-ह])")
_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|[\u0900-\u0903\u093a-\u094f\u0955-\u0957\u0962\u0963])*")
_CAMEL = re.compile(r"\b(Al|El)(?=[A-Z])")
_ARTICLES = frozenset({"al", "el", "ال"})
_SERVANT = "عبد"


def fold(name: str) -> list[str]:
    """The words of a name, each in the form that its spellings share, at most ``MOST_WORDS``. Articles stand apart."""
    plain = unicodedata.normalize("NFKD", _CAMEL.sub(r"\1 ", name)).casefold().translate(_LATIN)
    # Again: folding the case can make letters that come apart.
    plain = _DROPPED.sub("", unicodedata.normalize("NFKD", plain)).translate(_ARABIC)
    plain = _NASAL.sub("ं", plain.replace("ँ", "ं"))
    return _joined(_WORD.findall(plain))[:MOST_WORDS]


def _joined(words: Sequence[str]) -> list[str]:
    """With عبد at the beginning of the word that follows it, as it is as often written."""
    out: list[str] = []
    for word in words:
        if out and out[-1] == _SERVANT:
            out[-1] += word
        else:
            out.append(word)
    return out


def variants(words: Sequence[str]) -> list[frozenset[str]]:
    """For each word of a folded name the forms under which it is looked for: with the article before it and without."""
    out: list[frozenset[str]] = []
    article = ""
    for word in words:
        if word in _ARTICLES and not article:
            article = word
            continue
        out.append(frozenset({word, _bare(word), article + word}))
        article = ""
    return [*out, frozenset({article})] if article else out


def _bare(word: str) -> str:
    """Without an article written together with the word, where enough of a word is left."""
    return word[2:] if word[:2] in _ARTICLES and len(word) >= 2 + SHORTEST else word


def keys(name: str) -> set[str]:
    """What a name is found by: the beginnings of its words, and whole words that are shorter than any beginning."""
    forms = frozenset[str]().union(*variants(fold(name)))
    beginnings = {form[:length] for form, length in product(forms, LENGTHS) if len(form) >= length}
    return beginnings | {_whole(form) for form in forms if len(form) < SHORTEST}


def beginnings(name: str) -> set[str]:
    """Every beginning of every word of a name, of two letters to ``LONGEST``."""
    return _beginnings(frozenset[str]().union(*variants(fold(name))))


def asked(query: str) -> list[str]:
    """The words of what somebody typed, without articles; the beginning of a word that is too short to look for keeps its
    article. Empty where fewer than three letters are left."""
    out: list[str] = []
    article = ""
    for word in fold(query):
        if word in _ARTICLES:
            article = word
            continue
        out.append(article + word if len(word) < SHORTEST else word)
        article = ""
    return out[:_ASKED_WORDS] if sum(map(len, out)) >= SHORTEST else []


def asked_keys(words: Sequence[str]) -> list[str]:
    """For each word the longest key that a name beginning so has; short words only where there are no others."""
    long = [word for word in words if len(word) >= SHORTEST]
    keys_ = [_stem(word)[: max(one for one in LENGTHS if one <= len(_stem(word)))] for word in long]
    return list(dict.fromkeys(keys_)) or [_whole(word) for word in words]


def asked_beginnings(words: Iterable[str]) -> set[str]:
    """What is among the ``beginnings`` of every name that begins as asked; names that have it all may still be others."""
    return _beginnings(map(_stem, words))


def _beginnings(words: Iterable[str]) -> set[str]:
    return {word[:length] for word in words for length in range(2, min(len(word), LONGEST) + 1)}


def _stem(word: str) -> str:
    """An Arabic word without its article, so that it finds the name written either way. Of a Latin one nobody knows whether
    it begins with the article (althani) or not (alexander): it is looked for as it is."""
    return _bare(word) if word.startswith("ال") else word


def _whole(word: str) -> str:
    return f"={word}"


def begins(words: Sequence[str], spellings: Iterable[str]) -> bool:
    """Whether, in one of the spellings, every asked word begins a word of the name."""
    return any(_begins(words, variants(fold(name))) for name in spellings)


def _begins(words: Sequence[str], forms: Sequence[frozenset[str]]) -> bool:
    return all(any(form.startswith(_stem(word)) for one in forms for form in one) for word in words)


def plain_words(name: str) -> tuple[str, ...]:
    """The words of a name in the alphabet's order, without articles: the same for the same person, however arranged."""
    return tuple(sorted(_bare(word) for word in fold(name) if word not in _ARTICLES))


def same_name(one: Iterable[str], other: Iterable[str]) -> bool:
    """Whether two people are called the same, in any of the scripts."""
    return bool({plain_words(name) for name in one} & {plain_words(name) for name in other} - {()})


def share_a_word(one: Iterable[str], other: Iterable[str]) -> bool:
    """Whether two people have a word of their names in common, in any of the scripts."""
    return bool({word for name in one for word in plain_words(name)} & {w for name in other for w in plain_words(name)})
