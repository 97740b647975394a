"""The two codecs of the host: messages to and from a slot's server, and the JSON frames of a session inside them.

A message is 4 bytes of big-endian length, 1 byte of kind, and the payload. Whatever a job writes to its channel comes
wrapped in messages of kind ``F``, so a job cannot forge any other kind.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable
from typing import Any

from mx_sandboxes.sandbox import Json, SandboxError

MESSAGE_LIMIT = 1 << 30
"""No message of a server is larger; what claims to be is not one."""
_COMPACT = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


class ProtocolError(SandboxError):
    """What came is not what the protocol allows."""


def message(kind: bytes, *parts: bytes) -> bytes:
    """One message to the server."""
    return b"".join((struct.pack(">I", sum(map(len, parts))), kind, *parts))


def with_header(header: Json, blobs: Iterable[bytes]) -> tuple[bytes, ...]:
    """The payload of a message that carries a JSON header and byte strings."""
    text = _COMPACT.encode(header).encode()
    return (struct.pack(">I", len(text)), text, *blobs)


def split_header(payload: bytes) -> tuple[dict[str, Any], memoryview]:
    """The header and the rest of such a payload. Raises ProtocolError."""
    try:
        size = int.from_bytes(payload[:4], "big")
        header = json.loads(payload[4 : 4 + size])
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"the slot's server sent a header that is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise ProtocolError("the slot's server sent a header that is not an object")
    return header, memoryview(payload)[4 + size :]


class MessageReader:
    """Cuts a byte stream from a server into messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take in bytes as they came."""
        self._buffer += data

    def next(self) -> tuple[bytes, bytes] | None:
        """The next whole message as (kind, payload); None while there is none. Raises ProtocolError when it is too large."""
        buffer = self._buffer
        if len(buffer) < 5:
            return None
        size = int.from_bytes(buffer[:4], "big")
        if size > MESSAGE_LIMIT:
            raise ProtocolError(f"the slot's server announced a message of {size} bytes")
        if len(buffer) < 5 + size:
            return None
        kind, payload = bytes(buffer[4:5]), bytes(buffer[5 : 5 + size])
        del buffer[: 5 + size]
        return kind, payload


def encode_frame(frame: Json, limit: int) -> bytes:
    """A session's frame as bytes.

    Raises ValueError when it is over ``limit`` bytes or holds what JSON cannot carry (a NaN, a circular reference, any other type).
    """
    try:
        text = _COMPACT.encode(frame).encode("ascii")
    except (TypeError, RecursionError) as error:
        raise ValueError(f"a frame holds only what JSON can carry: {error}") from error
    if len(text) > limit:
        raise ValueError(
            f"a frame of {len(text)} bytes is over the limit of {limit}; raise Limits.frame_bytes"
        )
    return struct.pack(">I", len(text)) + text


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no finite number")
    return value


_STRICT = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


class FrameDecoder:
    """Cuts the bytes of a session's channel into frames."""

    def __init__(self, limit: int) -> None:
        self._buffer = bytearray()
        self._limit = limit

    @property
    def partial(self) -> bool:
        """Whether the stream stands in the middle of a frame (or before one that nobody asked for)."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> None:
        """Take in bytes as they came."""
        self._buffer += data

    def next(self) -> tuple[Json] | None:
        """The next whole frame in a tuple, None while there is none. Raises ProtocolError for what is not a frame."""
        buffer = self._buffer
        if len(buffer) < 4:
            return None
        size = int.from_bytes(buffer[:4], "big")
        if size > self._limit:
            raise ProtocolError(f"a frame of {size} bytes is over the limit of {self._limit}")
        if len(buffer) < 4 + size:
            return None
        text = bytes(buffer[4 : 4 + size])
        del buffer[: 4 + size]
        return (decode_json(text),)


def decode_json(text: bytes) -> Json:
    """Parse what a program sent. Raises ProtocolError for anything but strict JSON that can be written out again as UTF-8."""
    try:
        value = _STRICT.decode(text.decode())
        if b"\\ud" in text.lower():
            json.dumps(
                value, ensure_ascii=False
            ).encode()  # half of a surrogate pair is a trap for whoever stores it
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not a frame: {error}") from error
    return value
