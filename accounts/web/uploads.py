"""How files come in: on the pages made for them alone, and never past their bound."""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import FileUploadHandler, SkipFile, StopUpload

#: Bytes that a form needs beside its file.
FRAME = 64 * 1024


class NoFiles(FileUploadHandler):
    """Takes none: the portal's other forms have no file, so a body is bounded as any other."""

    def handle_raw_input(
        self,
        input_data: Any,
        META: dict[str, str],
        content_length: int,
        boundary: str,
        encoding: str | None = None,
    ) -> None:
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if most is not None and content_length > most:
            raise RequestDataTooBig("the body is larger than forms without files are")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        raise SkipFile

    def file_complete(self, file_size: int) -> None:
        return None


class OneDocument(FileUploadHandler):
    """Keeps a file in memory while it is no larger than `most` bytes; cuts off what is."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most, self._content = most, bytearray()

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._content = bytearray()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._content += raw_data
        if len(self._content) > self.most:
            raise StopUpload(connection_reset=True)

    def file_complete(self, file_size: int) -> SimpleUploadedFile:
        return SimpleUploadedFile(self.file_name or "", bytes(self._content))
