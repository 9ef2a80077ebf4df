"""Hostile weight files are refused with a reason, and writers' files are accepted."""

import io
import pickle
import random
import zipfile
from pathlib import Path

import pytest

from tests.weights.inspection import pickle_corpus, safetensors_corpus, zip_corpus
from tests.weights.inspection.bytes_source import BytesSource
from weights.inspection import families, inspect_file
from weights.inspection.formats.allowed import allowed
from weights.inspection.formats.verdict import Verdict
from weights.publishing.synthetic.metaseq import _write_shard
from weights.publishing.synthetic.safetensors_file import write_safetensors
from weights.publishing.synthetic.values import Tensor, Values

pytestmark = pytest.mark.one_database

CORPORA = {"safetensors": safetensors_corpus, "zip": zip_corpus, "pickle": pickle_corpus}


def looked_at(content: bytes, name: str, extra: list[str] | None = None) -> Verdict:
    family = families.family_of(name)
    return inspect_file.inspect(BytesSource(content), family, allowed(extra or []))


def name_of(kind: str) -> str:
    return "model.safetensors" if kind == "safetensors" else "model.pt"


@pytest.mark.parametrize("kind", CORPORA)
def test_there_are_forty_of_each(kind: str) -> None:
    benign, hostile = CORPORA[kind].benign(), CORPORA[kind].hostile()
    assert len(set(benign.values())) >= 40
    assert len(set(hostile.values())) >= 40


@pytest.mark.requirement("IN-1", "IN-2", "IN-3")
@pytest.mark.parametrize("kind", CORPORA)
def test_in_st_every_benign_file_is_accepted(kind: str) -> None:
    verdicts = {n: looked_at(c, name_of(kind)) for n, c in CORPORA[kind].benign().items()}
    assert {n: v.reason for n, v in verdicts.items() if v.outcome != "inspected"} == {}


@pytest.mark.requirement("IN-1", "IN-2", "IN-3")
@pytest.mark.parametrize("kind", CORPORA)
def test_in_st_every_hostile_file_is_refused_with_a_reason(kind: str) -> None:
    verdicts = {n: looked_at(c, name_of(kind)) for n, c in CORPORA[kind].hostile().items()}
    accepted = [n for n, v in verdicts.items() if v.outcome != "refused" or not v.reason]
    assert accepted == []


def test_imports_of_a_file_are_shown() -> None:
    verdict = looked_at(pickle_corpus.state(2), "a.pt")
    storages = ["torch._utils._rebuild_tensor_v2", "torch.FloatStorage", "collections.OrderedDict"]
    assert verdict.imports == storages
    refused = looked_at(pickle_corpus.called("os.system"), "a.bin")
    assert refused.imports == ["os.system"]
    assert refused.reason == "its pickle imports os.system, which is not on the list"


def importing(*names: str) -> bytes:
    """A stream of protocol 2 with these imports, one after the other."""
    pairs = (name.rpartition(".") for name in names)
    return b"".join(pickle_corpus.name(module, name) + b"0" for module, _, name in pairs) + b"N"


OLD_START = b"".join(pickle.dumps(v, 2) for v in (0x1950A86A20F9469CFC6C, 1001, {"little": True}))
ZIPPED = zip_corpus.packed(
    [zip_corpus.Part("a/data.pkl", pickle_corpus.two(importing("a.first", "torch.Size", "b.next")))]
)


@pytest.mark.requirement("IN-2", "IN-9")
@pytest.mark.parametrize(
    "content",
    [
        pickle_corpus.two(importing("a.first", "torch.Size", "b.next")),
        OLD_START
        + pickle_corpus.two(importing("a.first", "torch.Size"))
        + pickle_corpus.two(importing("b.next")),
        ZIPPED,
    ],
    ids=["pickle", "older than zip", "zip"],
)
def test_in_st_all_imports_are_reported_not_only_those_up_to_the_first_refused_one(
    content: bytes,
) -> None:
    verdict = looked_at(content, "a.pt")
    assert verdict.imports == ["a.first", "torch.Size", "b.next"]
    told = "its pickle imports a.first and 1 more, which are not on the list"
    assert (verdict.outcome, verdict.reason, verdict.read_to_end) == ("refused", told, True)


def test_values_left_on_the_stack_are_reported_with_their_neighbours() -> None:
    verdict = looked_at(b"\x80\2N" + importing("os.system") + b".", "a.pkl")
    assert verdict.read_to_end
    assert verdict.reason == (
        "its pickle imports os.system, which is not on the list;"
        " its pickle ends with values left over"
    )


SEEN = importing("a.first")
MANY = importing(*(f"a.b{n}" for n in range(501)))
PARTLY = {
    "cut off": b"\x80\2" + SEEN,
    "a computed name": b"\x80\4" + SEEN + pickle_corpus.text("os") + b"N\x93.",
    "an old instruction": pickle_corpus.two(SEEN + b"0I1\n"),
    "a second stream": pickle_corpus.two(SEEN) + pickle_corpus.two(b"N"),
    "more imports than are kept": pickle_corpus.two(MANY),
    "a longer name than is kept": pickle_corpus.two(SEEN + importing("os." + "a" * 200)),
    "old PyTorch, cut off": OLD_START + pickle_corpus.two(SEEN) + b"\x80\2(",
    "a zip with a member that nobody reads": zip_corpus.packed(
        [
            zip_corpus.Part("a/data.pkl", pickle_corpus.two(SEEN)),
            zip_corpus.Part("a/code/__torch__.py", b"import os"),
        ]
    ),
}


@pytest.mark.parametrize("label", PARTLY)
def test_in_st_a_file_that_was_not_read_to_its_end_says_so(label: str) -> None:
    verdict = looked_at(PARTLY[label], "a.pt")
    assert (verdict.outcome, verdict.read_to_end) == ("refused", False)
    assert verdict.imports[0].startswith("a.")
    assert "its pickle imports a." in verdict.reason


def test_imports_of_every_pickle_in_a_torchscript_archive_are_reported() -> None:
    parts = [
        *zip_corpus.pt(0, top="a"),
        zip_corpus.Part("a/constants.pkl", pickle_corpus.called("os.system")),
    ]
    verdict = looked_at(zip_corpus.packed(parts), "a.pt")
    assert "os.system" in verdict.imports
    assert "holds 'constants.pkl', which no weights need" in verdict.reason
    assert not verdict.read_to_end


def test_every_accepted_file_was_read_to_its_end() -> None:
    for kind, corpus in CORPORA.items():
        files = corpus.benign().values()
        assert {looked_at(one, name_of(kind)).read_to_end for one in files} == {True}


def test_a_tensor_s_name_refuses_a_file_that_was_read_to_its_end() -> None:
    bad, behind = safetensors_corpus.named("a/b"), safetensors_corpus.named("a/b") + b"\0"
    assert looked_at(bad, "a.safetensors").read_to_end
    assert not looked_at(behind, "a.safetensors").read_to_end
    assert "reads as a path" in looked_at(behind, "a.safetensors").reason


def test_a_few_more_imports_are_allowed_by_configuration() -> None:
    asked = pickle_corpus.called("_codecs.encode")
    assert looked_at(asked, "a.pt").outcome == "refused"
    assert looked_at(asked, "a.pt", ["_codecs.encode"]).outcome == "inspected"


@pytest.mark.requirement("IN-9")
def test_nothing_is_ever_unpickled(tmp_path: Path) -> None:
    class Touches:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return Path.touch, (tmp_path / "ran",)

    pickled = pickle.dumps(Touches(), 2)
    assert looked_at(pickled, "a.pkl").outcome == "refused"
    assert not (tmp_path / "ran").exists()


def test_files_of_our_own_writers_pass(tmp_path: Path) -> None:
    values = Values(0)
    _write_shard(tmp_path / "shard.pt", 0, 0, values)
    write_safetensors(tmp_path / "model.safetensors", [Tensor("a", (3, 2))], values)
    shard = looked_at((tmp_path / "shard.pt").read_bytes(), "shard.pt")
    assert (shard.kind, shard.outcome, shard.tensors) == ("PyTorch zip", "inspected", 2)
    model = looked_at((tmp_path / "model.safetensors").read_bytes(), "model.safetensors")
    assert (model.outcome, model.tensors) == ("inspected", 1)


def test_a_zip_that_python_writes_passes() -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for part in zip_corpus.pt(2):
            archive.writestr(str(part.name), part.content)
    assert looked_at(written.getvalue(), "a.ckpt").outcome == "inspected"


@pytest.mark.requirement("IN-5")
@pytest.mark.parametrize(
    ("name", "content", "kind", "outcome"),
    [
        ("a.gguf", b"GGUF\3\0\0\0", "GGUF", "not_inspected"),
        ("a.onnx", b"\x08\x07", "ONNX", "not_inspected"),
        ("a.h5", b"\x89HDF\r\n\x1a\n", "HDF5", "not_inspected"),
        ("flax.msgpack", b"\x81\xa1a\1", "MessagePack", "not_inspected"),
        ("a.pt", b"\0\1\2", "unknown", "not_inspected"),
        ("a.bin", b"weights ", "unknown", "not_inspected"),
        ("a.pt", b"0.0", "unknown", "not_inspected"),
        ("a.pt", b"N.", "PyTorch or pickle", "refused"),
        ("a.safetensors", b"\0\1\2", "safetensors", "refused"),
        ("LICENSE", b"text", "text", "inspected"),
        ("cut.txt", "ä".encode() * 40_000, "text", "inspected"),
        ("a.txt", b"\xff\xfe", "unknown", "not_inspected"),
        ("a.json", b"{\0}", "unknown", "not_inspected"),
        ("empty.txt", b"", "text", "inspected"),
    ],
)
def test_in_st_a_format_without_a_parser_is_marked_not_inspected(
    name: str, content: bytes, kind: str, outcome: str
) -> None:
    verdict = looked_at(content, name)
    assert (verdict.kind, verdict.outcome) == (kind, outcome)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning")
def test_raw_tensors_are_hardly_ever_taken_for_a_pickle() -> None:
    chance = random.Random(7)
    refused = sum(
        looked_at(chance.randbytes(2000), "raw.bin").outcome == "refused" for _ in range(2000)
    )
    assert refused < 2000 / 100  # what begins with the byte of a pickle, one in 256, has to be one


def test_pytorch_older_than_zip_is_not_inspected_and_its_pickles_are_read() -> None:
    old = OLD_START
    keys = pickle.dumps(["0"], 2)
    verdict = looked_at(old + pickle_corpus.state(1) + keys + bytes(16), "old.pt")
    assert verdict.outcome == "not_inspected"
    assert "torch.FloatStorage" in verdict.imports
    runs = looked_at(old + b"\x80\2" + pickle_corpus.RUN + keys, "old.pt")
    assert (runs.outcome, runs.imports) == ("refused", ["os.system"])


def test_a_text_over_its_bound_is_refused() -> None:
    class Large(BytesSource):
        size = inspect_file.MAX_TEXT_BYTES + 1

        def __init__(self) -> None:
            self._content = b"text"

    verdict = inspect_file.inspect(Large(), "other", allowed())
    assert verdict.outcome == "refused"
