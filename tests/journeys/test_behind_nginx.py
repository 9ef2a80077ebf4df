"""A real nginx sends the same bytes and headers that the portal would send."""

import os
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request

import pytest
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import GatedRepoError

from accounts.grants import lifecycle
from accounts.tiers.models import Tier
from accounts.users.models import User
from tests.support import factories
from tests.support.servers.front import Front, ask
from weights.delivery import links
from weights.ledger.models import Download
from weights.publishing.models import File

pytestmark = [
    pytest.mark.one_database,
    pytest.mark.needs("nginx", "wget"),
    pytest.mark.usefixtures("store"),
]

CONTENT = os.urandom(3_000_017)
PATH = "/acme/big/resolve/main/model.safetensors"
#: Headers of a connection or a response, not of the file.
OF_THE_ANSWER = {
    *("Date", "Server", "Connection", "Content-Length", "Content-Range", "X-Request-Id"),
    *("Transfer-Encoding", "X-Accel-Redirect", "Vary", "Keep-Alive"),
}


@pytest.fixture
def front(start_front: Callable[..., Front]) -> Front:
    return start_front(ACCEL_LOCATION="/blobs/")


def of_the_file(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in OF_THE_ANSWER}


def big(tier: Tier, repo_id: str = "acme/big") -> File:
    return factories.published(repo_id, tier, {"model.safetensors": CONTENT}).files.get()


@pytest.mark.requirement("RG-7")
def test_nginx_sends_the_bytes_and_headers_that_the_portal_would(
    open_tier: Tier, front: Front
) -> None:
    file = big(open_tier)
    tag = f'"{file.etag}"'
    size = len(CONTENT)

    status, told, _ = front.get(PATH, "HEAD")
    assert (status, told["Content-Length"]) == (200, str(size))
    status, headers, body = front.get(PATH)
    assert (status, body) == (200, CONTENT)
    assert headers["Content-Length"] == str(size)
    assert of_the_file(headers) == of_the_file(told)
    assert headers["ETag"] == headers["X-Linked-Etag"] == tag
    assert headers["X-Repo-Commit"] == file.revision.sha
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Content-Disposition"] == 'attachment; filename="model.safetensors"'
    assert "X-Accel-Redirect" not in headers
    handed_over = ask(Request(front.portal.url + PATH))
    assert handed_over[1]["X-Accel-Redirect"], "it was nginx that sent the bytes"
    assert handed_over[2] == b""

    for asked, start, end in (
        ("bytes=0-0", 0, 1),
        ("bytes=5-9", 5, 10),
        ("bytes=2999999-", 2_999_999, size),
        ("bytes=-17", size - 17, size),
        (f"bytes=10-{size * 2}", 10, size),
    ):
        status, headers, body = front.get(PATH, Range=asked)
        assert (status, body) == (206, CONTENT[start:end]), asked
        assert headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
        assert of_the_file(headers) == of_the_file(told), asked
    for asked in ("bytes=0-1,4-5", "items=0-5", "bytes=1-x"):
        status, _, body = front.get(PATH, Range=asked)
        # nginx may answer 416 where the portal ignores the header; it never sends a part.
        assert (status, body) == (200, CONTENT) or (status == 416 and len(body) < 1000), asked
    for asked in (f"bytes={size}-", "bytes=-0"):
        status, headers, body = front.get(PATH, Range=asked)
        assert (status, headers["Content-Range"]) == (416, f"bytes */{size}"), asked
        assert len(body) < 1000


@pytest.mark.requirement("RG-7")
def test_conditional_requests_use_the_portals_own_tag_and_date(
    open_tier: Tier, front: Front
) -> None:
    file = big(open_tier)
    tag = f'"{file.etag}"'
    date = front.get(PATH, "HEAD")[1]["Last-Modified"]
    before, after = "Sat, 01 Jan 2022 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
    whole, part = (200, CONTENT), (206, CONTENT[:4])
    for headers, expected in (
        ({"If_Range": tag}, part),
        ({"If_Range": '"other"'}, whole),
        ({"If_Range": f"W/{tag}"}, whole),
        ({"If_Range": date}, whole),
        ({"If_Match": tag}, part),
        ({"If_Match": f'"other", {tag}'}, part),
        ({"If_None_Match": '"other"'}, part),
        ({"If_Modified_Since": before}, part),
        ({"If_Unmodified_Since": after}, part),
    ):
        assert front.get(PATH, Range="bytes=0-3", **headers)[::2] == expected, headers
    for headers, status in (
        ({"If_None_Match": tag}, 304),
        ({"If_None_Match": "*"}, 304),
        ({"If_Modified_Since": date}, 304),
        ({"If_Match": '"other"'}, 412),
        ({"If_Unmodified_Since": before}, 412),
    ):
        for method in ("GET", "HEAD"):
            answer = front.get(PATH, method, **headers)
            assert answer[0] == status, (method, headers)
            assert answer[1]["ETag"] == tag
            assert status != 304 or answer[2] == b""


def test_a_blob_file_newer_than_its_revision_does_not_change_last_modified(
    open_tier: Tier, front: Front, store: Path
) -> None:
    """A restored blob has a new mtime; Last-Modified stays the date of the revision."""
    file = big(open_tier)
    blob = store / file.sha256[:2] / file.sha256[2:4] / file.sha256
    os.utime(blob, (4_000_000_000, 4_000_000_000))
    told = front.get(PATH, "HEAD")[1]["Last-Modified"]
    status, headers, _ = front.get(PATH)
    assert (status, headers["Last-Modified"]) == (200, told)
    assert front.get(PATH, If_Unmodified_Since=told)[0] == 200


def test_clients_download_and_resume(
    open_tier: Tier, applicant: User, front: Front, tmp_path: Path
) -> None:
    big(open_tier)
    for name in ("whole.curl", "whole.wget"):
        (tmp_path / name).unlink(missing_ok=True)
    for name in ("cut.curl", "cut.wget"):
        (tmp_path / name).write_bytes(CONTENT[:1_000_001])
    url = front.url + PATH
    for name in ("whole", "cut"):
        curl = ["curl", "-sSf", "-C", "-", "-o", f"{name}.curl", url]
        wget = ["wget", "-nv", "--no-proxy", "-c", "-O", f"{name}.wget", url]
        for command in (curl, wget):
            subprocess.run(command, cwd=tmp_path, check=True, timeout=60, capture_output=True)
    for name in ("whole.curl", "whole.wget", "cut.curl", "cut.wget"):
        assert (tmp_path / name).read_bytes() == CONTENT, name
    resumed = Download.objects.filter(start=1_000_001, length=len(CONTENT) - 1_000_001)
    assert resumed.count() == 2, "curl and wget asked for the rest alone"
    got = hf_hub_download(
        *("acme/big", "model.safetensors"),
        endpoint=front.url,
        cache_dir=tmp_path / "cache",
        token=False,
    )
    assert Path(got).read_bytes() == CONTENT


def test_the_gate_stands_before_every_byte_that_nginx_sends(
    gated_tier: Tier, applicant: User, front: Front, tmp_path: Path
) -> None:
    file = big(gated_tier, "acme/gated")
    path = "/acme/gated/resolve/main/model.safetensors"
    sha256 = file.sha256
    status, headers, body = front.get(path)
    assert (status, headers["X-Refusal-Code"]) == (401, "login_required")
    assert CONTENT[:100] not in body
    bearer = {"Authorization": f"Bearer {factories.token(applicant, 'read-gated')}"}
    status, headers, _ = front.get(path, **bearer)
    assert (status, headers["X-Refusal-Code"]) == (403, "no_application")
    with pytest.raises(GatedRepoError):
        hf_hub_download(
            *("acme/gated", "model.safetensors"),
            endpoint=front.url,
            cache_dir=tmp_path / "refused",
            token=bearer["Authorization"].removeprefix("Bearer "),
        )

    grant = factories.grant(applicant, gated_tier)
    assert front.get(path, **bearer)[::2] == (200, CONTENT)
    folder = urlsplit(links.issue_now(applicant, "acme/gated", 1)).path
    status, headers, body = front.get(f"{folder}model.safetensors", Range="bytes=1-3")
    assert (status, body) == (206, CONTENT[1:4])
    assert headers["Cache-Control"] == "private, no-store"
    lifecycle.revoke(grant, by=None, reason="over")
    for address in (path, f"{folder}model.safetensors"):
        assert front.get(address, Range="bytes=1-3", **bearer)[0] == 403

    blob = f"{sha256[:2]}/{sha256[2:4]}/{sha256}"
    for address in (
        *(f"/blobs/{blob}", f"//blobs/{blob}", f"/%62lobs/{blob}", f"/BLOBS/{blob}"),
        *(f"/x/../blobs/{blob}", f"/x/%2e%2e/blobs/{blob}", f"/blobs/x/../{blob}", "/blobs/"),
    ):
        for method in ("GET", "HEAD"):
            answer = front.get(address, method, X_Accel_Redirect=f"/blobs/{blob}", **bearer)
            # Not always 404, because error pages need collected static files.
            assert answer[0] >= 400, address
            assert CONTENT[:100] not in answer[2]


def test_a_large_body_reaches_the_portal_where_documents_are_sent_and_nowhere_else(
    front: Front,
) -> None:
    body = bytes(5 * 2**20)
    place = f"/applications/{uuid.uuid4()}/documents/extra_document/"
    for path, told in ((place, 302), (f"/api/v1{place[:-16]}", 401), ("/accounts/login/", 413)):
        status, _, _ = ask(Request(front.url + path, data=body, method="POST"))
        assert status == told, path
