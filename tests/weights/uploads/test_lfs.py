"""git LFS over HTTP: batches, signed URLs, and attacks on both."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from accounts.api_tokens.models import ApiToken
from accounts.roles.models import RoleAssignment
from accounts.roles.permissions import Role
from accounts.users.models import User
from tests.support import factories
from tests.weights.uploads.conftest import Content
from weights.catalogue.models import Checkpoint
from weights.delivery import bodies
from weights.storage import blob_storage
from weights.uploads import signing
from weights.uploads.models import Upload
from weights.uploads.presence import present

pytestmark = pytest.mark.usefixtures("store")

OBJECTS = "/acme/draft.git/info/lfs/objects"
Batch = Callable[..., Any]


@pytest.fixture
def token(release_owner: User) -> str:
    return factories.token(release_owner, "write")


@pytest.fixture
def batch(client: Client, checkpoint: Checkpoint, token: str) -> Batch:
    """Ask where to send objects: `batch((oid, size), ...)`, by default to the draft."""

    def ask(*objects: Any, to: str = "acme/draft", by: str = token, **body: Any) -> Any:
        listed = [{"oid": oid, "size": size} for oid, size in objects]
        body = {"operation": "upload", "objects": listed, "transfers": ["basic"]} | body
        return client.post(
            f"/{to}.git/info/lfs/objects/batch",
            json.dumps(body),
            content_type="application/vnd.git-lfs+json",
            headers={"Authorization": f"Bearer {by}"},
        )

    return ask


def href(response: Any) -> str:
    """The path and query to which the first object is sent."""
    assert response.status_code == 200, response.content
    parts = urlsplit(response.json()["objects"][0]["actions"]["upload"]["href"])
    assert f"{parts.scheme}://{parts.netloc}" == settings.PUBLIC_URL
    return f"{parts.path}?{parts.query}"


def put(client: Client, url: str, data: bytes, **extra: Any) -> Any:
    return client.put(url, data, content_type="application/octet-stream", **extra)


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def test_an_object_is_sent_once_and_then_present(
    client: Client, batch: Batch, token: str, content: Content
) -> None:
    response = batch((content.sha256, content.size))
    assert response["Content-Type"] == "application/vnd.git-lfs+json"
    assert [*response.json()["objects"][0]["actions"]] == ["upload"]  # its answer verifies it
    sent = put(client, href(response), content.data)
    assert (sent.status_code, sent["ETag"]) == (200, f'"{content.sha256}"')

    verify = f"{OBJECTS}/verify"
    headers = {"Authorization": f"Bearer {token}"}
    for size, status in ((content.size, 200), (content.size + 1, 400)):
        body = {"oid": content.sha256, "size": size}
        answer = client.post(verify, body, content_type="application/json", headers=headers)
        assert answer.status_code == status
    again = batch((content.sha256, content.size)).json()["objects"]
    assert again == [{"oid": content.sha256, "size": content.size, "authenticated": True}]


def test_without_a_free_slot_an_object_must_wait(
    client: Client, batch: Batch, content: Content, settings: Settings
) -> None:
    url = href(batch((content.sha256, content.size)))
    settings.DOWNLOADS_AT_ONCE = 0
    refused = put(client, url, content.data)
    assert (*code(refused), refused["Retry-After"]) == (503, "busy", "5")
    settings.DOWNLOADS_AT_ONCE = 1
    assert put(client, url, content.data).status_code == 200
    assert bodies.slots.taken == 0


@pytest.mark.slow
def test_a_batch_of_256_objects_takes_few_queries(batch: Batch) -> None:
    objects = [(f"{number:064x}", 1000 + number) for number in range(256)]
    for most in (40, 40):  # new, then resumed
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert len(batch(*objects).json()["objects"]) == 256
        assert len(queries) <= most


@pytest.mark.requirement("UP-1")
def test_the_hash_of_a_gated_file_must_be_sent_again(
    client: Client, batch: Batch, checkpoint: Checkpoint, release_owner: User
) -> None:
    data = factories.safetensors(b"secret" * 100)
    gated = factories.published("acme/gated", checkpoint.tier, {"model.safetensors": data})
    file = gated.files.get()

    url = href(batch((file.sha256, file.size)))
    assert code(put(client, url, bytes(file.size))) == (400, "upload_refused")
    assert present(checkpoint, release_owner, [file.sha256]) == {}
    url = href(batch((file.sha256, file.size)))
    assert put(client, url, data).status_code == 200
    assert present(checkpoint, release_owner, [file.sha256]) == {file.sha256: file.size}


@pytest.mark.requirement("UP-1")
def test_what_another_person_sent_or_what_was_sent_elsewhere_is_not_present(
    client: Client, batch: Batch, checkpoint: Checkpoint, content: Content
) -> None:
    other = factories.token(factories.staff("second", Role.RELEASE_OWNER), "write")
    Checkpoint.objects.create(org="acme", name="other", tier=checkpoint.tier, private=True)
    put(client, href(batch((content.sha256, content.size))), content.data)

    assert href(batch((content.sha256, content.size), by=other))
    assert href(batch((content.sha256, content.size), to="acme/other"))


@pytest.mark.requirement("UP-5")
@pytest.mark.parametrize("scopes", [["read"], ["read-gated"], ["admin"]])
def test_only_a_write_token_of_an_owner_may_upload(
    batch: Batch, release_owner: User, applicant: User, content: Content, scopes: list[str]
) -> None:
    wanted = (content.sha256, content.size)
    assert code(batch(wanted, by=factories.token(release_owner, *scopes)))[0] in {403, 404}
    stranger = factories.token(applicant, "write")
    assert code(batch(wanted, by=stranger)) == (404, "repository_not_found")
    elsewhere = factories.token(release_owner, "write", repositories=["acme/other"])
    assert batch(wanted, by=elsewhere).status_code in {403, 404}
    assert batch(wanted, to="acme/none").status_code == 404
    assert batch(wanted, by="hf_wrong").status_code == 401
    assert Upload.objects.count() == 0


@pytest.mark.requirement("UP-5")
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"operation": "download"}, "git LFS only uploads here"),
        ({"operation": None}, "git LFS only uploads here"),
        ({"hash_algo": "md5"}, "hash_algo must be sha256"),
        ({"transfers": ["xet"]}, "transfers must name basic or multipart"),
        ({"transfers": "basic"}, "transfers must name"),
        ({"objects": []}, "1 to 1000 objects"),
        ({"objects": {"oid": "a"}}, "1 to 1000 objects"),
        ({"objects": ["a"]}, "an oid and a size"),
        ({"objects": [{"oid": "../../etc/passwd", "size": 1}]}, "64 hex digits"),
        ({"objects": [{"oid": "A" * 64, "size": 1}]}, "64 hex digits"),
        ({"objects": [{"oid": "a" * 64 + "\n", "size": 1}]}, "64 hex digits"),
        ({"objects": [{"oid": "a" * 64, "size": -1}]}, "must be a number of bytes"),
        ({"objects": [{"oid": "a" * 64, "size": True}]}, "must be a number of bytes"),
        ({"objects": [{"oid": "a" * 64, "size": 1.5}]}, "must be a number of bytes"),
        ({"objects": [{"oid": "a" * 64, "size": "1"}]}, "must be a number of bytes"),
        ({"objects": [{"oid": "a" * 64, "size": 2**63}]}, "must be a number of bytes"),
        (
            {"objects": [{"oid": "a" * 64, "size": 1}, {"oid": "a" * 64, "size": 2}]},
            "listed with two sizes",
        ),
        ({"objects": [{"oid": "a" * 64, "size": 10**15}]}, "smaller shards"),
        ({"objects": [{"oid": "a" * 64, "size": 4 * 10**11}] * 1}, ""),
    ],
)
def test_a_batch_that_is_no_valid_upload_says_what_is_wrong(
    batch: Batch, body: dict[str, Any], message: str
) -> None:
    response = batch(**body)
    if message:
        assert response.status_code in {400, 413}
        assert message in response.json()["error"]
        assert Upload.objects.count() == 0
    else:
        assert response.status_code == 200


@pytest.mark.requirement("UP-5")
def test_ten_thousand_objects_in_a_batch_are_refused(batch: Batch) -> None:
    response = batch(*((f"{number:064x}", 1) for number in range(9000)))
    assert response.status_code == 413
    assert Upload.objects.count() == 0


@pytest.mark.requirement("UP-6")
def test_more_than_the_quota_is_refused_before_anything_is_sent(
    batch: Batch, settings: Settings
) -> None:
    settings.UPLOAD_QUOTA = 1000
    assert code(batch(("a" * 64, 600), ("b" * 64, 600))) == (413, "upload_quota")
    assert batch(("a" * 64, 600)).status_code == 200
    assert code(batch(("b" * 64, 600))) == (413, "upload_quota")
    assert Upload.objects.count() == 1


# -- signed URLs --------------------------------------------------------------------------


def changed(url: str, **facts: Any) -> str:
    """The URL with other facts and without a new signature."""
    path, _, text = url.partition("?claim=")
    claim = signing._signer().unsign_object(text)
    names = list(signing.Claim.__dataclass_fields__)
    values = [facts.get(name, value) for name, value in zip(names, claim, strict=True)]
    forged = signing._signer().sign_object(values).rpartition(":")[0]
    return f"{path}?claim={forged}:{text.rpartition(':')[2]}"


@pytest.mark.requirement("UP-3")
@pytest.mark.parametrize(
    "facts",
    [
        {"person_id": 2**40},
        {"token_id": 2**40},
        {"checkpoint_id": 2**40},
        {"size": 3},
        {"act": 1},
        {"expires": 2**40},
        {"sha256": "b" * 64},
    ],
)
def test_an_altered_url_is_refused(
    client: Client, batch: Batch, content: Content, facts: dict[str, Any]
) -> None:
    url = href(batch((content.sha256, content.size)))
    refused = put(client, changed(url, **facts), content.data)
    assert code(refused) == (403, "link_invalid")
    assert blob_storage().stat(content.sha256) is None


@pytest.mark.requirement("UP-3")
def test_a_url_is_for_one_object_of_one_checkpoint_and_one_act(
    client: Client, batch: Batch, checkpoint: Checkpoint, content: Content
) -> None:
    Checkpoint.objects.create(org="acme", name="other", tier=checkpoint.tier, private=True)
    url = href(batch((content.sha256, content.size)))
    path, _, query = url.partition("?")
    for place in (
        f"{OBJECTS}/{'b' * 64}",
        f"{path}/parts/1",
        path.replace("acme/draft", "acme/other"),
    ):
        response = put(client, f"{place}?{query}", content.data)
        assert response.status_code in {400, 403}, place
    assert client.post(f"{path}/completion?{query}").status_code == 403
    for query in ("", "claim=", "claim=a:b", "claim=%00", "claim=" + "a" * 5000):
        assert code(put(client, f"{path}?{query}", b"")) == (403, "link_invalid")
    assert client.get(url).status_code == 405
    assert blob_storage().stat(content.sha256) is None


def test_a_url_ends_after_a_day_and_with_the_key_that_signed_it(
    client: Client,
    batch: Batch,
    content: Content,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        # An address that was signed more than a day ago.
        patch.setattr(signing, "LIFETIME", timedelta(seconds=-1))
        url = href(batch((content.sha256, content.size)))
    assert code(put(client, url, content.data)) == (410, "link_expired")
    url = href(batch((content.sha256, content.size)))
    settings.LINK_KEYS = {"new": b"n" * 32, **settings.LINK_KEYS}
    settings.LINK_KEYS.pop("unused", None)
    assert put(client, url, content.data).status_code == 200
    settings.LINK_KEYS = {"new": b"n" * 32}
    assert code(put(client, url, content.data)) == (403, "link_invalid")


def _revoke(owner: User) -> None:
    ApiToken.objects.update(revoked_at=timezone.now())


def _expire(owner: User) -> None:
    ApiToken.objects.update(expires_at=timezone.now())


def _suspend(owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(suspended_at=timezone.now())


def _deactivate(owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(is_active=False)


def _dismiss(owner: User) -> None:
    RoleAssignment.objects.filter(user=owner).delete()


def _narrow(owner: User) -> None:
    ApiToken.objects.update(scopes=["read"])


def _move(owner: User) -> None:
    assignment = RoleAssignment.objects.get(user=owner)
    assignment.tier = factories.tier("another")
    assignment.save()


@pytest.mark.requirement("UP-3")
@pytest.mark.parametrize("end", [_revoke, _expire, _suspend, _deactivate, _dismiss, _narrow, _move])
def test_a_url_ends_with_the_right_to_publish(
    client: Client,
    batch: Batch,
    release_owner: User,
    content: Content,
    end: Callable[[User], None],
) -> None:
    url = href(batch((content.sha256, content.size)))
    end(release_owner)

    assert put(client, url, content.data).status_code in {403, 404, 410}
    assert blob_storage().stat(content.sha256) is None


def test_a_url_of_an_upload_that_began_anew_with_another_size_no_longer_works(
    client: Client, batch: Batch, content: Content
) -> None:
    old = href(batch((content.sha256, 3)))
    new = href(batch((content.sha256, content.size)))
    assert code(put(client, old, b"abc")) == (400, "upload_refused")
    assert put(client, new, content.data).status_code == 200
    assert put(client, new, content.data).status_code == 200, "sent again, to the same end"
    assert code(batch((content.sha256, 3)))[0] == 400


@pytest.mark.requirement("UP-2")
@pytest.mark.parametrize("change", [b"", b"x" * 6999, b"x" * 7001, b"x" * 7000])
def test_a_body_of_another_length_or_hash_leaves_nothing(
    client: Client, batch: Batch, content: Content, change: bytes
) -> None:
    url = href(batch((content.sha256, content.size)))
    assert code(put(client, url, change)) == (400, "upload_refused")
    assert list(blob_storage().list_objects()) == []


@pytest.mark.slow
@pytest.mark.usefixtures("small_parts")
def test_parts_are_sent_to_numbered_urls_and_closed(
    client: Client,
    batch: Batch,
    checkpoint: Checkpoint,
    release_owner: User,
    large: Content,
    django_capture_on_commit_callbacks: Any,
) -> None:
    response = batch((large.sha256, large.size), transfers=["basic", "multipart"])
    action = response.json()["objects"][0]["actions"]["upload"]
    header = action["header"]
    assert [*header] == ["chunk_size", "1", "2", "3"]
    parts = []
    for number, data in reversed(list(large.parts(int(header["chunk_size"])))):
        url = header[str(number)].removeprefix(settings.PUBLIC_URL)
        assert put(client, url, data[:-1]).status_code == 400
        parts.append({"partNumber": number, "etag": put(client, url, data)["ETag"]})
    end = href(response)
    wrong: list[Any] = [None, {}, [1], [{"partNumber": "1", "etag": "a"}], parts[:2]]
    for bad in wrong:
        body = {"oid": large.sha256, "parts": bad}
        assert client.post(end, body, content_type="application/json").status_code == 400
    body = {"oid": large.sha256, "parts": parts}
    with django_capture_on_commit_callbacks(execute=False):
        assert client.post(end, body, content_type="application/json").status_code == 200

    verify = response.json()["objects"][0]["actions"]["verify"]["href"]
    assert Upload.objects.get().state == Upload.State.RECEIVED
    assert "actions" not in batch((large.sha256, large.size)).json()["objects"][0]
    assert present(checkpoint, release_owner, [large.sha256]) == {}
    assert verify.endswith("/verify")
