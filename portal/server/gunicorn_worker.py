"""gunicorn's threaded worker with limits on slow clients.

gunicorn leaves these to a web server in front, which this portal does not require. A client that
does not read its response or finish its request's headers is disconnected. Waiting for a client
to close its connection does not block the loop that accepts others.
"""

import socket
import struct
import time
from contextlib import suppress
from typing import Any

from gunicorn import util
from gunicorn.workers.gthread import TConn, ThreadWorker

#: Seconds without progress after which a client that receives a response is disconnected.
STALLED_SECONDS = 120
#: Seconds for the headers of a request, from the moment a thread reads it.
HEAD_SECONDS = 20
#: Seconds without a byte of a request's body after which the client is disconnected.
BODY_SECONDS = 60
#: The slowest upload in bytes per second, and seconds for the store; an upload holds a thread.
LEAST_RATE, STORE_SECONDS = 10_000, 300
#: Bytes of an unread body that are discarded while the client reads the response; more than two
#: documents of 10 MiB. If the connection closes earlier, nginx responds with 502.
UNREAD_MOST = 24 * 2**20
#: Bytes of an unread body that gunicorn discards to keep the connection alive.
DRAINED_MOST = 64 * 1024


class WebWorker(ThreadWorker):
    """Gives each request one thread for a limited time."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        # Connections whose request headers or uploads are being read -> deadline.
        self._reading: dict[TConn, float] = {}

    def init_process(self) -> None:
        for listener in self.sockets:
            if listener.family != socket.AF_UNIX:
                _set_timeouts(listener)
        super().init_process()

    def set_accept_enabled(self, enabled: bool) -> None:
        """Stop accepting for good when the server stops, so that nginx asks another one at once.

        gunicorn closes its listeners only after the last response. Until then clients could
        connect and would get no response.
        """
        super().set_accept_enabled(enabled)
        if self.alive:
            return
        for listener in self.sockets:
            accepted = -1
            while self.nr_conns > accepted:  # clients that have already connected
                accepted = self.nr_conns
                self.accept(listener)
            listener.close()

    def handle(self, conn: TConn) -> Any:
        """Read a request and respond; runs in a thread of the pool."""
        self._reading[conn] = time.monotonic() + HEAD_SECONDS
        try:
            keep_alive = super().handle(conn)
        finally:
            self._reading.pop(conn, None)
        if keep_alive is False:
            _close_gracefully(conn.sock)
        return keep_alive

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Respond to a request whose headers are complete."""
        self._reading.pop(conn, None)
        if req.version >= (1, 1) and "HOST" not in dict(req.headers):
            util.write_error(conn.sock, 400, "Bad Request", "A request names its host.")
            return False  # RFC 9112, section 3.2
        if _may_stay_unread(req):
            req.force_close()
        if req.method == "PUT":
            length = int(dict(req.headers).get("CONTENT-LENGTH", 0))
            self._reading[conn] = time.monotonic() + STORE_SECONDS + length / LEAST_RATE
        return super().handle_request(req, conn)

    def murder_pending(self) -> None:
        """Disconnect clients past their deadline; the loop calls this at least once a second."""
        super().murder_pending()
        now = time.monotonic()
        for conn, until in self._reading.copy().items():
            if now > until:
                with suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR)


def _may_stay_unread(req: Any) -> bool:
    """True if the body is so long that the connection must be closed if no view reads it.

    The response then says `Connection: close`, so that the client sends no request after it.
    """
    headers = dict(req.headers)
    length = headers.get("CONTENT-LENGTH", "0")
    return "TRANSFER-ENCODING" in headers or int(length) > DRAINED_MOST


def _set_timeouts(listener: Any) -> None:
    """Set kernel timeouts on a listening socket, which accepted connections inherit.

    TCP_USER_TIMEOUT also ends `sendfile`, which Python's timeouts do not reach, when the client
    neither acknowledges bytes nor opens its window.
    """
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STALLED_SECONDS * 1000)
    timeout = struct.pack("ll", BODY_SECONDS, 0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)


def _close_gracefully(connection: socket.socket) -> None:
    """Shut down sending, and give the client two seconds to read the rest and disconnect.

    gunicorn does this in its loop, where one client that stays connected blocks all others.
    """
    with suppress(OSError):
        util.close_graceful(connection.dup(), max_drain=UNREAD_MOST)
        connection.shutdown(socket.SHUT_RDWR)
