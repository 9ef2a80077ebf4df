"""Files of any name are inspected by their content."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import random
import struct
import tarfile
import zipfile
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.weights.inspection import pickle_corpus, safetensors_corpus, zip_corpus
from tests.weights.inspection.bytes_source import BytesSource
from tests.weights.inspection.loaders import corpus
from weights.inspection import families, inspect_file, runner
from weights.inspection.content import unpacking, zip_archive
from weights.inspection.formats import pickle_detection
from weights.inspection.formats.allowed import allowed
from weights.inspection.formats.source import Source
from weights.inspection.formats.verdict import Verdict

pytestmark = pytest.mark.one_database

ASCII = b"cos\nsystem\n(S'true'\ntR."
DENSE = {"class_name": "Dense", "module": "keras.layers"}
NUMBERS = corpus.npy("<f4", (2,), bytes(8))

CALL = "!!python/object/apply:os.system [true]\n"
#: PyYAML's UnsafeLoader runs each.
YAML_IN_DISGUISE = {
    "late.yaml": b"# a comment\n" * 10_000 + f"a: {CALL}".encode(),
    "across-chunks.yaml": b"#" * ((1 << 20) - 8) + f"\na: {CALL}".encode(),
    "escaped.yaml": b"a: !!p%79th%6Fn/object/apply:os.system [true]\n",
    "verbatim.yaml": b"a: !<tag:yaml.org,2002:pyth%6fn/object/apply:os.system> [true]\n",
    "directive.yaml": b"%TAG !p! tag:yaml.org,2002:pyth\n---\na: !p!on/object/apply:os.kill [a]\n",
    "utf-16.yaml": f"a: {CALL}".encode("utf-16"),
}


def verdict_on(content: bytes | Source, name: str) -> Verdict:
    source = BytesSource(content) if isinstance(content, bytes) else content
    return inspect_file.inspect(source, families.family_of(name), allowed())


def summary(content: bytes | Source, name: str) -> tuple[str, str]:
    verdict = verdict_on(content, name)
    return verdict.outcome, verdict.kind


# -- pickles ------------------------------------------------------------------------------


@pytest.mark.requirement("IN-10")
@pytest.mark.parametrize("name", ["model.pk", "model.pckl", "model.cloudpickle", "model"])
def test_in_st_an_ascii_pickle_is_refused_under_names_that_once_passed_as_text(name: str) -> None:
    verdict = verdict_on(ASCII, name)
    assert (verdict.outcome, verdict.reason) == ("refused", "its pickle is older than protocol 2")


@pytest.mark.requirement("IN-10")
@pytest.mark.parametrize("name", ["LICENSE", "README.md", "a.json", "a.py", "a.onnx", "a.gguf"])
def test_in_st_a_pickle_is_refused_with_its_imports_under_any_name(name: str) -> None:
    verdict = verdict_on(pickle_corpus.called("os.system"), name)
    assert (verdict.outcome, verdict.imports) == ("refused", ["os.system"])


def test_a_pickle_of_tensors_alone_is_inspected_under_any_name() -> None:
    assert summary(pickle_corpus.state(2), "weights") == ("inspected", "pickle")
    assert summary(zip_corpus.packed(zip_corpus.pt(2)), "weights.x") == ("inspected", "PyTorch zip")


def test_in_st_a_zip_of_pytorch_must_have_its_one_form_under_any_name() -> None:
    runs = zip_corpus.packed([zip_corpus.Part("a/data.pkl", pickle_corpus.two(b"cos\nsystem\n"))])
    assert verdict_on(runs, "model.onnx").imports == ["os.system"]
    assert summary(zip_corpus.packed(zip_corpus.pt(1), before=b"x"), "a.txt")[0] == "refused"


class Sparse(BytesSource):
    """Bytes, zeros up to an offset, and bytes there."""

    def __init__(self, content: bytes, offset: int, rest: bytes) -> None:
        super().__init__(content)
        self._offset, self._rest = offset, rest
        self.size = offset + len(rest)

    def read(self, start: int, length: int) -> bytes:
        length = max(0, min(length, self.size - start))
        near = super().read(start, length)
        past = start - self._offset
        far = self._rest[max(0, past) : max(0, past + length)]
        return near + bytes(length - len(near) - len(far)) + far


def test_in_st_a_whole_safetensors_file_that_is_a_pickle_too_is_refused() -> None:
    """Its header's length reads as a text to skip, its metadata as bytes up to the tensor's end."""
    skipped, far = 60, 0x20202020
    begin = '{"__metadata__":{"a":"'
    metadata = begin + "_" * (5 + skipped - 8 - len(begin)) + "0B    "
    length = ord("B") + 256 * skipped
    at = 8 + len(metadata) + far  # where the second instruction's bytes end
    tensor = at + 1 + len(ASCII) - 8 - length
    fields = {"dtype": "U8", "shape": [tensor], "data_offsets": [0, tensor]}
    header = f'{metadata}"}},"t":{json.dumps(fields)}}}'.encode().ljust(length)
    source = Sparse(struct.pack("<Q", length) + header, at, b"0" + ASCII)
    with pytest.MonkeyPatch.context() as patch:
        # The parser of safetensors alone passes the file.
        patch.setattr(pickle_detection, "is_executed", lambda *_, **__: False)
        assert summary(source, "a.safetensors") == ("inspected", "safetensors")
    verdict = verdict_on(source, "a.safetensors")
    assert (verdict.outcome, verdict.reason) == ("refused", "its pickle is older than protocol 2")


# -- texts --------------------------------------------------------------------------------

TEXTS = {
    "merges.txt": "#version: 0.2\nĠ t\nĠ a\nh e\ni n\nr e\no n\nĠt he\n",
    "vocab.json": '{"<s>": 2, "<pad>": 1, "</s>": 0, "<unk>": 3, "<madeupword0000>": 50262}',
    "config.json": '{"activation_dropout": 0.0, "architectures": ["OPTForCausalLM"]}',
    "special_tokens_map.json": '{"bos_token": {"content": "</s>", "lstrip": false}}',
    "README.md": "---\nlanguage: en\ntags: [text-generation]\n---\n# OPT : Open Pre-trained\n",
    "LICENSE.md": '<h2 align="center">OPT-175B LICENSE AGREEMENT</h2>\n\nSubject to this\n',
    "labels.txt": "cat\ndog\ncow\npig\nant\nbat\n",
    "columns.csv": "category,count\n1,2\n3,4\n",
    "requirements.txt": "certifi\nnumpy\nPillow\n",
    "names.txt": "Paris\nPrague\nbanana\nRome\n",
    "notes.txt": "(in short)\nthe model\n.hidden\nRun it\n",
    "index.txt": "0\n1\n2\n.\nN.\n",
    "cities": "café\ncôté\ncidre\noui\n.\n"[:12],
    "TODO": "The next step\nTell\n",
    "tune.yaml": "batch_size: 1\nlr: 3.0e-4\n",
    "x.txt": "x = 1\nx^2\n",
    "empty": "",
}


@pytest.mark.requirement("IN-10")
@pytest.mark.parametrize("name", TEXTS)
def test_in_st_a_plain_text_is_taken_for_no_pickle(name: str) -> None:
    assert summary(TEXTS[name].encode(), name) == ("inspected", "text")


@settings(max_examples=50)
@given(st.text(), st.sampled_from(["README.md", "vocab.txt", "LICENSE", "a.csv"]))
@example("cat\ndog\n.", "README.md")
def test_whatever_text_is_refused_would_import_and_call_or_end(text: str, name: str) -> None:
    verdict = verdict_on(text.encode(errors="ignore"), name)
    if verdict.outcome == "refused":
        assert text.count("\n") >= 2


WORDS = st.lists(st.from_regex(r"[a-zA-Z][a-z]{1,12}", fullmatch=True), min_size=1, max_size=60)


@settings(max_examples=50)
@given(WORDS, st.sampled_from(["\n", " ", ", ", "\n\n"]))
def test_lists_of_words_and_sentences_are_plain_texts(words: list[str], between: str) -> None:
    content = between.join(words).encode()
    is_pickle = pickle_detection.is_executed(BytesSource(content), is_text=True)
    assert verdict_on(content, "words.txt").outcome == ("refused" if is_pickle else "inspected")
    if is_pickle:  # such as `cos` before another word: a module of Python's own
        assert between == "\n"
        assert words[0].startswith("c")


def test_a_text_that_goes_on_as_other_data_is_not_inspected() -> None:
    content = b"text\n" * 20_000 + b"\0\x89HDF\r\n\x1a\n"
    assert summary(content, "notes.txt") == ("not_inspected", "unknown")


# -- code ---------------------------------------------------------------------------------


@pytest.mark.requirement("IN-11")
@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("modeling_opt.py", b"import torch\n", "source code"),
        ("convert.sh", b"echo\n", "source code"),
        ("demo.ipynb", b"{}", "source code"),
        ("chat_template.jinja", b"{{ messages }}", "source code"),
        ("libcustom.so", b"\0\1", "source code"),
        ("run", b"#!/usr/bin/env python3\nprint(1)\n", "script"),
        ("weights.bin", b"#!/bin/sh\nexit\n", "script"),
        ("notes.txt", b"\xef\xbb\xbf#!/bin/sh\n", "script"),
        ("server", b"\x7fELF\2\1\1\0", "program"),
        ("book.json", b'{"cells": [], "nbformat": 4}', "notebook"),
        ("tokenizer_config.json", b'{"chat_template": "{{ m }}"}', "JSON with a chat template"),
        ("a.json", b'{"chat\\u005ftemplate": "{{ m }}"}', "JSON with a chat template"),
        ("a.yaml", b"a: !!python/object/apply:os.system [true]\n", "YAML that calls Python"),
        *((name, content, "YAML that calls Python") for name, content in YAML_IN_DISGUISE.items()),
    ],
)
def test_in_st_what_programs_run_is_labelled_as_code(name: str, content: bytes, kind: str) -> None:
    assert summary(content, name) == ("code", kind)


@pytest.mark.requirement("IN-11")
def test_an_archive_with_source_code_is_labelled_as_code() -> None:
    assert summary(corpus.zipped({"a.txt": b"", "b/c.py": b"print()"}), "a.zip")[0] == "code"
    assert summary(gzip.compress(corpus.tarred(b"print()", name="a.py")), "a.tgz")[0] == "code"


def test_a_tokenizer_without_a_template_is_a_text() -> None:
    assert summary(b'{"chat_template": null, "model": {}}', "tokenizer.json")[0] == "inspected"


# -- other formats ------------------------------------------------------------------------


@pytest.mark.requirement("IN-5")
@pytest.mark.parametrize(
    ("name", "content", "outcome", "kind"),
    [
        ("a.npy", NUMBERS, "inspected", "NumPy array"),
        ("a.npz", corpus.zipped({"a.npy": NUMBERS, "b.npy": NUMBERS}), "inspected", "zip archive"),
        ("a.npz", corpus.zipped({"a.npy": NUMBERS}, 8), "inspected", "zip archive"),
        ("a.npz", corpus.zipped({"a.npy": NUMBERS}, 0, b"x"), "not_inspected", "zip archive"),
        ("a.zip", corpus.zipped({"a.txt": b"text"}), "not_inspected", "zip archive"),
        ("a.tar", corpus.tarred(b"text"), "not_inspected", "tar archive"),
        ("a.csv.gz", gzip.compress(b"a,b\n"), "not_inspected", "gzip"),
        ("a.csv.bz2", bz2.compress(b"a,b\n"), "not_inspected", "bzip2"),
        ("a.csv.xz", lzma.compress(b"a,b\n"), "not_inspected", "xz"),
        ("a.xml", b'<net name="a"><layers></layers></net>', "not_inspected", "OpenVINO"),
        ("saved_model.pb", b"\x08\1\x12\2", "not_inspected", "Protocol buffers"),
        ("model.onnx_data", bytes(100), "not_inspected", "unknown"),
        ("weights", b"GGUF\3\0\0\0", "not_inspected", "GGUF"),
        ("weights", b"\x89HDF\r\n\x1a\n" + bytes(99), "not_inspected", "HDF5"),
        ("weights", bytes(512) + b"\x89HDF\r\n\x1a\n", "not_inspected", "HDF5"),
        (
            "a.keras",
            corpus.keras(DENSE),
            "not_inspected",
            "zip archive",
        ),
    ],
)
def test_in_st_other_formats_are_labelled_truthfully(
    name: str, content: bytes, outcome: str, kind: str
) -> None:
    assert summary(content, name) == (outcome, kind)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (NUMBERS[:-1], "size of its array"),
        (NUMBERS + b"\0", "size of its array"),
        (NUMBERS.replace(b"NUMPY\1", b"NUMPY\x09"), "unknown version"),
        (NUMBERS.replace(b"'descr'", b"'other'"), "other fields"),
        (NUMBERS.replace(b"(2,)", b"(-2)"), "shape"),
        (NUMBERS.replace(b"'<f4'", b"'?f4'"), "unknown type"),
        (corpus.npy("<f4", (2,), bytes(8), version=2, pad=20_000), "at most"),
        (NUMBERS[:20], "beyond the end"),
    ],
)
def test_in_st_an_array_that_cannot_be_read_in_one_way_is_refused(
    content: bytes, reason: str
) -> None:
    verdict = verdict_on(content, "a.npy")
    assert verdict.outcome == "refused"
    assert reason in verdict.reason


@pytest.mark.parametrize(
    "layer",
    [
        {"class_name": "Lambda", "config": {"function": ["4wEA", None, None]}},
        {"class_name": "Dense", "config": {"activation": {"class_name": "__lambda__"}}},
        {"class_name": "system", "module": "os"},
    ],
    ids=["layer", "function", "import"],
)
def test_in_st_a_keras_model_that_runs_or_imports_code_is_refused(layer: dict[str, Any]) -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        verdict = verdict_on(corpus.keras(layer, method), "a.keras")
        assert verdict.outcome == "refused"
        assert "Keras" in verdict.reason


@pytest.mark.requirement("IN-10")
def test_in_st_a_keras_model_needs_no_metadata_to_be_refused() -> None:
    layer = {"class_name": "Lambda", "config": {"function": ["4wEA", None, None]}}
    config = {"class_name": "Sequential", "module": "keras", "config": {"layers": [layer]}}
    content = corpus.zipped({"config.json": json.dumps(config).encode()})
    assert "Lambda" in verdict_on(content, "a.keras").reason
    plain = corpus.zipped({"config.json": b'{"model_type": "opt"}'})
    assert summary(plain, "a.zip") == ("not_inspected", "zip archive")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b'<?xml version="1.0"?><net name="a" version="11"><layers></layers></net>', "OpenVINO"),
        (b"<net <net >" * 5000, "text"),
    ],
)
def test_in_st_openvino_is_recognised_by_its_layers(text: bytes, kind: str) -> None:
    assert summary(text, "a.xml")[1] == kind


@pytest.mark.parametrize(
    "inside",
    [b'{"class_name": "Lambda", "config": {}}', ASCII, pickle.dumps(corpus.Command(), 4)],
    ids=["Lambda", "protocol 0", "protocol 4"],
)
@pytest.mark.parametrize("gap", [100, 40 * 1024 * 1024])
def test_in_st_what_keras_and_pytables_run_is_found_in_hdf5_files(inside: bytes, gap: int) -> None:
    source = Sparse(b"\x89HDF\r\n\x1a\n", gap, inside + bytes(100))
    assert verdict_on(source, "a.h5").outcome == "refused"


# -- limits -------------------------------------------------------------------------------


def _nested(levels: int) -> bytes:
    content = ASCII
    for _ in range(levels):
        content = gzip.compress(content)
    return content


def test_archives_are_opened_to_a_depth_that_no_loader_exceeds() -> None:
    assert summary(_nested(3), "a.x")[0] == "refused"
    assert summary(_nested(60), "a.x") == ("not_inspected", "gzip")


@pytest.mark.slow
@pytest.mark.requirement("IN-7", "IN-10")
@pytest.mark.parametrize(
    "pack",
    [
        # Fast, because a stream of zeros is as small whatever the effort.
        lambda content: gzip.compress(content, 1),
        bz2.compress,
        lambda content: lzma.compress(content, preset=0),
        lambda content: corpus.zipped({"a": content}, zipfile.ZIP_DEFLATED, level=1),
    ],
    ids=["gzip", "bzip2", "xz", "zip"],
)
def test_a_bomb_is_not_unpacked_further_than_it_reads_as_a_pickle(pack: Any) -> None:
    packed = pack(bytes(1 << 28))  # here, not at import: it takes seconds
    verdict = runner.inspect(BytesSource(packed), "other", extra=[])
    assert verdict.outcome == "not_inspected"


@pytest.mark.slow
@pytest.mark.requirement("IN-7", "IN-10")
def test_in_st_a_pickle_behind_a_bomb_is_refused() -> None:
    skipped = 1 << 27
    packed = gzip.compress(b"B" + struct.pack("<I", skipped) + bytes(skipped) + b"0" + ASCII, 1)
    verdict = runner.inspect(BytesSource(packed), "other", extra=[])
    assert (verdict.outcome, verdict.reason) == ("refused", "its pickle is older than protocol 2")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_in_st_members_without_content_end_in_a_refusal(
    pack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Fewer bytes, so that the test is quick.
    monkeypatch.setattr(unpacking, "MAX_BARREN_BYTES", 10_000)
    assert summary(pack(b"") * 2000 + pack(ASCII), "a.x")[0] == "refused"


@pytest.mark.slow
def test_in_st_an_archive_with_too_many_members_is_refused() -> None:
    members = {f"{n}": b"" for n in range(zip_archive.MAX_MEMBERS + 1)}
    assert "at most 2000" in verdict_on(corpus.zipped(members), "a.zip").reason
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for name in members:
            archive.addfile(tarfile.TarInfo(name))
    assert "2000 members or more" in verdict_on(written.getvalue(), "a.tar").reason


class Counting(Sparse):
    reads = bytes_read = 0

    def read(self, start: int, length: int) -> bytes:
        content = super().read(start, length)
        self.reads += 1
        self.bytes_read += len(content)
        return content


@pytest.mark.parametrize("kind", ["zeros", "gzip"])
def test_what_has_to_be_unpacked_is_read_in_few_requests(kind: str) -> None:
    content = bytes(1 << 22)
    if kind == "gzip":
        content = gzip.compress(b"X\0\0\0\1" + random.Random(3).randbytes(1 << 22))
    source = Counting(content, len(content), b"")
    assert verdict_on(source, "a.x").outcome == "not_inspected"
    assert source.reads < 60
    assert source.bytes_read < 3 * len(content)


@pytest.mark.parametrize("name", ["model.gguf", "model", "model.onnx", "model.bin"])
def test_a_file_of_hundreds_of_gigabytes_is_read_at_its_ends_alone(name: str) -> None:
    source = Counting(b"GGUF\3\0\0\0", 300 << 30, b"end")
    assert runner.inspect(source, families.family_of(name), extra=[]).outcome == "not_inspected"
    assert source.bytes_read < 1 << 20


def test_a_large_npz_is_read_at_the_start_of_each_member() -> None:
    large = corpus.npy("<f4", (1 << 22,), bytes(1 << 24))
    source = Counting(content := corpus.zipped({f"{n}.npy": large for n in range(4)}), 0, b"")
    source.size, source._offset = len(content), len(content)
    assert runner.inspect(source, "npz", extra=[]).outcome == "inspected"
    assert source.bytes_read < 1 << 20


def test_the_child_takes_every_file(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = runner.Job("tests.weights.inspection.misbehaviour:crash")
    # A parser that crashes shows that the file went to the child.
    monkeypatch.setattr(runner, "Job", lambda *_: broken)
    verdict = runner.inspect(BytesSource(b"text"), "other", extra=[])
    assert verdict.outcome == "refused"
    assert "crashed" in verdict.reason


def test_a_safetensors_file_still_passes() -> None:
    assert summary(safetensors_corpus.named("a"), "a.safetensors")[0] == "inspected"


@pytest.mark.requirement("IN-10")
@pytest.mark.parametrize("class_name", ["Lambda", "__lambda__"])
def test_in_st_a_json_model_of_keras_with_a_lambda_layer_is_refused(class_name: str) -> None:
    layer = {"class_name": class_name, "config": {"function": ["4wEAAAA=", None, None]}}
    model = {"class_name": "Sequential", "config": {"layers": [DENSE, layer]}}
    assert verdict_on(json.dumps(model).encode(), "model.json").outcome == "refused"
    plain = {"class_name": "Sequential", "config": {"layers": [DENSE]}}
    assert summary(json.dumps(plain).encode(), "model.json") == ("inspected", "text")


@pytest.mark.slow
@pytest.mark.parametrize("key", [b"chat_template", b"chat\\u005ftemplate"])
def test_a_chat_template_in_a_json_of_any_size_is_code(key: bytes) -> None:
    filler = b'{"filler": "' + b"a" * (17 * 1024 * 1024) + b'"'
    large = filler + b', "' + key + b'": "{{ m }}"}'
    assert summary(large, "tokenizer_config.json") == ("code", "JSON with a chat template")
    assert summary(filler + b"}", "tokenizer.json") == ("inspected", "text")
