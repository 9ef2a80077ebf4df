"""A real mail server that stores accepted mails with their times."""

import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.servers.services import free_port


@dataclass(frozen=True)
class Copy:
    """A message as received; `at` in seconds since the epoch."""

    mail: str  # the portal's id of the mail
    to: str
    at: float
    text: str


class Postbox:
    """All accepted messages, by the local part of their Message-ID."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._copies: dict[str, list[Copy]] = defaultdict(list)
        self.port = free_port()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        message = message_from_bytes(envelope.original_content or b"", policy=policy.default)
        mail = str(message["Message-ID"]).strip("<>").partition("@")[0]
        body = message.get_body(("plain",))
        text = body.get_content() if body is not None else ""
        with self._lock:
            self._copies[mail].append(Copy(mail, envelope.rcpt_tos[0], time.time(), text))
        return "250 OK"

    def copies(self) -> dict[str, list[Copy]]:
        """All copies so far by message, in order of arrival."""
        with self._lock:
            return {mail: list(copies) for mail, copies in self._copies.items()}

    def links_to(self, address: str) -> list[str]:
        """The checkpoint links mailed to `address`: URLs that end in a slash."""
        with self._lock:
            texts = [
                copy.text
                for copies in self._copies.values()
                for copy in copies
                if copy.to == address
            ]
        found = re.findall(r"^\s*(http://\S+/d/[^/\s]+/)\s*$", "\n".join(texts), re.MULTILINE)
        return sorted(set(found))


@contextmanager
def opened(address: str = "127.0.0.1") -> Iterator[Postbox]:
    """Run a postbox that accepts mail on `smtp://<address>:<port>`."""
    box = Postbox()
    server = Controller(box, hostname=address, port=box.port)
    server.start()
    try:
        yield box
    finally:
        server.stop()
