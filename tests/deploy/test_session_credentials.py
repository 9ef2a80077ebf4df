"""S3 credentials limited to one revision, as described in docs/many-nodes.md."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError
from pytest_django import Settings

from accounts.tiers.models import Tier
from tests.support import factories
from tests.support.servers import s3
from tests.support.servers.live import ROOT
from weights.storage.protocol import blob_key

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

pytestmark = pytest.mark.one_database

PREFIX = "prefix"
ROLE = "arn:aws:iam::role/Nodes"
#: The configuration of SeaweedFS: a role that may do everything, which each session narrows.
STS = {
    "sts": {
        "tokenDuration": "1h",
        "maxSessionLength": "12h",
        "issuer": "suite",
        "signingKey": "c3VpdGUtc2lnbmluZy1rZXktb2YtMzItYnl0ZXMtbG9uZw==",
    },
    "policies": [
        {
            "name": "All",
            "document": {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": ["*"]}],
            },
        }
    ],
    "roles": [
        {
            "roleName": "Nodes",
            "roleArn": ROLE,
            "attachedPolicies": ["All"],
            "trustPolicy": {
                "Version": "2012-10-17",
                "Statement": [
                    {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["sts:AssumeRole"]}
                ],
            },
        }
    ],
}


@pytest.fixture
def store(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[s3.Store]:
    """A store of its own with STS, which `blob_storage()` returns."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.SECRET_KEY)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    configuration = tmp_path / "iam.json"
    configuration.write_text(json.dumps(STS))
    running = s3.start(tmp_path / "s3", f"-s3.iam.config={configuration}")
    settings.S3_ENDPOINT_URL = settings.S3_PUBLIC_ENDPOINT_URL = running.endpoint
    settings.WEIGHTS_STORAGE = f"s3://{s3.BUCKET}/{PREFIX}"
    yield running
    running.stop()


def session_of(store: s3.Store, policy: str) -> "S3Client":
    """A client with keys that `policy` narrows, for the shortest time that STS allows."""
    sts = boto3.client("sts", endpoint_url=store.endpoint)
    issued = sts.assume_role(
        RoleArn=ROLE, RoleSessionName="node-1", Policy=policy, DurationSeconds=900
    )["Credentials"]
    return boto3.client(
        "s3",
        endpoint_url=store.endpoint,
        aws_access_key_id=issued["AccessKeyId"],
        aws_secret_access_key=issued["SecretAccessKey"],
        aws_session_token=issued["SessionToken"],
    )


def documented_policy(keys: list[str], bucket: str = s3.BUCKET) -> str:
    """The policy that docs/many-nodes.md shows, for these keys of a bucket."""
    page = (ROOT / "docs" / "many-nodes.md").read_text()
    (shown,) = re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    policy = json.loads(shown)
    (statement,) = policy["Statement"]
    statement["Resource"] = [f"arn:aws:s3:::{bucket}/{key}" for key in keys]
    return json.dumps(policy)


def test_session_keys_read_the_objects_of_one_revision_and_nothing_else(
    open_tier: Tier, store: s3.Store
) -> None:
    revision = factories.published("acme/one", open_tier, {"a.json": b"[1]\n", "b.json": b"[2]\n"})
    other = factories.published("acme/two", open_tier, {"c.json": b"[3]\n"})
    keys = {file.path: f"{PREFIX}/{blob_key(file.sha256)}" for file in revision.files.all()}
    node = session_of(store, documented_policy(list(keys.values())))
    read = {
        path: node.get_object(Bucket=s3.BUCKET, Key=key)["Body"].read()
        for path, key in keys.items()
    }
    assert read == {"a.json": b"[1]\n", "b.json": b"[2]\n"}

    elsewhere = f"{PREFIX}/{blob_key(other.files.get().sha256)}"
    mine = keys["a.json"]
    for refused in (
        lambda: node.get_object(Bucket=s3.BUCKET, Key=elsewhere),
        lambda: node.list_objects_v2(Bucket=s3.BUCKET),
        lambda: node.put_object(Bucket=s3.BUCKET, Key=mine, Body=b"other"),
        lambda: node.delete_object(Bucket=s3.BUCKET, Key=mine),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            refused()


def test_the_policy_of_aws_has_room_for_the_number_of_objects_that_the_page_states() -> None:
    key = f"{PREFIX}/{blob_key('f' * 64)}"
    page = (ROOT / "docs" / "many-nodes.md").read_text()
    (room,) = map(int, re.findall(r"enough for (\d+) objects", page))
    assert len(documented_policy([key] * room, "weights")) <= 2048
    assert len(documented_policy([key] * (room + 1), "weights")) > 2048
