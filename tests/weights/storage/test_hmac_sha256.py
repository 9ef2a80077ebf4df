"""HMAC by copied hashes equals the library's HMAC."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weights.storage.hmac_sha256 import HmacSha256

pytestmark = pytest.mark.one_database


@given(key=st.binary(max_size=200), head=st.binary(max_size=100), messages=st.lists(st.binary()))
def test_every_message_gets_the_librarys_digest(
    key: bytes, head: bytes, messages: list[bytes]
) -> None:
    mac = HmacSha256(key, head)
    for message in messages:
        assert mac.digest(message) == hmac.digest(key, head + message, "sha256")
