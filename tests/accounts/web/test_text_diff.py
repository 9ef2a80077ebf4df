"""The diff between two texts as shown on a page."""

from time import thread_time

import pytest

from accounts.web.text_diff import Part, diff_excerpts, diff_texts

pytestmark = pytest.mark.one_database


def shown(old: str, new: str) -> list[tuple[str, str]]:
    return [(part.kind, part.text) for part in diff_texts(old, new)]


def test_added_and_removed_words_are_shown_in_place() -> None:
    assert shown("never for harm", "never for any harm") == [
        ("same", "never for "),
        ("new", "any "),
        ("same", "harm"),
    ]


def test_a_changed_phrase_reads_whole() -> None:
    assert shown("on reading comprehension.", "on SQuAD and LAMBADA.") == [
        ("same", "on "),
        ("gone", "reading comprehension."),
        ("new", "SQuAD and LAMBADA."),
    ]


def test_both_texts_can_be_read_out_of_the_parts() -> None:
    old, new = "one\ntwo\nthree three\n", "zero\ntwo\n3 three\nfour"
    parts = diff_texts(old, new)
    assert "".join(part.text for part in parts if part.kind != "gone") == new
    assert "".join(part.text for part in parts if part.kind != "new").split() == old.split()


def test_writing_without_blanks_and_from_right_to_left_is_compared_too() -> None:
    assert ("new", "外れ値") in shown("研究 計画", "外れ値 計画")
    assert ("gone", "السمات") in shown("دراسة السمات", "دراسة النماذج")


def test_unchanged_text_is_cut_to_what_surrounds_the_changes() -> None:
    parts = diff_excerpts("a" * 1000 + " x", "a" * 1000 + " y")
    assert len(parts[0].text) < 400
    assert parts[1:] == [Part("gone", "x"), Part("new", "y")]


def test_two_long_texts_are_compared_in_a_moment() -> None:
    old = "\n".join(f"line {number} of a long licence text" for number in range(3000))
    new = old.replace("line 77 ", "line seventy-seven ") + "\n" + "word " * 20_000
    started = thread_time()
    assert diff_texts(old, new)
    assert thread_time() - started < 5
