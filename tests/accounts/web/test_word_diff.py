"""The diff between two texts, word by word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.web.text_diff import diff_words

pytestmark = pytest.mark.one_database

TEXT = st.text(st.sampled_from(["a", "b", "c", " ", "\n", "研", "究", "ب", "é"]), max_size=60)


def kinds(before: str, after: str) -> list[tuple[str, str]]:
    return [(part.kind, part.text.strip()) for part in diff_words(before, after)]


def test_a_changed_word_is_shown_beside_the_old_one() -> None:
    assert kinds("We keep it for a year here.", "We keep it for two years here.") == [
        ("same", "We keep it for"),
        ("gone", "a year"),
        ("new", "two years"),
        ("same", "here."),
    ]


def test_spacing_alone_is_no_change() -> None:
    assert {kind for kind, _ in kinds("one  two\nthree", "one two three")} == {"same"}


def test_scripts_without_blanks_are_compared_sign_by_sign() -> None:
    assert ("new", "新") in kinds("研究计划", "研究新计划")


@given(TEXT, TEXT)
def test_the_parts_put_together_are_the_new_text(before: str, after: str) -> None:
    assert "".join(part.text for part in diff_words(before, after) if part.kind != "gone") == after
