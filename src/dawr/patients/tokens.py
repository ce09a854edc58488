"""What a patient is found by: blind tokens, which only the holder of the keys can make, in one facility."""

from collections.abc import Iterable
from dataclasses import dataclass

from dawr.patients import phones
from dawr.patients.rules import Identity, number_form
from dawr.patients.rules_names import beginnings, keys, plain_words
from dawr.platform.crypto import Keyring

Token = tuple[str, bytes]
"""Kind (``phone``, ``number``, ``name``, ``person``) and 16 bytes."""
Entry = tuple[str, bytes, str | None]
"""A token as it is kept, with the Bloom filter of the names beside each ``name``."""
BLOOM_BITS = 128


@dataclass(frozen=True, slots=True)
class Tokens:
    """Makes the tokens of one facility; ``region`` is its country, for numbers without a country code."""

    keyring: Keyring
    facility: str
    region: str | None

    def of(self, identity: Identity) -> set[Token]:
        """Everything an identity is found by."""
        return {
            *(token for phone in identity.phones for token in self.phone(phone)),
            *self.numbers(identity.national_id, identity.record_number),
            *self.names(key for name in identity.spellings for key in keys(name)),
            *self.person(identity),
        }

    def entries(self, identity: Identity) -> set[Entry]:
        """What is kept of an identity to find it by."""
        bloom = written(self.bits(one for name in identity.spellings for one in beginnings(name)))
        return {(kind, code, bloom if kind == "name" else None) for kind, code in self.of(identity)}

    def likely_same(self, identity: Identity) -> set[Token]:
        """What a record of the same person has in common with this identity."""
        return {token for token in self.of(identity) if token[0] != "name"}

    def phone(self, text: str) -> set[Token]:
        return {self.token("phone", one) for one in phones.spellings(text, self.region)}

    def numbers(self, *texts: str | None) -> set[Token]:
        return {self.token("number", number_form(text)) for text in texts if number_form(text)}

    def names(self, keys_: Iterable[str]) -> set[Token]:
        return {self.token("name", key) for key in keys_}

    def person(self, identity: Identity) -> set[Token]:
        """One token a script, of the whole name with the year of birth."""
        if identity.year is None:
            return set()
        spellings = {plain_words(name) for name in identity.spellings} - {()}
        return {self.token("person", f"{' '.join(words)}|{identity.year}") for words in spellings}

    def bits(self, beginnings_: Iterable[str]) -> int:
        """The bits that stand for these beginnings in a Bloom filter, one each."""
        found = 0
        for one in beginnings_:
            _, token = self.token("bloom", one)
            found |= 1 << int.from_bytes(token) % BLOOM_BITS
        return found

    def token(self, kind: str, text: str) -> Token:
        return kind, self.keyring.blind(text, facility=self.facility, where=f"patient_index.{kind}")


def written(bits: int) -> str:
    """A Bloom filter as PostgreSQL reads a bit string."""
    return f"{bits:0{BLOOM_BITS}b}"
