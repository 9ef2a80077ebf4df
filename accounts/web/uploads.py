"""Upload handlers. Only views that install a handler for files accept them."""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile, StopUpload

#: Maximum bytes of a request body besides the file.
FRAME = 64 * 1024


class NoFilesHandler(FileUploadHandler):
    """The default handler; skips files and limits the body to DATA_UPLOAD_MAX_MEMORY_SIZE."""

    def handle_raw_input(
        self,
        input_data: Any,
        META: dict[str, str],
        content_length: int,
        boundary: str,
        encoding: str | None = None,
    ) -> None:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if limit is not None and content_length > limit:
            raise RequestDataTooBig("the body is larger than forms without files are")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        raise SkipFile

    def file_complete(self, file_size: int) -> None:
        return None


class SingleFileHandler(FileUploadHandler):
    """Keeps a file of up to `max_bytes` in memory; closes the connection if it is larger."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__()
        self.max_bytes, self._content = max_bytes, bytearray()

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._content = bytearray()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._content += raw_data
        if len(self._content) > self.max_bytes:
            raise StopUpload(connection_reset=True)

    def file_complete(self, file_size: int) -> SimpleUploadedFile:
        return SimpleUploadedFile(self.file_name or "", bytes(self._content))
