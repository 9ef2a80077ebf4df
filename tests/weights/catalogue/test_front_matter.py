"""Front matter is typed as on the Hub, and hostile input is rejected."""

import json
import time
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from weights.catalogue import front_matter

pytestmark = pytest.mark.one_database

CARD = """\
license: other
license_name: opt-175b
language:
- en
- no
library_name: transformers
tags: [opt, "text-generation"]
inference: false
base_model: facebook/opt-30b
datasets:
- c4
widget:
- text: >
    Hello
    there
model-index:
- name: OPT
  results:
  - task: {type: text-generation}
    dataset: {name: LAMBADA, type: lambada, config: null}
    metrics:
    - {type: accuracy, value: 74.71, verified: true}
    - {type: perplexity, value: 8, name: "8"}
"""

#: Block of front matter -> the line of the problem that is shown, and a word of it.
UNREADABLE = {
    # Tags: each of these raised something else in a constructor.
    "a: !!bool maybe": (2, "tags"),
    "a: !!int ''": (2, "tags"),
    "a: !!int x": (2, "tags"),
    "a: !!float ''": (2, "tags"),
    "a: !!timestamp x": (2, "tags"),
    "a: !!binary é": (2, "tags"),
    "a: !!null x": (2, "tags"),
    "a: !!set {x: 1}": (2, "tags"),
    "a: !!omap [1]": (2, "tags"),
    "a: !!pairs [1]": (2, "tags"),
    "a: !!str x": (2, "tags"),
    "a: !!python/object/apply:os.system ['true']": (2, "tags"),
    "a: !<tag:yaml.org,2002:int> ''": (2, "tags"),
    "a: !own x": (2, "tags"),
    "!!int a: 1": (2, "plain text"),
    "!!map {a: 1}": (2, "tags"),
    "a:\n- 1\n- !!bool 2": (4, "tags"),
    # Aliases and merge keys: short to read, endless to write out.
    "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]": (3, "aliases"),
    "a: &a [*a]": (2, "aliases"),
    "a: *nobody": (2, "aliases"),
    "<<: {a: 1}": (2, "merge"),
    "a: 1\n<<: 2": (3, "merge"),
    # Depth and size.
    "[" * 5000: (2, "nest"),
    "{a: " * 5000: (2, "nest"),
    "- " * 5000: (2, "nested"),
    "? " * 5000: (2, "plain text"),
    "a: " + "[" * 17 + "]" * 17: (2, "nested"),
    "\n".join(" " * n + "a:" for n in range(60)): (18, "nested"),
    "a: " + "x" * 70_000: (2, "64 KiB"),
    "- x\n" * 30_000: (2, "64 KiB"),
    "k" * 2000 + ": 1": (2, "mapping values"),
    # Names.
    "a: 1\na: 2": (3, "twice"),
    "a: 1\n'a': 2": (3, "twice"),
    "x: {b: 1, b: 1}": (2, "twice"),
    "? [1, 2]\n: z": (2, "plain text"),
    "? {a: 1}\n: z": (2, "plain text"),
    # No mapping.
    "- a list": (2, "names and values"),
    "only words": (2, "names and values"),
    "12": (2, "names and values"),
    "'": (3, "end of stream"),
    # No YAML.
    "a: b: c": (2, "mapping values"),
    "a:\n\t- x": (3, "token"),
    "a: [1": (3, "expected"),
    "a: }": (2, "expected"),
    "a: @x": (2, "token"),
    "a: `x`": (2, "token"),
    "a: %x": (2, "token"),
    'a: "\\q"': (2, "escape"),
    'tags: ["\\ud800x"]': (2, "escape"),
    'a: "\\U00110000"': (2, "escape"),
    "a: 'x": (3, "end of stream"),
    "a: |9\nx": (4, "could not find"),
    "a: 1\n...\nb: 2": (4, "document"),
    "a: 1\n--- {b: 2}": (3, "more than one document"),
    "%YAML 1.1": (3, "document"),
    "%TAG ! tag:x,2026:": (3, "document"),
    "&a &b x: 1": (2, "expected"),
    # Characters.
    "a: 1\nb: \x07": (3, "U+0007"),
    "a: \x00": (2, "U+0000"),
    "a: \ud800": (2, "U+D800"),
    "a: \uffff": (2, "U+FFFF"),
}

#: Odd, and harmless: block -> values.
READABLE: dict[str, dict[str, Any]] = {
    "": {},
    "# a comment": {},
    "~": {},
    "a: 1:1:1.5": {"a": "1:1:1.5"},
    "a: 190:20:30": {"a": "190:20:30"},
    "a: " + ":".join(["59"] * 5000): {"a": ":".join(["59"] * 5000)},
    "1:1:1: x": {"1:1:1": "x"},
    "a: " + "9" * 60_000: {"a": "9" * 60_000},
    "a: " + "9" * 400 + ".0": {"a": None},
    "a: 1e999999999": {"a": None},
    "a: [.nan, .inf, -.INF]": {"a": [None, None, None]},
    "a: 0x" + "f" * 5000: {"a": "0x" + "f" * 5000},
    "a: [0x1F, 0o17, 017, -5, +5]": {"a": [31, 15, 17, -5, 5]},
    "a: [1e-4, .5, 5., 1_000, 0b11]": {"a": [0.0001, 0.5, 5.0, "1_000", "0b11"]},
    "a: [yes, no, on, off, y, True, FALSE]": {"a": ["yes", "no", "on", "off", "y", True, False]},
    "a: [~, null, '', '~']": {"a": [None, None, "", "~"]},
    "a: 2022-05-03\nb: 2022-02-30\nc: 2022-05-03T25:61:00Z": {
        "a": "2022-05-03",
        "b": "2022-02-30",
        "c": "2022-05-03T25:61:00Z",
    },
    "1: x\ntrue: y\n~: z\n'<<': w": {"1": "x", "true": "y", "~": "z", "<<": "w"},
    "a: &unused 1": {"a": 1},
    "a: ! 12": {"a": "12"},
    "a: =": {"a": "="},
    'a: "x\\0y"': {"a": "x\ufffdy"},
    "a: ١٢": {"a": "١٢"},
}


def split(block: str) -> front_matter.FrontMatter:
    return front_matter.split(f"---\n{block}\n---\nBody\n")


def test_a_card_of_the_hub_keeps_its_meaning() -> None:
    expected = yaml.safe_load(CARD)
    expected["language"] = ["en", "no"]  # YAML 1.1 takes Norwegian for false
    values, body, problem = split(CARD)
    assert (values, body, problem) == (expected, "Body\n", "")
    metrics = values["model-index"][0]["results"][0]["metrics"]
    assert [metric["value"] for metric in metrics] == [74.71, 8]
    assert metrics[0]["verified"] is True
    assert values["inference"] is False


@pytest.mark.parametrize("block", UNREADABLE, ids=lambda block: ascii(block)[:40])
def test_a_hostile_block_has_no_values_and_its_problem_is_reported_with_its_line(
    block: str,
) -> None:
    line, word = UNREADABLE[block]
    before = time.process_time()
    values, body, problem = split(block)
    assert time.process_time() - before < 1
    assert (values, body) == ({}, "Body\n")
    assert problem.startswith(f"line {line}: "), problem
    assert word in problem
    assert problem.isprintable()
    assert len(problem) < 160


@pytest.mark.parametrize("block", READABLE, ids=lambda block: ascii(block)[:40])
def test_an_odd_block_reads_as_plain_values(block: str) -> None:
    before = time.process_time()
    assert split(block) == (READABLE[block], "Body\n", "")
    assert time.process_time() - before < 1


def test_a_text_without_front_matter_is_all_body() -> None:
    for text in ("", "# Card", "---", "---\nunfinished: [", "x\n---\na: 1\n---\n"):
        assert front_matter.split(text) == ({}, text, "")


def test_a_block_may_stand_behind_a_byte_order_mark_and_in_lines_of_windows() -> None:
    assert front_matter.split("\ufeff---\r\na: 1\r\n---\r\nBody") == ({"a": 1}, "Body", "")


# -- whatever is written ----------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), max_size=20)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
PIECES = st.sampled_from(
    [
        *(
            "a",
            "b: ",
            ": ",
            "- ",
            "? ",
            "\n",
            "\n  ",
            "[",
            "]",
            "{",
            "}",
            ", ",
            "&x ",
            "*x",
            "<<: ",
        ),
        *("!!bool ", "!!int ", "!!timestamp ", "!!binary ", "!<x> ", "!", "'", '"', "\\ud800", "|"),
        *(">", "#", "%", "@", "1:1:1.5", "0x", "9" * 30, "1e9999", ".nan", "=", "~", "...", "\t"),
    ]
)


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_a_card_written_as_json_reads_as_it_was_written(values: dict[str, Any]) -> None:
    assert split(json.dumps(values, ensure_ascii=False)) == (values, "Body\n", "")


@given(st.lists(PIECES, max_size=40).map("".join) | st.text(max_size=60))
def test_any_block_gives_values_of_json_or_a_problem(block: str) -> None:
    values, _, problem = front_matter.split(f"---\n{block}\n---\n")
    written = json.dumps(values, allow_nan=False)
    assert "\\u0000" not in written
    written.encode().decode()
    assert not (values and problem)
    assert problem.isprintable()
