"""Heads in a bucket: one object each, which no later one replaces."""

from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from accounts.audit.merkle_log import copies, sealer, signed_heads
from accounts.audit.models import HeadCopy
from tests.accounts.audit.merkle_log import keys, rows
from tests.support import factories
from tests.support.servers import s3
from weights.storage import store_at
from weights.storage.s3 import S3Storage

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.one_database,
    pytest.mark.usefixtures("own_horizon"),
]


def test_each_head_becomes_an_object(s3_store: str, settings: Settings, tmp_path: Path) -> None:
    place = f"s3://{s3.BUCKET}/{factories.word()}/heads"
    settings.AUDIT_HEAD_COPY = place
    rows.event()
    sealer.seal()
    made = []
    for _ in range(2):  # two keys sign the same tree
        settings.AUDIT_KEY_FILE = keys.write(tmp_path)
        made.append(signed_heads.sign())
    assert copies.sweep(timezone.now()) == 2
    store = store_at(place)
    assert isinstance(store, S3Storage)
    listed = store.client.list_objects_v2(Bucket=store.bucket, Prefix=store.prefix)["Contents"]
    notes = [
        store.client.get_object(Bucket=store.bucket, Key=one["Key"])["Body"].read().decode()
        for one in listed
    ]
    assert sorted(notes) == sorted(head.note for head in made)


def test_an_unavailable_bucket_is_shown_as_failing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3.ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3.SECRET_KEY)
    settings.S3_ENDPOINT_URL = "http://127.0.0.1:1"
    settings.AUDIT_HEAD_COPY = f"s3://{s3.BUCKET}/heads"
    settings.AUDIT_KEY_FILE = keys.write(tmp_path)
    rows.event()
    sealer.seal()
    signed_heads.sign()
    assert copies.sweep(timezone.now()) == 0
    copy = HeadCopy.objects.get()
    assert copy.done_at is None
    assert copy.last_error
