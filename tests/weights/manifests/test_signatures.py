"""Who signs what, once, with which key; and the life of keys."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.management import CommandError
from django.test import Client
from pytest_django import Settings

from accounts.audit.models import AuditEvent
from accounts.roles.permissions import Role
from accounts.tiers.models import Tier
from tests.support import factories, hurry
from weights.errors import WeightsError
from weights.manifests import listing, signatures
from weights.manifests.models import ManifestKey, ManifestSignature, PublishedManifest
from weights.publishing.models import Revision

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("store")]


@pytest.fixture
def new_key(tmp_path: Path, settings: Settings) -> Callable[[], str]:
    """Replace the signing key by another; returns its id once it has signed."""

    def make() -> str:
        path = tmp_path / f"{factories.word()}.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        settings.MANIFEST_KEY_FILE = str(path)
        return str(path)

    return make


@pytest.fixture
def revision(open_tier: Tier, new_key: Callable[[], str]) -> Revision:
    """A visible revision of a portal that has a key."""
    new_key()
    return factories.published("acme/model", open_tier)


def signed_files(signature: ManifestSignature) -> dict[str, str]:
    envelope = json.loads(signature.bundle)["dsseEnvelope"]
    resources = json.loads(base64.b64decode(envelope["payload"]))["predicate"]["resources"]
    return {one["name"]: one["digest"] for one in resources}


def address(revision: Revision, end: str = ".json") -> str:
    return f"/{revision.checkpoint.repo_id}/manifest/{revision.sha}{end}"


# -- signing ----------------------------------------------------------------------------


@pytest.mark.requirement("ST-6")
def test_a_visible_revision_is_signed_from_its_recorded_hashes(
    revision: Revision, store: Path
) -> None:
    for blob in store.rglob("*"):
        if blob.is_file():
            blob.unlink()  # no byte of the weights is needed
    signatures.sign(revision.pk)
    signature = revision.signatures.get()
    assert signed_files(signature) == {file.path: file.sha256 for file in revision.files.all()}
    event = AuditEvent.objects.get(action="manifest.signed")
    assert event.details["sha"] == revision.sha
    assert event.details["key"] == signature.key.key_id


def test_signing_twice_keeps_the_first_signature_and_one_event(revision: Revision) -> None:
    signatures.sign(revision.pk)
    first = revision.signatures.get().bundle
    signatures.sign(revision.pk)
    assert revision.signatures.get().bundle == first
    assert AuditEvent.objects.filter(action="manifest.signed").count() == 1


@pytest.mark.parametrize("state", ["pending", "failed", "withdrawn"])
def test_nothing_but_what_is_visible_is_signed(revision: Revision, state: str) -> None:
    Revision.objects.update(state=state)
    signatures.sign(revision.pk)
    assert not ManifestSignature.objects.exists()


def test_a_process_without_the_key_signs_nothing_and_breaks_nothing(
    revision: Revision, settings: Settings, client: Client
) -> None:
    settings.MANIFEST_KEY_FILE = ""
    signatures.sign(revision.pk)
    signatures.sweep()
    assert not ManifestKey.objects.exists()
    assert client.get(address(revision)).status_code == 200
    assert client.get(address(revision, ".sig")).status_code == 404
    assert client.get("/keys/").status_code == 200
    assert client.get("/acme/model").status_code == 200


def test_a_manifest_that_is_not_the_revisions_own_is_never_signed(revision: Revision) -> None:
    file = revision.files.get(path="config.json")
    file.path = "other.json"
    file.save()
    with pytest.raises(WeightsError, match="differs from its files"):
        signatures.sign(revision.pk)
    assert not ManifestSignature.objects.exists()


def test_the_sweep_queues_what_is_not_signed_yet(
    revision: Revision, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued: list[tuple[Any, ...]] = []

    def send(*sent: Any) -> bool:
        queued.append(sent)
        return True

    # The test checks the queued messages; no worker runs that would consume them.
    monkeypatch.setattr("accounts.background.periodic.queue_now", send)
    signatures.sweep()
    assert queued == [("weights.sign_manifest", revision.pk)]
    signatures.sign(revision.pk)
    queued.clear()
    signatures.sweep()
    assert queued == []


@pytest.mark.django_db(transaction=True)
def test_hurried_workers_make_one_signature(revision: Revision) -> None:
    acts = [lambda: signatures.sign(revision.pk)] * 4
    assert hurry.at_once(*acts) == ["done"] * 4
    assert revision.signatures.count() == 1
    assert ManifestKey.objects.count() == 1
    assert AuditEvent.objects.filter(action="manifest.signed").count() == 1
    assert AuditEvent.objects.filter(action="manifest_key.introduced").count() == 1


# -- keys -------------------------------------------------------------------------------


def test_a_new_key_retires_the_old_one_and_both_signatures_can_be_had(
    revision: Revision, new_key: Callable[[], str], client: Client
) -> None:
    signatures.sign(revision.pk)
    old = ManifestKey.objects.get()
    new_key()
    signatures.sign(revision.pk)
    old.refresh_from_db()
    current = ManifestKey.objects.get(retired_at=None)
    assert (old.state, current.state) == ("retired", "current")
    assert old.reason == f"replaced by {current.key_id}"

    def hint(query: str = "") -> str:
        told = client.get(address(revision, ".sig") + query).json()
        return str(told["verificationMaterial"]["publicKey"]["hint"])

    assert hint() == current.fingerprint
    assert hint(f"?key={old.key_id}") == old.fingerprint
    assert client.get(address(revision, ".sig") + "?key=%00").status_code == 404
    for key in (old, current):
        assert client.get(f"/keys/{key.key_id}.pem").content.decode() == key.public_pem


def test_a_retired_key_signs_no_more(
    revision: Revision, new_key: Callable[[], str], settings: Settings, open_tier: Tier
) -> None:
    signatures.sign(revision.pk)
    old_file = settings.MANIFEST_KEY_FILE
    new_key()
    signatures.sign(revision.pk)
    settings.MANIFEST_KEY_FILE = old_file  # a worker that was not restarted
    later = factories.published("acme/later", open_tier)
    signatures.sign(later.pk)
    signatures.sweep()
    assert not later.signatures.exists()
    assert ManifestKey.objects.filter(retired_at=None).count() == 1


def test_a_compromised_key_is_trusted_with_nothing(
    revision: Revision, manage: Callable[..., str], client: Client, new_key: Callable[[], str]
) -> None:
    signatures.sign(revision.pk)
    key = ManifestKey.objects.get()
    said = manage("retire_key", key.key_id, "--compromised", "--reason", "a backup was stolen")
    assert said == f"{key.key_id} compromised\n"
    assert client.get(address(revision, ".sig")).status_code == 404
    assert client.get(address(revision, ".sig") + f"?key={key.key_id}").status_code == 404
    assert client.get(f"/keys/{key.key_id}.pem").status_code == 410
    page = client.get("/keys/").content.decode()
    assert "a backup was stolen" in page
    assert f"{key.key_id}.pem" not in page
    (told,) = client.get("/api/v1/keys").json()
    assert (told["state"], told["pem"], told["url"]) == ("compromised", None, None)
    event = AuditEvent.objects.get(action="manifest_key.compromised")
    assert event.details["reason"] == "a backup was stolen"
    signatures.sign(revision.pk)
    assert revision.signatures.count() == 1
    new_key()
    signatures.sign(revision.pk)
    assert client.get(address(revision, ".sig")).status_code == 200


def test_retiring_a_key_again_changes_nothing_but_it_may_still_prove_compromised(
    revision: Revision, manage: Callable[..., str]
) -> None:
    signatures.sign(revision.pk)
    key_id = ManifestKey.objects.get().key_id
    manage("retire_key", key_id, "--reason", "the year is over")
    retired_at = ManifestKey.objects.get().retired_at
    manage("retire_key", key_id, "--reason", "said twice")
    assert ManifestKey.objects.get().reason == "the year is over"
    manage("retire_key", key_id, "--compromised", "--reason", "found in a log")
    manage("retire_key", key_id, "--reason", "never mind")
    key = ManifestKey.objects.get()
    assert (key.state, key.reason, key.retired_at) == ("compromised", "found in a log", retired_at)


def test_a_key_that_was_compromised_from_a_day_on_says_from_when(
    revision: Revision, manage: Callable[..., str], client: Client
) -> None:
    signatures.sign(revision.pk)
    key_id = ManifestKey.objects.get().key_id
    arguments = ("retire_key", key_id, "--compromised", "--reason", "a backup was stolen")
    manage(*arguments, "--since", "2026-11-03")
    page = " ".join(client.get("/keys/").text.split())
    assert "except one that you stored before" in page
    assert "2026-11-03T00:00" in page
    (told,) = client.get("/api/v1/keys").json()
    assert told["compromised_from"] == "2026-11-03T00:00:00Z"
    assert "since 2026-11-03 00:00 UTC" in client.get(f"/keys/{key_id}.pem").text
    said = client.get(address(revision, ".sig")).headers["X-Error-Message"]
    assert f"signature by {key_id} proves nothing, because" in said
    manage(*arguments, "--since", "2026-11-05T12:00")  # never later than recorded before
    manage(*arguments, "--since", "2026-11-01T12:00")
    (told,) = client.get("/api/v1/keys").json()
    assert told["compromised_from"] == "2026-11-01T12:00:00Z"
    events = AuditEvent.objects.filter(action="manifest_key.compromised").order_by("pk")
    assert [event.details["since"][:10] for event in events] == ["2026-11-03", "2026-11-01"]
    manage(*arguments)
    assert ManifestKey.objects.get().compromised_from is None
    with pytest.raises(CommandError, match="must not be in the future"):
        manage(*arguments, "--since", "2100-01-01")


@pytest.mark.parametrize(
    ("key_id", "reason", "told"),
    [("nothing", "long enough", "no manifest key 'nothing'"), ("nothing", "no", "enter a reason")],
)
def test_a_key_that_is_not_there_and_a_missing_reason_are_refused(
    manage: Callable[..., str], key_id: str, reason: str, told: str
) -> None:
    with pytest.raises(CommandError, match=told):
        manage("retire_key", key_id, "--reason", reason)


# -- the documents ----------------------------------------------------------------------


def test_the_manifest_contains_what_the_revisions_id_is_derived_from(
    revision: Revision, client: Client
) -> None:
    told = client.get(address(revision)).json()
    entries = [listing.Entry(one["path"], one["size"], one["sha256"]) for one in told["files"]]
    assert told["format"] == "weighbridge-manifest/1"
    assert told["manifest_sha256"] == listing.manifest_sha256(entries)
    assert told["revision"] == listing.revision_sha(told["manifest_sha256"], told["parent"])
    assert told["terms"]["tier"] == "open"
    assert told["total_bytes"] == sum(entry.size for entry in entries)
    assert all(len(one["git_oid"]) == 40 for one in told["files"])


def test_the_manifest_never_changes_whatever_becomes_of_the_terms(
    revision: Revision, client: Client, gated_tier: Tier
) -> None:
    before = client.get(address(revision))
    revision.checkpoint.tier = gated_tier
    revision.checkpoint.save()
    after = client.get(address(revision))
    assert after.content == before.content
    assert after["ETag"] == before["ETag"]
    assert before["Cache-Control"] == "public, max-age=300"
    assert after["Cache-Control"] == "private, no-store"
    signatures.sign(revision.pk)
    envelope = json.loads(revision.signatures.get().bundle)["dsseEnvelope"]
    signed = json.loads(base64.b64decode(envelope["payload"]))["predicate"]["weighbridge"]
    assert f'"{signed["manifest"]["sha256"]}"' == before["ETag"]


def test_head_conditions_and_sums(revision: Revision, client: Client) -> None:
    for end in (".json", "/SHA256SUMS"):
        got = client.get(address(revision, end))
        head = client.head(address(revision, end))
        assert head.content == b""
        assert (head["Content-Length"], head["ETag"]) == (str(len(got.content)), got["ETag"])
        again = client.get(address(revision, end), headers={"If-None-Match": got["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
    sums = client.get(address(revision, "/SHA256SUMS")).content.decode()
    assert sums.splitlines()[0].endswith("  README.md")
    assert len(sums.splitlines()) == revision.file_count
    assert client.post(address(revision)).status_code == 405


def test_a_private_checkpoint_looks_like_none(revision: Revision, client: Client) -> None:
    signatures.sign(revision.pk)
    owner = factories.token(factories.staff("keeper", Role.RELEASE_OWNER), "read-gated")
    revision.checkpoint.private = True
    revision.checkpoint.save()
    for end in (".json", ".sig", "/SHA256SUMS"):
        hidden = client.get(address(revision, end))
        nothing = client.get(address(revision, end).replace("acme/", "nobody/"))
        assert (hidden.status_code, nothing.status_code) == (404, 404)
        known = client.get(address(revision, end), headers={"Authorization": f"Bearer {owner}"})
        assert known.status_code == 200
        assert known["Cache-Control"] == "private, no-store"
        bad = client.get(address(revision, end), headers={"Authorization": "Bearer wb_x"})
        assert bad.status_code == 401


@pytest.mark.parametrize("end", [".json", ".sig", "/SHA256SUMS"])
def test_a_withdrawn_revision_is_410_on_the_hub_api_too(
    revision: Revision, client: Client, end: str
) -> None:
    signatures.sign(revision.pk)
    Revision.objects.update(state="withdrawn", state_reason="wrong weights")
    assert client.get(address(revision, end)).status_code == 410


def test_an_unknown_revision_has_no_manifest(revision: Revision, client: Client) -> None:
    assert client.get(f"/acme/model/manifest/{'0' * 40}.json").status_code == 404
    assert client.get("/acme/model/manifest/main.json").status_code == 404


def test_pages_and_api_lead_to_manifest_signature_and_sums(
    revision: Revision, client: Client
) -> None:
    assert "not signed yet" in client.get("/acme/model").content.decode()
    signatures.sign(revision.pk)
    key_id = ManifestKey.objects.get().key_id
    for page in ("/acme/model", "/acme/model/tree/main"):
        text = client.get(page).content.decode()
        for end in (".json", ".sig", "/SHA256SUMS"):
            assert address(revision, end) in text, page
        assert f"/keys/#{key_id}" in text
    (told,) = client.get("/api/v1/checkpoints/acme/model/revisions").json()
    assert told["signature_url"].endswith(address(revision, ".sig"))
    assert told["signed_by"] == key_id
    assert f"/keys/{key_id}.pem" in client.get("/keys/").content.decode()
    assert PublishedManifest.objects.count() == 1


def test_the_keys_page_makes_as_many_queries_for_many_keys_as_for_one(
    revision: Revision, new_key: Callable[[], str], client: Client, django_assert_num_queries: Any
) -> None:
    signatures.sign(revision.pk)
    for _ in range(3):
        new_key()
        signatures.sign(revision.pk)
    with django_assert_num_queries(4):
        client.get("/keys/")
