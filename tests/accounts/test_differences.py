"""What changed between two texts, as a page shows it."""

from time import perf_counter

from accounts.differences import Piece, changed_passages, words


def shown(old: str, new: str) -> list[tuple[str, str]]:
    return [(piece.kind, piece.text) for piece in words(old, new)]


def test_words_that_came_and_went_stand_where_they_stood() -> None:
    assert shown("never for harm", "never for any harm") == [
        ("same", "never for "),
        ("added", "any "),
        ("same", "harm"),
    ]


def test_a_changed_phrase_reads_whole() -> None:
    assert shown("on reading comprehension.", "on SQuAD and LAMBADA.") == [
        ("same", "on "),
        ("removed", "reading comprehension"),
        ("added", "SQuAD and LAMBADA"),
        ("same", "."),
    ]


def test_both_texts_can_be_read_out_of_the_pieces() -> None:
    old, new = "one\ntwo\nthree three\n", "zero\ntwo\n3 three\nfour"
    pieces = words(old, new)
    assert "".join(piece.text for piece in pieces if piece.kind != "added") == old
    assert "".join(piece.text for piece in pieces if piece.kind != "removed") == new


def test_writing_without_blanks_and_from_right_to_left_is_compared_too() -> None:
    assert ("added", "外れ値") in shown("研究 計画", "外れ値 計画")
    assert ("removed", "السمات") in shown("دراسة السمات", "دراسة النماذج")


def test_what_stayed_is_cut_to_what_stands_at_the_changes() -> None:
    pieces = changed_passages("a" * 1000 + " x", "a" * 1000 + " y")
    assert len(pieces[0].text) < 400
    assert pieces[1:] == [Piece("removed", "x"), Piece("added", "y")]


def test_two_long_texts_are_compared_in_a_moment() -> None:
    old = "\n".join(f"line {number} of a long licence text" for number in range(3000))
    new = old.replace("line 77 ", "line seventy-seven ") + "\n" + "word " * 20_000
    started = perf_counter()
    assert words(old, new)
    assert perf_counter() - started < 5
