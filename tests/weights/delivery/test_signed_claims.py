"""Claims have one valid encoding, and all others are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import factories
from weights.delivery import signed_claims
from weights.delivery.signed_claims import BadSignature, FileClaim

pytestmark = pytest.mark.one_database

RING = {"k2": b"2" * 32, "k1": b"1" * 32}
CLAIM = FileClaim(7, "ab" * 32, "42", 1_800_000_000)
LINK_ID = bytes(range(16))


def test_a_file_link_is_believed_as_it_was_signed() -> None:
    query = signed_claims.parse_file_query(factories.signed_query(CLAIM, RING))
    signed_claims.check_file(CLAIM, query, RING)
    assert (query.key_id, query.right, query.expires) == ("k2", "42", 1_800_000_000)


@pytest.mark.requirement("UR-2")
@pytest.mark.parametrize(
    "other",
    [
        FileClaim(8, CLAIM.sha256, "42", CLAIM.expires),
        FileClaim(7, "cd" * 32, "42", CLAIM.expires),
        FileClaim(7, CLAIM.sha256, "43", CLAIM.expires),
        FileClaim(7, CLAIM.sha256, "open", CLAIM.expires),
        FileClaim(7, CLAIM.sha256, "42", CLAIM.expires + 1),
    ],
)
def test_a_signature_fits_its_own_claim_only(other: FileClaim) -> None:
    query = signed_claims.parse_file_query(factories.signed_query(CLAIM, RING))
    with pytest.raises(BadSignature):
        signed_claims.check_file(other, query, RING)


@pytest.mark.requirement("UR-6")
def test_an_older_key_still_verifies_and_a_dropped_one_does_not() -> None:
    query = signed_claims.parse_file_query(factories.signed_query(CLAIM, {"k1": RING["k1"]}))
    signed_claims.check_file(CLAIM, query, RING)
    with pytest.raises(BadSignature):
        signed_claims.check_file(CLAIM, query, {"k2": RING["k2"]})


@pytest.mark.requirement("UR-2", "UR-3")
@given(st.data())
def test_one_altered_character_of_a_query_is_refused(data: st.DataObject) -> None:
    text = factories.signed_query(CLAIM, RING)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="latin-1").filter(lambda c: c != text[place]))
    altered = text[:place] + other + text[place + 1 :]
    with pytest.raises(BadSignature):
        _believe(altered)


def _believe(raw: str) -> None:
    """Parse and verify a query as the view does, by the query's own claims."""
    query = signed_claims.parse_file_query(raw)
    claim = FileClaim(CLAIM.file_id, CLAIM.sha256, query.right, query.expires)
    signed_claims.check_file(claim, query, RING)


@pytest.mark.requirement("UR-3")
@pytest.mark.parametrize("extra", ["&x=1", "&response-content-type=text/html", "\n", "&s=", " "])
def test_a_query_with_anything_more_is_refused(extra: str) -> None:
    with pytest.raises(BadSignature):
        signed_claims.parse_file_query(factories.signed_query(CLAIM, RING) + extra)


def test_a_checkpoint_token_gives_back_its_link_and_end() -> None:
    token = signed_claims.read_token(signed_claims.sign_token(LINK_ID, 1_800_000_000, RING), RING)
    assert (token.link_id, token.expires, token.key_id) == (LINK_ID, 1_800_000_000, "k2")
    assert token.digest == signed_claims.link_digest(LINK_ID)


@given(st.data())
def test_one_altered_character_of_a_token_is_refused(data: st.DataObject) -> None:
    text = signed_claims.sign_token(LINK_ID, 1_800_000_000, RING)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="latin-1").filter(lambda c: c != text[place]))
    with pytest.raises(BadSignature):
        signed_claims.read_token(text[:place] + other + text[place + 1 :], RING)


def test_a_token_is_safe_in_a_path_and_in_a_shell() -> None:
    token = signed_claims.sign_token(bytes(16), 1_800_000_000, RING)
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
