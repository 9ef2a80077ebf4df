"""gunicorn's threaded worker, where no client can hold a thread or the others for good.

Three things that the plain one leaves to the web server in front, and a portal without one
needs: a client that takes no bytes is cut off, so is one that never ends its request's head,
and waiting for a client to hang up is done beside the loop that accepts everybody else.
"""

import gc
import socket
import struct
import time
from contextlib import suppress
from typing import Any

from gunicorn import util
from gunicorn.workers.gthread import TConn, ThreadWorker

#: Seconds after which a client that takes no byte of its answer is cut off.
STALLED_SECONDS = 120
#: Seconds for the head of a request, once its first byte could have come.
HEAD_SECONDS = 20
#: Seconds without a byte of a request's body after which it is given up.
BODY_SECONDS = 60
#: Bytes of a body that nobody read, which are still taken while its sender reads the answer:
#: those of two documents. A connection closed before makes nginx answer 502 in our place.
UNREAD_MOST = 24 * 2**20
#: Bytes of such a body that gunicorn takes away to go on with the same connection.
DRAINED_MOST = 64 * 1024


class WebWorker(ThreadWorker):
    """A thread for each request; none of them for ever."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # Connections whose request's head is being read, and until when.
        self._reading: dict[TConn, float] = {}

    def init_process(self) -> None:
        for listener in self.sockets:
            if listener.family != socket.AF_UNIX:
                _bound_stalls(listener)
        super().init_process()

    def load_wsgi(self) -> None:
        """Load the portal, and keep what it consists of out of every later collection.

        A collection that looks at all of it holds every request of the process for some 70 ms,
        and starting takes a fifth longer with collections than without.
        """
        gc.disable()
        super().load_wsgi()
        gc.freeze()
        gc.enable()

    def handle(self, conn: TConn) -> Any:
        """Read a request and answer it; runs in a thread of the pool."""
        self._reading[conn] = time.monotonic() + HEAD_SECONDS
        try:
            kept = super().handle(conn)
        finally:
            self._reading.pop(conn, None)
        if kept is False:
            _await_the_end(conn.sock)
        return kept

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Answer a request whose head is complete."""
        self._reading.pop(conn, None)
        if req.version >= (1, 1) and "HOST" not in dict(req.headers):
            util.write_error(conn.sock, 400, "Bad Request", "A request names its host.")
            return False  # RFC 9112, section 3.2
        if _may_stay_unread(req):
            req.force_close()
        return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """Cut off who is late; called by the loop at least once a second."""
        super().murder_pending()
        now = time.monotonic()
        for conn, until in self._reading.copy().items():
            if now > until:
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR)


def _may_stay_unread(req: Any) -> bool:
    """Whether its body is one that ends the connection, should the portal refuse to read it.

    The answer then says so from the start: a client that was promised another request on the
    same connection would lose it.
    """
    facts = dict(req.headers)
    length = facts.get("CONTENT-LENGTH", "0")
    return "TRANSFER-ENCODING" in facts or int(length) > DRAINED_MOST


def _bound_stalls(listener: Any) -> None:
    """Have the kernel end what stalls; accepted connections inherit both.

    The first also ends the sending of a file by the kernel, which no timeout of Python's
    reaches: bytes that the client neither acknowledges nor makes room for.
    """
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_SECONDS * 1000)
    patience = struct.pack("ll", BODY_SECONDS, 0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, patience)


def _await_the_end(connection: socket.socket) -> None:
    """Say that no more comes, and give the client two seconds to take it and hang up.

    The plain worker does this in its loop: one client that does not hang up, and nobody is
    accepted meanwhile. Afterwards there is nothing left for it to wait for.
    """
    with suppress(OSError):
        util.close_graceful(connection.dup(), max_drain=UNREAD_MOST)
        connection.shutdown(socket.SHUT_RDWR)
