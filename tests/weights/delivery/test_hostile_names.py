"""No text of a record escapes from its line in a list or script."""

import re
from datetime import UTC, datetime
from urllib.parse import quote
from xml.etree import ElementTree as ET

import pytest
from django.core.exceptions import ValidationError
from hypothesis import example, given
from hypothesis import strategies as st

from accounts.applications.models.form import Question
from accounts.review.models import ReasonText
from accounts.tiers.models import Licence, LicenceVersion, Tier
from weights.catalogue.models import Checkpoint, Family
from weights.catalogue.names import check_path
from weights.delivery.folder import lists
from weights.delivery.folder.contents import Entry, Folder
from weights.delivery.folder.script import download_script
from weights.errors import InvalidName
from weights.known_issues.models import KnownIssue
from weights.publishing.models import Revision

pytestmark = pytest.mark.one_database

ADDRESS = "https://portal.test/d/token/"
BREAKS = "\n\r\t\v\f\0\x1b\x1c\x1d\x1e\x85\u2028\u2029\u202e\ufeff\uffff"
hostile = st.text(st.sampled_from(f"{BREAKS}a#'\"\\$`;&<>|%@ \ud7ff"), max_size=20)


def _is_path(text: str) -> bool:
    try:
        check_path(text)
    except InvalidName:
        return False
    return True


def _folder(title: str, attribution: str, *paths: str) -> Folder:
    return Folder(
        repo_id="acme/gated",
        sha="a" * 40,
        address=ADDRESS,
        expires_at=datetime(2030, 1, 1, tzinfo=UTC),
        entries=tuple(Entry(path, 1, "b" * 64, "", ADDRESS + quote(path)) for path in paths),
        licence_title=title,
        licence_text="",
        attribution=attribution,
        terms_url="https://portal.test/licences/test/",
        revision=Revision(),
        signed=False,
    )


def _acting(text: str) -> list[str]:
    """The lines that a downloader or a shell acts on, but for digests of the notice."""
    text = re.sub(r"<<'(END_\w+)'(.*?)\n\1\n", "<<TEXT\n", text, flags=re.DOTALL)
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [re.sub(r"[0-9a-f]{64}", "DIGEST", line) for line in lines]


@given(hostile, hostile)
@example("Open\ntouch /tmp/owned\n#", "by\u2028nobody\rtouch /tmp/owned")
def test_no_title_or_notice_leaves_its_comment(title: str, attribution: str) -> None:
    given_, plain = _folder(title, attribution, "a.pt"), _folder("Open", "", "a.pt")
    for make in (download_script, lists.aria2_input, lists.curl_config):
        assert _acting(make(given_)) == _acting(make(plain))
    for line in given_.notices():
        assert line.splitlines() == [line]
        assert not set(line) & set(BREAKS)
    ET.fromstring(lists.metalink(given_))  # noqa: S314 - ours


@given(st.lists(hostile.filter(_is_path), min_size=1, max_size=3, unique=True))
def test_every_publishable_path_is_complete_in_every_list(paths: list[str]) -> None:
    folder = _folder("Open", "", *paths)
    sums = lists.sha256sums(folder).split("\n")
    assert [line.partition("  ")[2] for line in sums[:-1]] == paths
    outs = [line for line in lists.aria2_input(folder).splitlines() if line.startswith("  out=")]
    assert [line.removeprefix("  out=") for line in outs][: len(paths)] == paths
    table = download_script(folder).partition("<<'END_OF_TABLE'\n")[2]
    rows = table.partition("\nEND_OF_TABLE\n")[0].splitlines()
    assert [row.split("\t")[3] for row in rows] == paths
    curl = [line for line in lists.curl_config(folder).splitlines() if line.startswith("output")]
    words = [line.removeprefix('output = "')[:-1] for line in curl][: len(paths)]
    assert [word.replace('\\"', '"').replace("\\\\", "\\") for word in words] == paths
    files = ET.fromstring(lists.metalink(folder))  # noqa: S314 - ours
    assert [file.get("name") for file in files][: len(paths)] == paths


@pytest.mark.parametrize(
    ("model", "field"),
    [
        *((Licence, "title"), (Licence, "spdx_id"), (LicenceVersion, "version")),
        *((Tier, "name"), (Question, "label"), (ReasonText, "remedy"), (Family, "name")),
        *((Checkpoint, "title"), (Checkpoint, "summary"), (KnownIssue, "title")),
    ],
)
def test_a_field_of_one_line_takes_no_line_break(model: type, field: str) -> None:
    others = {one.name for one in model._meta.get_fields()} - {field}  # type: ignore[attr-defined]
    model(**{field: "a plain title"}).clean_fields(exclude=others)
    for hidden in BREAKS:
        with pytest.raises(ValidationError, match=r"one line|Null characters"):
            model(**{field: f"a{hidden}b"}).clean_fields(exclude=others)


def test_a_notice_has_lines_and_nothing_hidden() -> None:
    Licence(attribution="one\r\n\ttwo").clean()
    with pytest.raises(ValidationError, match="control characters"):
        Licence(attribution="one\x1btwo").clean()
