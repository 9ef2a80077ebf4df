"""Names of repositories, refs and files."""

import unicodedata

import pytest
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils._validators import validate_repo_id
from hypothesis import given
from hypothesis import strategies as st

from weights.catalogue.names import check_path, check_ref, split_repo_id
from weights.errors import InvalidName

pytestmark = pytest.mark.one_database

GOOD_REPOS = ["facebook/opt-175b", "a/b", "A_b.c/d-e.f", "_x/y_", "0/1", f"{'o' * 96}/{'n' * 96}"]
BAD_REPOS = [
    *("", "opt", "/opt", "org/", "a/b/c", "a b/c", "é/b", "a/b\n", "a/../b", "a/b?c"),
    *("-a/b", "a-/b", "a/.b", "a/b.", "a--b/c", "a/b..c", "a/b.git", "a/b.GIT"),
    *(f"a/{'n' * 97}", f"{'o' * 300}/b", "api/model", "D/x", "admin/x", "_components/x"),
]


@pytest.mark.parametrize("repo_id", GOOD_REPOS)
def test_a_good_repository_name_is_split(repo_id: str) -> None:
    assert "/".join(split_repo_id(repo_id)) == repo_id


@pytest.mark.parametrize("repo_id", BAD_REPOS)
def test_a_bad_repository_name_is_refused_with_a_sentence(repo_id: str) -> None:
    with pytest.raises(InvalidName, match=";"):
        split_repo_id(repo_id)


def test_the_admins_own_path_is_reserved_too() -> None:
    with pytest.raises(InvalidName, match="path of the portal"):
        split_repo_id("Backstage/x", also_reserved=["backstage"])


@given(st.from_regex(r"[A-Za-z0-9_.-]{1,12}/[A-Za-z0-9_.-]{1,12}", fullmatch=True))
def test_whatever_is_accepted_the_hub_client_accepts_too(repo_id: str) -> None:
    try:
        split_repo_id(repo_id)
    except InvalidName:
        return
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise AssertionError(repo_id) from error


@pytest.mark.parametrize("name", ["main", "v1.0", "feature/x", "größe", "x" * 200, "release-2"])
def test_a_good_ref_name_is_accepted(name: str) -> None:
    check_ref(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", "x" * 201, "a b", "a..b", "a~1", "a^", "a:b", "a?", "a*", "a[b", "a\\b", "@", "a@{b"),
        *(
            "/a",
            "a/",
            "a//b",
            ".a",
            "a/.b",
            "a.",
            "a.lock",
            "a.lock/b",
            "-a",
            "HEAD",
            "a\x7f",
            "\n",
        ),
        *("0123456789abcdef0123456789abcdef01234567", "refs/heads/main", "e\u0301"),
    ],
)
def test_a_bad_ref_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidName):
        check_ref(name)


@pytest.mark.parametrize(
    "path",
    [
        *("config.json", ".gitattributes", "a/b/c.bin", "naïve café.txt", "模型/权重.pt", "a b"),
        *(".gitignore", "a/.github/x", "x.git/y", ".cache/x", "a/.cache/huggingface/x"),
        *("..a", "a..", "...", "%2e%2e", "😀.bin", "ab:c", "a/bc:", ":a", "a/:b"),
        *("x" * 255, "é" * 127, "/".join(["x" * 255] * 4), "é/" * 341 + "x"),
    ],
)
def test_a_good_path_is_accepted(path: str) -> None:
    check_path(path)


@pytest.mark.requirement("HT-5")
@pytest.mark.parametrize(
    "path",
    [
        *("", ".", "..", "a/../b", "a/./b", "/a", "a/", "a//b", "a\\b", "a\0b", "a\nb", "a\x85b"),
        *("x/" * 512 + "x", "é/" * 342, "x" * 256, "é" * 128, f"a/{'x' * 256}/b"),
        *(
            "a:b",
            "C:",
            "1:b",
            "a/b:c",
            "a:b/c",
            "é:b",
            unicodedata.normalize("NFD", "é"),
            "bad\udcff",
        ),
        *(".git", ".git/config", "a/.Git/hooks/x", "a/.git", ".cache/huggingface/x"),
    ],
)
def test_a_bad_path_is_refused(path: str) -> None:
    with pytest.raises(InvalidName):
        check_path(path)
