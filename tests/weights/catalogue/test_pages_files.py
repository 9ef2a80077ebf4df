"""The pages of a revision's files."""

import re
from pathlib import Path

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from weights.catalogue import download_counts
from weights.ledger.models import Download
from weights.publishing.models import File, Ref, Revision
from weights.storage.models import Blob

pytestmark = pytest.mark.one_database

SHARDS = {
    f"checkpoint_last-model_part-{part}-shard{shard}.pt": f"{part}.{shard}".encode()
    for part in range(8)
    for shard in range(16)
}


def text(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return answer.content.decode()


@pytest.fixture
def nested(open_tier: Tier, store: Path) -> Revision:
    return factories.published(
        "acme/nested",
        files={"README.md": b"hello", "onnx/a.onnx": b"aa", "onnx/deep/b.bin": b"bbb"},
    )


def test_folders_are_summed_and_opened(client: Client, nested: Revision) -> None:
    page = text(client, "/acme/nested/tree/main")
    assert "onnx/" in page
    assert "2 files" in page
    page = text(client, "/acme/nested/tree/main/onnx")
    assert "a.onnx" in page
    assert "deep/" in page
    assert "README.md" not in page
    assert "b.bin" in text(client, "/acme/nested/tree/main/onnx/deep")


@pytest.mark.slow
def test_a_revision_is_found_by_branch_tag_and_id(client: Client, nested: Revision) -> None:
    Ref.objects.create(
        checkpoint=nested.checkpoint, kind=Ref.Kind.TAG, name="v1/rc", revision=nested
    )
    for name in ("main", "v1/rc", "refs/heads/main", nested.sha):
        assert nested.sha in text(client, f"/acme/nested/tree/{name}")
        assert "hello" in text(client, f"/acme/nested/blob/{name}/README.md")


def test_names_that_lead_nowhere_are_404(client: Client, nested: Revision) -> None:
    for place in ("tree/nope", "tree/main/nope", "blob/main/nope", "blob/main/onnx", "blob/main"):
        assert client.get(f"/acme/nested/{place}").status_code == 404, place


def test_a_file_requested_as_a_folder_redirects_to_its_page(
    client: Client, nested: Revision
) -> None:
    answer = client.get("/acme/nested/tree/main/onnx/a.onnx")
    assert answer.status_code == 302
    assert answer["Location"] == "/acme/nested/blob/main/onnx/a.onnx"


def test_the_shard_grid_shows_every_shard_with_its_state(
    client: Client, open_tier: Tier, store: Path
) -> None:
    revision = factories.published("acme/sharded", files={**SHARDS, "README.md": b"x"})
    bad = revision.files.get(part=3, shard=5)
    Blob.objects.filter(pk=bad.blob_id).update(state=Blob.State.QUARANTINED)
    page = text(client, "/acme/sharded/tree/main")
    grid = page[page.index('class="shards"') : page.index('class="shards__legend"')]
    assert grid.count("<a ") == len(SHARDS)
    assert grid.count('class="is-refused"') == 1
    assert bad.path in grid
    assert bad.sha256 in grid
    assert "16 shards" in grid


def test_long_lists_are_paged_and_the_grid_stays_whole(
    client: Client, open_tier: Tier, store: Path
) -> None:
    factories.published("acme/sharded", files=SHARDS)
    first, second = (text(client, f"/acme/sharded/tree/main?page={n}") for n in (1, 2))
    rows = [page[page.index("<tbody>") :].count("<tr>") for page in (first, second)]
    assert rows == [100, 28]
    assert second.count('class="is-verified"') == len(SHARDS)


def test_shards_stand_in_the_order_in_which_people_count(
    client: Client, open_tier: Tier, store: Path
) -> None:
    factories.published("acme/many", files={f"shard-{n}.pt": b"%d" % n for n in (10, 9, 100)})
    page = client.get("/acme/many/tree/main").content.decode()
    places = [page.index(f"shard-{n}.pt") for n in (9, 10, 100)]
    assert places == sorted(places)


def _rows(page: str) -> list[str]:
    """The paths of the rows of the table."""
    return re.findall(r'<a class="file-name"[^>]*>\s*<code>([^<]*)</code>', page)


def test_files_are_filtered_by_name_and_state_in_natural_order(
    client: Client, open_tier: Tier, store: Path
) -> None:
    files = {f"part/shard-{n}.pt": b"%d" % n for n in (10, 9, 100)} | {"README.md": b"# Nine"}
    revision = factories.published("acme/many", files=files)
    bad = revision.files.get(path="part/shard-100.pt").blob
    bad.transition("quarantine", quarantine_reason="Lost.")
    found = text(client, "/acme/many/tree/main?q=SHARD+part")
    assert _rows(found) == ["part/shard-9.pt", "part/shard-10.pt", "part/shard-100.pt"]
    assert "3 of 4 files match" in " ".join(found.split())
    assert _rows(text(client, "/acme/many/tree/main?state=refused")) == ["part/shard-100.pt"]
    assert _rows(text(client, "/acme/many/tree/main?q=shard&state=verified&page=9")) == [
        "part/shard-9.pt",
        "part/shard-10.pt",
    ]
    assert _rows(text(client, "/acme/many/tree/main/part?q=part")) == []
    assert _rows(text(client, "/acme/many/tree/main/part?q=9")) == ["shard-9.pt"]
    assert "0 of 4 files match" in " ".join(text(client, "/acme/many/tree/main?q=none").split())


@pytest.mark.parametrize(
    "query", ["q=%00", "q=%ED%A0%80", "q=<script>", "state=x", "q=" + "x" * 999]
)
def test_any_filter_answers_and_is_escaped(client: Client, nested: Revision, query: str) -> None:
    page = text(client, f"/acme/nested/tree/main?{query}")
    assert "<script>" not in page.partition("<main")[2].partition("</main>")[0]


def test_pages_of_filtered_files_are_linked_by_number(
    client: Client, open_tier: Tier, store: Path
) -> None:
    factories.published("acme/sharded", files=SHARDS)
    page = text(client, "/acme/sharded/tree/main?q=shard&page=2")
    assert 'href="?q=shard&amp;page=1#table" aria-label="Page 1"' in page
    assert '<span aria-current="page">2</span>' in page
    assert "101 to 128 of 128" in page


@pytest.mark.parametrize("page", ["0", "-1", "999", "x", ""])
def test_any_page_number_answers(client: Client, nested: Revision, page: str) -> None:
    assert nested.sha in text(client, f"/acme/nested/tree/main?page={page}")


@pytest.mark.parametrize("query", ["", "q=m&state=verified"])
def test_queries_do_not_grow_with_the_shards(
    client: Client, open_tier: Tier, store: Path, query: str
) -> None:
    factories.published("acme/few")
    factories.published("acme/many", files=SHARDS)
    counts = []
    for name in ("few", "many"):
        cache.delete("download-counts")  # cached if counting took long
        with CaptureQueriesContext(connection) as found:
            text(client, f"/acme/{name}/tree/main?{query}")
        counts.append(len(found))
    assert counts[0] == counts[1] <= 10


@pytest.mark.requirement("IN-4")
def test_a_small_text_is_shown_escaped(client: Client, open_tier: Tier, store: Path) -> None:
    factories.published("acme/texts", files={"x.html": b"<script>alert(1)</script>"})
    page = text(client, "/acme/texts/blob/main/x.html")
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page


def test_binary_and_large_files_are_not_shown(client: Client, open_tier: Tier, store: Path) -> None:
    files = {"a.bin": b"\x00\xff", "nul.txt": b"a\x00b", "large.txt": b"x" * 70_000}
    factories.published("acme/others", files=files)
    for name in files:
        assert "<h2>Content</h2>" not in text(client, f"/acme/others/blob/main/{name}")


def test_a_gated_text_is_shown_to_holders_only(
    client: Client, gated_tier: Tier, store: Path, applicant: User
) -> None:
    factories.published("acme/gated", tier=gated_tier, files={"notes.txt": b"only for holders"})
    page = text(client, "/acme/gated/blob/main/notes.txt")
    assert "only for holders" not in page
    assert "login_required" in page
    assert "/resolve/" not in page
    factories.grant(applicant, gated_tier)
    client.force_login(applicant)
    page = text(client, "/acme/gated/blob/main/notes.txt")
    assert "only for holders" in page
    assert "/resolve/" in page


def test_a_file_shown_as_text_is_in_the_ledger_and_not_counted_as_a_download(
    client: Client, gated_tier: Tier, store: Path, applicant: User
) -> None:
    files = {"notes.txt": b"only for holders", "weights.bin": b"\x80\x02."}
    revision = factories.published("acme/gated", tier=gated_tier, files=files)
    grant = factories.grant(applicant, gated_tier)
    text(client, "/acme/gated/blob/main/notes.txt")
    assert not Download.objects.exists(), "a stranger was shown nothing"
    client.force_login(applicant)
    text(client, "/acme/gated/blob/main/notes.txt")
    text(client, "/acme/gated/blob/main/weights.bin")
    row = Download.objects.get()
    assert (row.user_id, row.grant_id, row.path) == (applicant.pk, grant.pk, "notes.txt")
    assert (row.outcome, row.start, row.length) == (Download.Outcome.SHOWN, 0, 16)
    assert download_counts.of_checkpoint(revision.checkpoint_id) == 0


def test_a_quarantined_file_shows_why_it_is_not_served(
    client: Client, open_tier: Tier, store: Path
) -> None:
    revision = factories.published("acme/bad", files={"a.txt": b"damaged"})
    Blob.objects.filter(files__revision=revision).update(state=Blob.State.QUARANTINED)
    page = text(client, "/acme/bad/blob/main/a.txt")
    assert "file_quarantined" in page
    assert "damaged" not in page


def test_names_in_any_script_and_of_any_length_stay_whole(
    client: Client, open_tier: Tier, store: Path
) -> None:
    names = ["模型 #1?.txt", "ملف.txt", "x" * 300 + ".txt", "50%.txt", "a&b<c>.txt"]
    factories.published("acme/names", files={name: name.encode() for name in names})
    listing = client.get("/acme/names/tree/main")
    assert listing.status_code == 200
    for file in File.objects.filter(path__in=names):
        assert file.sha256[:12] in listing.content.decode()
    for row in listing.content.decode().split('class="file-name" href="')[1:]:
        assert client.get(row.partition('"')[0]).status_code == 200
