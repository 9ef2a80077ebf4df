"""Our signer of S3 URLs equals botocore's, byte for byte."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
import time_machine
from botocore.credentials import RefreshableCredentials
from hypothesis import given
from hypothesis import strategies as st

from weights.errors import StorageUnavailable
from weights.storage.protocol import blob_key
from weights.storage.s3 import S3Storage
from weights.storage.s3.presign import Credential, Presigner
from weights.web.http_headers import disposition

pytestmark = pytest.mark.one_database

SHA256 = "ab" * 32
NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
AWS = "https://s3.eu-central-1.amazonaws.com"


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)


def store(prefix: str = "blobs", endpoint: str | None = None) -> S3Storage:
    return S3Storage("weights", prefix, endpoint=endpoint, public_endpoint=endpoint)


def by_botocore(store: S3Storage, filename: str, seconds: int, version: str = "") -> str:
    params = {**store.location(SHA256), "ResponseContentDisposition": disposition(filename)}
    if version:
        params["VersionId"] = version
    return store.signer.client.generate_presigned_url(
        "get_object", Params=params, ExpiresIn=seconds
    )


def expires(url: str) -> int:
    return int(parse_qs(urlsplit(url).query)["X-Amz-Expires"][0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("endpoint", "prefix"),
    [(None, "blobs"), ("http://127.0.0.1:8333", ""), ("https://s3.example.org", "a b/é+c~d")],
)
def test_an_address_is_what_botocore_signs_at_that_instant(
    endpoint: str | None, prefix: str
) -> None:
    with time_machine.travel(NOON, tick=False):
        s3 = store(prefix, endpoint)
        for filename in ("model.bin", "shard é 1.pt", 'a"b&c=d+e~.txt'):
            for version in ("", "3HL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY+MTRCxf3vjVBH40"):
                ours = s3.signed_url(SHA256, filename=filename, seconds=900, version=version)
                assert ours == by_botocore(s3, filename, 900, version)
    assert s3.signer.presigner is not None
    assert s3.signer.presigner[1] is not None, "the fast signer made it"


@pytest.mark.slow
def test_a_temporary_credential_signs_with_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "FwoGZXIvYXdzE+/=token")
    with time_machine.travel(NOON, tick=False):
        s3 = store()
        assert s3.signed_url(SHA256, filename="a", seconds=60) == by_botocore(s3, "a", 60)


@given(
    name=st.text(min_size=1, max_size=40).filter(lambda text: text.isprintable()),
    seconds=st.integers(1, 3600),
    instant=st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1)),
)
def test_any_name_life_and_instant_agree_with_botocore(
    name: str, seconds: int, instant: datetime
) -> None:
    with time_machine.travel(instant.replace(tzinfo=UTC), tick=False):
        ours = _SHARED.signed_url(SHA256, filename=name, seconds=seconds)
        assert ours == by_botocore(_SHARED, name, seconds)


# Read-only; made once, since making a client costs more than all of its signatures.
with pytest.MonkeyPatch.context() as _patch:
    _patch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    _patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    _patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    _SHARED = store()


def test_the_key_of_a_day_is_left_with_the_day() -> None:
    presigner = Presigner(f"{AWS}/weights/", "eu-central-1", Credential("AKID", "secret"))
    evening = int(datetime(2026, 3, 1, 23, 59, 59, tzinfo=UTC).timestamp())
    dates = [
        parse_qs(
            urlsplit(
                presigner.url(blob_key(SHA256), disposition="attachment", seconds=60, now=now)
            ).query
        )["X-Amz-Credential"][0].split("/")[1]
        for now in (evening, evening + 1)
    ]
    assert dates == ["20260301", "20260302"]


@pytest.mark.requirement("UR-1", "UR-12")
def test_an_address_lives_one_second_to_one_hour() -> None:
    for asked, given_ in ((-5, 1), (0, 1), (1, 1), (900, 900), (3600, 3600), (10**9, 3600)):
        assert expires(_SHARED.signed_url(SHA256, filename="a", seconds=asked)) == given_


# -- credentials that end -----------------------------------------------------------------


def temporary(s3: S3Storage, minutes: float, *, renewed: float | None = None) -> None:
    """Give the store a credential that expires in this many minutes, and its renewals."""

    def renew() -> dict[str, str]:
        if renewed is None:
            raise RuntimeError("the credentials' source does not answer")
        ends = datetime.now(UTC) + timedelta(minutes=renewed)
        return {
            "access_key": "ASIANEW",
            "secret_key": "new",
            "token": "new",
            "expiry_time": ends.isoformat(),
        }

    ends = datetime.now(UTC) + timedelta(minutes=minutes)
    s3.signer.credentials = RefreshableCredentials(
        "ASIAOLD", "old", "old", ends, renew, method="test"
    )
    s3.signer.client._request_signer._credentials = s3.signer.credentials  # type: ignore[attr-defined]


@pytest.mark.requirement("UR-12")
def test_an_address_ends_with_the_credential_that_signed_it() -> None:
    s3 = store()
    temporary(s3, minutes=20)
    assert 1190 <= expires(s3.signed_url(SHA256, filename="a", seconds=3600)) <= 1200
    assert expires(s3.signed_url(SHA256, filename="a", seconds=900)) == 900


def test_a_credential_that_was_renewed_signs_from_then_on() -> None:
    s3 = store()
    s3.signed_url(SHA256, filename="a", seconds=60)
    temporary(s3, minutes=5, renewed=60)
    url = s3.signed_url(SHA256, filename="a", seconds=3600)
    assert "ASIANEW" in url
    assert 3590 <= expires(url) <= 3600


def test_a_credential_that_ended_signs_nothing() -> None:
    s3 = store()
    temporary(s3, minutes=-1)
    with pytest.raises(StorageUnavailable, match="renewed"):
        s3.signed_url(SHA256, filename="a", seconds=60)
    temporary(s3, minutes=-1, renewed=-1)
    with pytest.raises(StorageUnavailable):
        s3.signed_url(SHA256, filename="a", seconds=60)


@pytest.mark.slow
def test_without_credentials_nothing_is_signed() -> None:
    s3 = store()
    s3.signer.credentials = None
    with pytest.raises(StorageUnavailable, match="AWS_ACCESS_KEY_ID"):
        s3.signed_url(SHA256, filename="a", seconds=60)


@pytest.mark.slow
def test_a_client_that_signs_differently_is_checked_on_every_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    s3 = store()
    plain = boto3.client("s3", region_name="us-east-1")  # another region than the store's
    # A client whose addresses are not those that the fast way makes.
    monkeypatch.setattr(s3.signer, "client", plain)
    with time_machine.travel(NOON, tick=False):
        assert s3.signed_url(SHA256, filename="a", seconds=60) == by_botocore(s3, "a", 60)
    assert s3.signer.presigner is not None
    assert s3.signer.presigner[1] is None
