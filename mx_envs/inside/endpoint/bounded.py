"""An HTTP server of which nobody gets more than a share: of connections, time, bytes and memory.

Standard library only, because it is served inside the sandbox, too.
"""

from __future__ import annotations

import io
import re
import select
import socket
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

LARGEST_BODY = 32 << 20
STRANGERS_BODY = 64 << 10
"""The largest body of a request whose key is not known."""
HEAD_BYTES = 64 << 10
MOST_CONNECTIONS = 1024
MOST_BYTES = 256 << 20
"""Of all bodies that are being read at a time."""
IDLE_S = 120.0
"""How long a connection may be silent between two requests."""
HEAD_S = 10.0
BODY_S = 60.0
WRITE_S = 60.0
"""How long a client may leave an answer lying."""
MOST_TRAILERS = 16
PACKED = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""Codings of a body, and the window bits by which zlib knows them."""
_HEX = re.compile(rb"[0-9a-fA-F]{1,8}")
_NUMERIC = re.compile(r"[0-9.]+|\[[0-9a-fA-F:.]+\]")


class TooMuch(Exception):  # noqa: N818  # what a client is told
    """A request is over a bound; ``status`` says which."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class BoundedServer(ThreadingHTTPServer):
    """A server with a thread for each of a bounded number of connections."""

    daemon_threads = True
    request_queue_size = 512
    most_connections = MOST_CONNECTIONS

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._places = threading.BoundedSemaphore(self.most_connections)
        self._bytes = 0
        self._bytes_lock = threading.Lock()
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind without looking the host's name up."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection, or close it at once where there are too many."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread was to be had
            self._places.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is none of the server's business; anything else is shown as usual."""
        import sys

        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def take(self, size: int) -> None:
        """Make room for bytes of a body; to be given back with a negative size. Raises TooMuch."""
        with self._bytes_lock:
            if size > 0 and self._bytes + size > MOST_BYTES:
                raise TooMuch(503, "too many large requests at a time; try again")
            self._bytes += size


class _Timed(io.RawIOBase):
    """What comes from a client, until a moment and up to a number of bytes."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._until: Optional[float] = None
        self._left: Optional[int] = None

    def allow(self, seconds: float, size: Optional[int] = None) -> None:
        """From now on, so many seconds in all, and so many bytes."""
        self._until, self._left = time.monotonic() + seconds, size

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Some bytes. Raises TimeoutError, and ConnectionError beyond what is allowed."""
        room = memoryview(buffer)
        if self._left is not None:
            if self._left <= 0:
                raise ConnectionAbortedError("a request's head is over its bound")
            room = room[: self._left]
        wait = None if self._until is None else max(0.0, self._until - time.monotonic())
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        if not poll.poll(None if wait is None else wait * 1000):
            raise socket.timeout("the client was silent for too long")
        got = self._connection.recv_into(room)
        if self._left is not None:
            self._left -= got
        return got


class Bounded(BaseHTTPRequestHandler):
    """One connection: request after request, each within its bounds."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: BoundedServer

    def setup(self) -> None:
        """Read through the clock."""
        super().setup()
        self.connection.settimeout(WRITE_S)
        self._timed = _Timed(self.connection)
        self.rfile = self._reader = io.BufferedReader(self._timed, 1 << 16)

    def handle_one_request(self) -> None:
        """Wait for a request, then read and serve it."""
        self.close_connection = True
        self._timed.allow(IDLE_S)
        try:
            if not self._reader.peek(1):
                return
            self._timed.allow(HEAD_S, HEAD_BYTES)
            super().handle_one_request()
        except (socket.timeout, ConnectionError):
            self.close_connection = True

    def read_body(self, largest: int) -> bytes:
        """The request's body. Raises TooMuch, after which the connection ends; ConnectionError where the client breaks off."""
        self.close_connection, keep = True, self.close_connection
        self._timed.allow(BODY_S)
        lengths = set(self.headers.get_all("Content-Length") or ())
        coding = self.headers.get("Transfer-Encoding", "").strip().lower()
        if coding and (coding != "chunked" or lengths):
            raise TooMuch(400, "a request has one length: Content-Length, or Transfer-Encoding: chunked")
        if coding:
            data = self._read_chunks(largest)
        else:
            length = lengths.pop() if lengths else "0"
            if lengths or not (length.isascii() and length.isdecimal()):
                raise TooMuch(400, "Content-Length is one number")
            data = self._read_exactly(_bounded(int(length[:20]), largest))
        self.close_connection = keep
        return self._plain(data, largest)

    def _plain(self, data: bytes, largest: int) -> bytes:
        """The body as it was before its client packed it. Raises TooMuch for what is packed otherwise, badly, or too well."""
        coding = self.headers.get("Content-Encoding", "").strip().lower()
        if coding in ("", "identity"):
            return data
        if coding not in PACKED:
            raise TooMuch(415, f"a body is plain, gzip or deflate, not {coding[:20]!r}")
        unpack = zlib.decompressobj(PACKED[coding])
        parts, size = [], 0
        try:
            while data and not unpack.eof:
                part = unpack.decompress(data, 1 << 20)
                data = unpack.unconsumed_tail
                size += len(part)
                _bounded(size, largest)
                parts.append(part)
                if not part and not data:
                    break
        except zlib.error:
            raise TooMuch(400, f"the body is not what Content-Encoding: {coding} says") from None
        if not unpack.eof:
            raise TooMuch(400, f"the body breaks off within its {coding}")
        return b"".join(parts)

    def _read_chunks(self, largest: int) -> bytes:
        data = bytearray()
        while True:
            line = self.rfile.readline(256)
            size = line.split(b";")[0].strip()
            if not line.endswith(b"\n") or not _HEX.fullmatch(size):
                raise TooMuch(400, "a chunk begins with its size")
            number = _bounded(len(data) + int(size, 16), largest) - len(data)
            if number == 0:
                break
            data += self._read_exactly(number)
            if self.rfile.readline(4) not in (b"\r\n", b"\n"):
                raise TooMuch(400, "a chunk ends with its line")
        for _ in range(MOST_TRAILERS):
            if self.rfile.readline(1024) in (b"\r\n", b"\n", b""):
                return bytes(data)
        raise TooMuch(400, "too many trailers")

    def _read_exactly(self, size: int) -> bytes:
        """That many bytes, in pieces, so that memory is taken for what has come, not for what was promised."""
        parts, left = [], size
        while left:
            piece = min(left, 1 << 20)
            self.server.take(piece)
            try:
                part = self.rfile.read(piece)
            finally:
                self.server.take(-piece)
            if len(part) < piece:
                raise ConnectionAbortedError("the client broke off")
            parts.append(part)
            left -= piece
        return b"".join(parts)

    def is_local(self, name: str) -> bool:
        """Whether the name of a host is this server's: numbers, or a name that no stranger can point here."""
        try:
            host = urlsplit(f"//{name}").hostname or ""
        except ValueError:  # no name at all
            return False
        own = (self.server.server_name, "localhost", socket.gethostname())
        return bool(_NUMERIC.fullmatch(host) or ":" in host) or host in own or host.endswith(".localhost")

    def log_message(self, *args: Any) -> None:
        """Nothing."""


def _bounded(size: int, largest: int) -> int:
    if size > largest:
        raise TooMuch(413, f"a request has at most {largest} bytes")
    return size
