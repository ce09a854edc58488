"""The client's address: what a proxy says counts, what a caller writes does not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dawr.platform.addresses import client_address, limit_bucket, parse_networks

PROXIES = parse_networks("10.0.0.0/8, 192.168.1.5, fd00::/8")


def scope(peer: str | None, *forwarded: str) -> dict[str, Any]:
    headers = [(b"host", b"dawr.example"), *((b"x-forwarded-for", value.encode()) for value in forwarded)]
    return {"type": "http", "client": (peer, 50000) if peer else None, "headers": headers}


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6, 198.51.100.1, 10.2.3.4"], "198.51.100.1"),
        ("10.0.0.1", ["6.6.6.6", "198.51.100.1", "192.168.1.5"], "198.51.100.1"),
        ("10.0.0.1", ["192.168.1.6, 10.0.0.7"], "192.168.1.6"),
        ("10.0.0.1", ["10.9.9.9, 10.0.0.7"], "10.9.9.9"),
        ("10.0.0.1", ["198.51.100.1, nonsense, 10.0.0.7"], "10.0.0.7"),
        ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("fd00::1", ["[2001:db8::7]:443"], "2001:db8::7"),
        ("fd00::1", ["2001:db8::7"], "2001:db8::7"),
        ("::ffff:10.0.0.1", ["::ffff:198.51.100.1"], "198.51.100.1"),
        ("fe80::1%eth0", ["198.51.100.1"], "fe80::1"),
        (None, ["198.51.100.1"], "198.51.100.1"),
        (None, [], "unknown"),
    ],
)
def test_the_first_address_from_the_right_that_is_no_proxy(
    peer: str | None, forwarded: list[str], expected: str
) -> None:
    assert client_address(scope(peer, *forwarded), PROXIES) == expected


def test_without_trusted_proxies_the_header_is_nothing() -> None:
    assert client_address(scope("127.0.0.1", "198.51.100.1"), ()) == "127.0.0.1"
    assert client_address(scope(None, "198.51.100.1"), ()) == "unknown"


@given(st.text(max_size=300))
def test_nobody_can_write_themselves_another_address(prefix: str) -> None:
    header = f"{prefix}, 198.51.100.1".encode("utf-8", "replace")
    request = {"client": ("10.0.0.1", 1), "headers": [(b"X-Forwarded-For", header)]}
    assert client_address(request, PROXIES) == "198.51.100.1"


def test_an_endless_header_is_not_walked_to_its_end() -> None:
    assert client_address(scope("10.0.0.1", "6.6.6.6" + ", 10.0.0.2" * 100_000), PROXIES) == "10.0.0.2"


def test_neighbours_in_one_ipv6_network_share_a_limit() -> None:
    assert limit_bucket("2001:db8:0:1::7") == limit_bucket("2001:db8:0:1:ffff::1") == "2001:db8:0:1::/64"
    assert limit_bucket("2001:db8:0:2::7") != limit_bucket("2001:db8:0:1::7")
    assert limit_bucket("198.51.100.1") == "198.51.100.1"
    assert limit_bucket("unknown") == "unknown"


def test_a_wrong_network_is_named() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.300"):
        parse_networks("127.0.0.1, 10.0.0.300")
