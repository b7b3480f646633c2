"""A base URL of a tenant leads to the public internet alone."""

from __future__ import annotations

import pytest

from tradewind.connectors.ai.addresses import allowed
from tradewind.processors.ai.settings_file.places import is_public

PUBLIC = "8.8.8.8"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        (PUBLIC, True),
        ("2606:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("::ffff:127.0.0.1", False),
        ("2002:7f00:0001::", False),
        ("64:ff9b::169.254.169.254", False),
        ("64:ff9b::8.8.8.8", True),
    ],
)
def test_an_address_is_private_in_each_way_to_write_it(address: str, public: bool) -> None:
    """IPv6 wraps addresses of IPv4 in several ways."""
    assert is_public(address) == public


async def test_a_number_is_an_address_too() -> None:
    """Some libraries read 127.0.0.1 in it."""
    for host in ("2130706433", "127.1", "0x7f.1", "[::ffff:127.0.0.1]"):
        assert await allowed(f"https://{host}/v1", private=False) is not None, host
    assert await allowed(f"https://{PUBLIC}/v1", private=False) is None
    assert await allowed("https://127.0.0.1/v1", private=True) is None
