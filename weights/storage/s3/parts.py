"""Multipart uploads that clients send directly to the bucket with presigned URLs."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from weights.errors import BlobMissing, StorageUnavailable, UploadRefused
from weights.storage.protocol import Part, PartUpload
from weights.storage.s3.bucket import STAGING, Bucket, Location
from weights.storage.s3.store import S3Storage

_BUFFER = 1024 * 1024


class S3Parts:
    """Stages an object as a multipart upload below the staging prefix.

    Its name is `<key below the prefix>:<id of the multipart upload>`.
    """

    def __init__(self, store: S3Storage) -> None:
        self._bucket: Bucket = store
        self._client = store.client
        self._signing = store.signer.client

    def begin(self) -> str:
        staged = self._bucket.staging_location()
        with self._bucket.translated_errors():
            created = self._client.create_multipart_upload(**staged)
        key = staged["Key"].removeprefix(f"{self._bucket.prefix}{STAGING}")
        return f"{key}:{created['UploadId']}"

    def urls(self, name: str, count: int, seconds: int) -> list[str]:
        upload = self._upload(name)
        with self._bucket.translated_errors():
            return [
                self._signing.generate_presigned_url(
                    "upload_part", Params={**upload, "PartNumber": 1 + index}, ExpiresIn=seconds
                )
                for index in range(count)
            ]

    def receive(self, name: str, number: int) -> AbstractContextManager[PartUpload]:
        raise UploadRefused("parts are sent to the bucket; start the upload again")

    def close(self, name: str, parts: Sequence[Part]) -> None:
        """See PartStore. The bucket compares the entity tags, which are hashes, again."""
        try:
            with self._bucket.translated_errors():
                listed = self._listed(name)
        except BlobMissing as error:
            if self._size(name) == sum(part.size for part in parts):
                return  # completed by an earlier call whose response was lost
            raise UploadRefused(
                "the bucket no longer has these parts; send the file again"
            ) from error
        for part in parts:
            found = listed.get(part.number)
            if found is None or (found["Size"], _plain(found)) != (part.size, part.etag):
                raise part.refusal()
        done = {"Parts": [_reported(listed[part.number]) for part in parts]}
        with self._bucket.translated_errors():
            self._client.complete_multipart_upload(
                **self._upload(name),
                MultipartUpload=done,  # type: ignore[arg-type]
            )

    def _listed(self, name: str) -> dict[int, Any]:
        pages = self._client.get_paginator("list_parts").paginate(**self._upload(name))
        return {part["PartNumber"]: part for page in pages for part in page.get("Parts", [])}

    def _size(self, name: str) -> int | None:
        with suppress(BlobMissing), self._bucket.translated_errors():
            return self._client.head_object(**self._location(name))["ContentLength"]
        return None

    @contextmanager
    def assembled(self, name: str, count: int) -> Iterator["_Staged"]:
        with self._bucket.translated_errors():
            found = self._client.get_object(**self._location(name))
        try:
            yield _Staged(self._bucket, self._location(name), found)
        finally:
            found["Body"].close()

    def discard(self, name: str) -> None:
        """See PartStore. If this fails, the sweep deletes the parts later."""
        with suppress(ClientError, BotoCoreError):
            self._client.abort_multipart_upload(**self._upload(name))
        self._bucket.discard(self._location(name))

    def _location(self, name: str) -> Location:
        return self._bucket.staged(name.partition(":")[0])

    def _upload(self, name: str) -> dict[str, Any]:
        return {**self._location(name), "UploadId": name.partition(":")[2]}


class _Staged:
    """A complete object in staging, as it was at opening."""

    def __init__(self, bucket: Bucket, location: Location, found: Any) -> None:
        self._bucket = bucket
        self._location = location
        self._found = found

    def blocks(self) -> Iterator[bytes]:
        with self._bucket.translated_errors():
            yield from self._found["Body"].iter_chunks(_BUFFER)

    def commit(self, sha256: str) -> None:
        """Copy it within the bucket, unless it was replaced since opening."""
        target = self._bucket.location(sha256)
        with self._bucket.translated_errors():
            self._bucket.client.copy(
                self._location,  # type: ignore[arg-type]
                **target,
                ExtraArgs={"CopySourceIfMatch": self._found["ETag"]},
                Config=self._bucket.copying,
            )
            size = self._bucket.client.head_object(**target)["ContentLength"]
        if size != self._found["ContentLength"]:
            raise StorageUnavailable(
                f"the bucket {self._bucket.bucket} kept {size} of"
                f" {self._found['ContentLength']} bytes"
            )


def _plain(part: Any) -> str:
    return str(part["ETag"]).strip('"')


def _reported(part: Any) -> dict[str, Any]:
    """A listed part with its checksums, as the completion request must repeat them."""
    sums = {name: value for name, value in part.items() if name.startswith("Checksum")}
    return {"PartNumber": part["PartNumber"], "ETag": part["ETag"], **sums}
