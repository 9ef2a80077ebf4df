"""Sentences in header values."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weights.web.http_headers import MAX_LENGTH, header_text

pytestmark = pytest.mark.one_database


@given(st.text(), st.integers(0, 2000))
def test_a_sentence_fits_into_a_header_whatever_it_holds(sentence: str, times: int) -> None:
    header = header_text(sentence * times)
    assert len(header) <= MAX_LENGTH
    assert header.isascii()
    assert header == "" or header.isprintable()


def test_a_long_sentence_is_cut_in_the_middle() -> None:
    header = header_text(f"No file {'é' * 2000} is here; ask for the list.")
    assert header.startswith("No file %C3%A9%C3%A9")
    assert header.endswith("%C3%A9 is here; ask for the list.")
    begin, _, end = header.partition("...")
    assert "\ufffd" not in unquote(begin) + unquote(end), "no letter is cut in two"
