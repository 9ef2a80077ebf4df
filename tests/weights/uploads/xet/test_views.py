"""The routes of the Xet protocol: who may call them, and their responses."""

import json
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from accounts.api_tokens.models import ApiToken
from accounts.roles.models import RoleAssignment
from accounts.users.models import User
from tests.support import factories, xet
from weights.uploads.models import Upload
from weights.uploads.presence import present
from weights.uploads.xet import shards, tokens, views
from weights.uploads.xet.xorbs import Sender

PAIR = xet.Xorb((b"first chunk", b"second chunk"))
TOKEN_URL = "/api/models/acme/draft/xet-write-token/main"


class Xet:
    """A client of the protocol, with the token and the address that it was given."""

    def __init__(self, client: Client, api_token: str) -> None:
        self.client = client
        answer = client.get(TOKEN_URL, headers={"authorization": f"Bearer {api_token}"})
        assert answer.status_code == 200, answer.content
        self.answer: dict[str, Any] = answer.json()
        self.token = self.answer["accessToken"]
        self.path = self.answer["casUrl"].partition("/api/")[2]

    def post(self, path: str, body: bytes = b"", **headers: str) -> Any:
        headers = {"authorization": f"Bearer {self.token}"} | headers
        return self.client.post(
            f"/api/{self.path}/{path}",
            body,
            content_type="application/octet-stream",
            headers=headers,
        )

    def send(self, xorb: xet.Xorb = PAIR) -> Any:
        return self.post(f"v1/xorbs/default/{xorb.name}", xorb.body)


@pytest.fixture
def api_token(sender: Sender) -> str:
    return factories.token(sender.person, "write")


@pytest.fixture
def client_of_xet(client: Client, api_token: str) -> Xet:
    return Xet(client, api_token)


def test_a_recorded_upload_arrives_through_the_routes(client_of_xet: Xet, sender: Sender) -> None:
    missing = client_of_xet.client.get(
        f"/api/{client_of_xet.path}/v1/chunks/default/{xet.XORB_HASH}",
        headers={"authorization": f"Bearer {client_of_xet.token}"},
    )
    wanted = {"length": 1, "checksum": {"algo": "crc64nvme", "value": xet.XORB_CRC64NVME}}
    grant = f"v1/xorb-grants/default/{xet.XORB_HASH}"
    assert missing.status_code == 404
    assert client_of_xet.post(grant, json.dumps(wanted).encode()).status_code == 404
    sent = client_of_xet.post(f"v1/xorbs/default/{xet.XORB_HASH}", xet.XORB)
    assert sent.json() == {"was_inserted": True}
    assert client_of_xet.post(grant, json.dumps(wanted).encode()).status_code == 200
    assert client_of_xet.post("v2/shards", xet.SHARD).status_code == 404
    assert client_of_xet.post("v1/shards", xet.SHARD).json() == {"result": 1}

    names = xet.sha256s(xet.recorded_files())
    assert present(sender.checkpoint, sender.person, names) == names


def test_the_token_is_short_lived_and_its_address_is_of_this_portal(
    client_of_xet: Xet, settings: Settings
) -> None:
    left = client_of_xet.answer["exp"] - timezone.now().timestamp()
    assert 0 < left <= 900
    assert client_of_xet.answer["casUrl"].startswith(f"{settings.PUBLIC_URL}/api/xet/")


@pytest.mark.parametrize("scope", ["read", "read-gated", "admin"])
def test_only_a_write_token_gets_a_token(client: Client, sender: Sender, scope: str) -> None:
    token = factories.token(sender.person, scope)
    answer = client.get(TOKEN_URL, headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 403


def test_nobody_but_an_owner_gets_a_token(
    client: Client, sender: Sender, other_person: User
) -> None:
    token = factories.token(other_person, "write")
    answer = client.get(TOKEN_URL, headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 404, "a draft is hidden from others"
    assert client.get(TOKEN_URL).status_code == 401


@pytest.mark.requirement("UP-11")
def test_a_token_ends_with_its_api_token(client_of_xet: Xet, sender: Sender) -> None:
    assert client_of_xet.send().status_code == 200
    ApiToken.objects.get(user=sender.person).revoke(by=None)
    assert client_of_xet.send().status_code == 401


def test_a_token_ends_with_the_role_of_its_person(client_of_xet: Xet, sender: Sender) -> None:
    RoleAssignment.objects.filter(user=sender.person).delete()
    assert client_of_xet.send().status_code == 404


@pytest.mark.parametrize("change", ["x", "", "hf_token"])
def test_a_forged_token_is_refused(client_of_xet: Xet, change: str) -> None:
    client_of_xet.token = client_of_xet.token[:-1] + change if change == "x" else change
    assert client_of_xet.send().status_code == 401


@pytest.mark.requirement("UP-11")
def test_a_token_ends_after_its_lifetime(
    client_of_xet: Xet, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody waits a quarter of an hour.
    monkeypatch.setattr(tokens, "LIFETIME", -1)
    assert client_of_xet.send().status_code == 401


def test_the_address_changes_with_the_checkpoint_the_token_and_the_hour(
    sender: Sender, api_token: str
) -> None:
    elsewhere = factories.published("acme/elsewhere").checkpoint
    names = [
        tokens.endpoint_name("a", sender.checkpoint, 0),
        tokens.endpoint_name("b", sender.checkpoint, 0),
        tokens.endpoint_name("a", elsewhere, 0),
        tokens.endpoint_name("a", sender.checkpoint, 3600),
    ]
    assert len(set(names)) == 4
    assert tokens.endpoint_name("a", sender.checkpoint, 3599) == names[0]


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        (f"v1/xorbs/default/{PAIR.name}", PAIR.body[:-1], 400, "xet_malformed"),
        (f"v1/xorbs/default/{PAIR.name}", b"", 400, "xet_malformed"),
        ("v1/xorbs/default/nonsense", PAIR.body, 400, "xet_malformed"),
        ("v1/shards", b"noise", 400, "xet_malformed"),
        ("v1/shards", b"", 400, "xet_malformed"),
        ("v1/shards", xet.SHARD, 400, "xet_xorb_unknown"),
        (f"v1/xorb-grants/default/{PAIR.name}", b"{}", 400, "invalid_value"),
        (f"v1/xorb-grants/default/{PAIR.name}", b'{"length": "1"}', 400, "invalid_value"),
        (f"v1/xorb-grants/default/{PAIR.name}", b"[", 400, "body_not_json"),
        (f"v1/xorb-commits/default/{PAIR.name}/grant/{'0' * 32}", b"", 404, "blob_missing"),
    ],
)
def test_bad_requests_are_refused_with_a_sentence(
    client_of_xet: Xet, path: str, body: bytes, status: int, code: str
) -> None:
    answer = client_of_xet.post(path, body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert len(answer["X-Error-Message"]) > 20


def test_a_false_file_is_answered_with_its_reason(client_of_xet: Xet) -> None:
    client_of_xet.send()
    body = xet.shard(xet.file_block((PAIR, 0, 2), sha256="e" * 64))
    answer = client_of_xet.post("v1/shards", body)
    assert answer.status_code == 400
    assert "have the SHA-256" in answer.json()["error"]


def test_a_file_that_a_worker_still_rebuilds_is_accepted(
    client_of_xet: Xet, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No worker runs, small files are rebuilt in the request, and nobody waits a minute.
    monkeypatch.setattr(shards, "_AT_ONCE_BYTES", 0)
    monkeypatch.setattr(views, "_WAIT", 0)
    client_of_xet.send()
    answer = client_of_xet.post("v1/shards", xet.shard(xet.file_block((PAIR, 0, 2))))
    assert answer.json() == {"result": 1}
    assert Upload.objects.get().state == Upload.State.RECEIVED


def test_a_xorb_beyond_the_quota_is_413(client_of_xet: Xet, settings: Settings) -> None:
    settings.UPLOAD_QUOTA = 10
    answer = client_of_xet.send()
    assert (answer.status_code, answer.json()["code"]) == (413, "upload_quota")


def test_a_shard_above_64_mib_is_refused_by_its_length(
    client_of_xet: Xet, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A real one takes 64 MiB of memory.
    monkeypatch.setattr(views, "MOST_SHARD_BYTES", 100)
    answer = client_of_xet.post("v1/shards", xet.SHARD)
    assert "larger than 64 MiB" in answer.json()["error"]


def test_telemetry_is_dropped(client: Client, db: None) -> None:
    answer = client.post("/v1/telemetry", b'{"session": 1}', content_type="application/json")
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_xorb_costs_a_fixed_number_of_queries(
    client_of_xet: Xet, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client_of_xet.send(xet.Xorb((b"warms up",)))
    with django_assert_max_num_queries(20):
        client_of_xet.send()


@pytest.mark.requirement("UP-11")
def test_downloads_do_not_mention_xet(client: Client, db: None, store: object) -> None:
    factories.published("acme/open")
    for path in ("/acme/open/resolve/main/config.json", "/api/models/acme/open"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert not [name for name in answer.headers if "xet" in name.lower()]
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]
        assert b"xet" not in content.lower()
