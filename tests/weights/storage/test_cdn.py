"""URLs of a CDN: what is signed, checked like the CDN does, and who is redirected there."""

import json
import time
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from botocore.signers import CloudFrontSigner
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from pytest_django import Settings

from accounts.tiers.models import Tier
from accounts.users.models import User
from portal.settings import environment
from tests.support import factories
from weights.delivery import file_links, links
from weights.gate.caller import Caller
from weights.ledger.models import Download
from weights.storage import blob_storage
from weights.storage.cdn import Cdn, SigningKey, policy

pytestmark = pytest.mark.one_database

ORIGIN = "https://weights.example.org"
NOW = int(datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC).timestamp())

RSA = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())


def pem(key: SigningKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def opens(url: str, key: SigningKey, now: int) -> bool:
    """What a CDN does with an address signed by a canned policy."""
    resource, _, signed = url.rpartition("&Expires=")
    query = parse_qs(f"Expires={signed}", strict_parsing=True)
    assert query["Key-Pair-Id"] == ["K1"]
    assert query["Hash-Algorithm"] == ["SHA256"]
    ends = int(query["Expires"][0])
    text = query["Signature"][0].translate(str.maketrans("-_~", "+=/"))
    signature = b64decode(text, validate=True)
    statement = json.dumps(
        {
            "Statement": [
                {"Resource": resource, "Condition": {"DateLessThan": {"AWS:EpochTime": ends}}}
            ]
        },
        separators=(",", ":"),
    )
    public = key.public_key()
    try:
        if isinstance(public, rsa.RSAPublicKey):
            public.verify(signature, statement.encode(), PKCS1v15(), SHA256())
        else:
            public.verify(signature, statement.encode(), ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return now < ends


@pytest.mark.parametrize("key", [RSA, P256], ids=["rsa", "p256"])
def test_the_public_key_opens_what_was_signed_and_nothing_else(key: SigningKey) -> None:
    url = Cdn(ORIGIN, "K1", key).url("blobs/aa/bb/x", 'attachment; filename="a.bin"', NOW, 900)
    assert url.startswith(f"{ORIGIN}/blobs/aa/bb/x?response-content-disposition=attachment%3B")
    assert opens(url, key, NOW)
    for altered in (
        url.replace("/aa/bb/x", "/aa/bb/y"),
        url.replace("a.bin", "b.exe"),
        url.replace("Expires=", "Expires=1"),
    ):
        assert not opens(altered, key, NOW)
    assert not opens(url, rsa.generate_private_key(65537, 2048), NOW)


def test_an_address_never_outlives_the_requested_lifetime() -> None:
    cdn = Cdn(ORIGIN, "K1", P256)
    for seconds in (1, 59, 119, 121, 900, 3600):
        url = cdn.url("x", "attachment", NOW, seconds)
        assert not opens(url, P256, NOW + seconds)
        assert opens(url, P256, NOW + max(0, seconds - 61))


def test_within_a_minute_a_file_is_signed_once() -> None:
    cdn = Cdn(ORIGIN, "K1", P256)
    first = cdn.url("x", "attachment", NOW, 900)
    assert cdn.url("x", "attachment", NOW + 20, 900) == first
    assert cdn.url("x", "attachment", NOW + 60, 900) != first
    assert cdn.url("y", "attachment", NOW, 900) != first


def test_the_policy_is_the_one_that_botocore_builds() -> None:
    ends = datetime.fromtimestamp(NOW, UTC)
    theirs = CloudFrontSigner("K1", lambda message: b"").build_policy(f"{ORIGIN}/x", ends)
    assert policy(f"{ORIGIN}/x", NOW) == theirs.encode()


# -- settings -----------------------------------------------------------------------------


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "cdn.pem"
    path.write_bytes(pem(P256))
    path.chmod(0o600)
    return path


def read(monkeypatch: pytest.MonkeyPatch, **values: str) -> tuple[str, str, str]:
    for name in ("CDN_URL", "CDN_KEY_ID", "CDN_KEY_FILE"):
        monkeypatch.setenv(name, values.get(name, ""))
    return environment.cdn("CDN_URL", "CDN_KEY_ID", "CDN_KEY_FILE")


def test_a_cdn_is_three_settings_or_none(monkeypatch: pytest.MonkeyPatch, key_file: Path) -> None:
    whole = {"CDN_URL": f"{ORIGIN}/", "CDN_KEY_ID": "K1", "CDN_KEY_FILE": str(key_file)}
    assert read(monkeypatch) == ("", "", "")
    assert read(monkeypatch, **whole) == (ORIGIN, "K1", str(key_file))
    for name in whole:
        with pytest.raises(ImproperlyConfigured, match=f"^{name}: is not set"):
            read(monkeypatch, **(whole | {name: ""}))


def test_a_bad_cdn_setting_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, key_file: Path, tmp_path: Path
) -> None:
    whole = {"CDN_URL": ORIGIN, "CDN_KEY_ID": "K1", "CDN_KEY_FILE": str(key_file)}
    weak, other, junk = tmp_path / "weak.pem", tmp_path / "p384.pem", tmp_path / "junk.pem"
    weak.write_bytes(pem(rsa.generate_private_key(65537, 1024)))  # noqa: S505 - refused
    other.write_bytes(pem(ec.generate_private_key(ec.SECP384R1())))
    junk.write_text("no key")
    for name, value, why in (
        ("CDN_URL", "weights.example.org/path", "not an origin"),
        ("CDN_KEY_ID", "K 1&x", "not the id"),
        ("CDN_KEY_FILE", str(tmp_path / "none.pem"), "cannot be read"),
        ("CDN_KEY_FILE", str(junk), "does not contain an unencrypted private key"),
        ("CDN_KEY_FILE", str(weak), "neither"),
        ("CDN_KEY_FILE", str(other), "neither"),
    ):
        with pytest.raises(ImproperlyConfigured, match=f"^{name}: .*{why}"):
            read(monkeypatch, **(whole | {name: value}))


def test_a_cdn_in_front_of_files_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDN_URL", ORIGIN)
    monkeypatch.setenv("WEIGHTS_STORAGE", "file:///srv/weights")
    with pytest.raises(ImproperlyConfigured, match=r"^CDN_URL: needs blobs in S3"):
        environment.storage("WEIGHTS_STORAGE", "")


# -- serving ------------------------------------------------------------------------------


@pytest.fixture
def cdn(s3_store: str, settings: Settings, key_file: Path) -> None:
    settings.CDN_URL, settings.CDN_KEY_ID = ORIGIN, "K1"
    settings.CDN_KEY_FILE = str(key_file)


def test_a_get_is_redirected_to_the_cdn_and_a_head_is_answered_by_the_portal(
    client: Client, open_tier: Tier, cdn: None
) -> None:
    revision = factories.published("acme/small", open_tier)
    file = revision.files.get(path="model.safetensors")
    url = "/acme/small/resolve/main/model.safetensors"
    with time_machine.travel(datetime.fromtimestamp(NOW, UTC), tick=False):
        got = client.get(url)
    assert got.status_code == 302
    where = urlsplit(got["Location"])
    assert f"{where.scheme}://{where.netloc}" == ORIGIN
    prefix = blob_storage().address.partition("//")[2].partition("/")[2]
    assert where.path == f"/{prefix}/{file.sha256[:2]}/{file.sha256[2:4]}/{file.sha256}"
    assert opens(got["Location"], P256, NOW)
    ends = int(parse_qs(where.query)["Expires"][0])
    most = timedelta(minutes=open_tier.file_link_minutes).total_seconds()
    assert ends <= NOW + most
    assert (
        'filename="model.safetensors"' in parse_qs(where.query)["response-content-disposition"][0]
    )
    head = client.head(url)
    assert (head.status_code, head["Content-Length"]) == (200, str(file.size))
    assert Download.objects.get().outcome == Download.Outcome.REDIRECTED


def test_links_lead_to_the_cdn_too(
    client: Client, gated_tier: Tier, applicant: User, cdn: None
) -> None:
    factories.published("acme/gated", gated_tier)
    factories.grant(applicant, gated_tier)
    path = "model.safetensors"
    file_link = file_links.issue(
        Caller(user=applicant, kind="command"), "acme/gated", "main", path, 600
    )
    folder = links.issue_now(applicant, "acme/gated", 1)
    for address in (file_link, f"{folder}{path}"):
        parts = urlsplit(address)
        asked = f"{parts.path}?{parts.query}" if parts.query else parts.path
        got = client.get(asked)
        assert got.status_code == 302, address
        assert opens(got["Location"], P256, int(time.time()))
        assert client.head(asked).status_code == 200


def test_the_cdn_does_not_bypass_the_gate(client: Client, gated_tier: Tier, cdn: None) -> None:
    factories.published("acme/gated", gated_tier)
    got = client.get("/acme/gated/resolve/main/model.safetensors")
    assert got.status_code == 401
    assert "Location" not in got
