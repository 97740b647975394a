"""The codecs: what goes in comes out however the stream is cut, and nothing but ProtocolError comes of rubbish."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mx_sandboxes.slots.frames import FrameDecoder, MessageReader, ProtocolError, encode_frame, message

LIMIT = 1 << 16
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5),
    max_leaves=20,
)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in itertools.pairwise(places)]


@given(st.lists(values, max_size=5), st.lists(st.integers(0, 1 << 20), max_size=10))
def test_frames_come_out_as_they_went_in(frames: list[Any], cuts: list[int]) -> None:
    decoder = FrameDecoder(LIMIT)
    found: list[Any] = []
    for piece in pieces(b"".join(encode_frame(frame, LIMIT) for frame in frames), cuts):
        decoder.feed(piece)
        while (one := decoder.next()) is not None:
            found.append(one[0])
    assert found == frames
    assert not decoder.partial


@given(
    st.lists(st.tuples(st.sampled_from([b"F", b"D"]), st.binary(max_size=50)), max_size=6),
    st.lists(st.integers(0, 999)),
)
def test_messages_come_out_as_they_went_in(messages: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    reader = MessageReader()
    found = []
    for piece in pieces(b"".join(message(kind, payload) for kind, payload in messages), cuts):
        reader.feed(piece)
        while (one := reader.next()) is not None:
            found.append(one)
    assert found == messages


@given(st.binary(max_size=300))
def test_rubbish_is_a_protocol_error_or_nothing(data: bytes) -> None:
    decoder = FrameDecoder(100)
    decoder.feed(data)
    try:
        while decoder.next() is not None:
            pass
    except ProtocolError:
        pass


@given(st.binary(max_size=60))
def test_whatever_decodes_can_be_written_out_again(text: bytes) -> None:
    decoder = FrameDecoder(100)
    decoder.feed(len(text).to_bytes(4, "big") + text)
    try:
        value = decoder.next()
    except ProtocolError:
        return
    assert value is not None
    encode_frame(value[0], LIMIT)


@pytest.mark.parametrize(
    "text", [b"1e999", b"-1e999", b"[1e400]", b"Infinity", b'"\\uDC00"', b'{"\\ud800": 1}', b"9" * 5000]
)
def test_what_cannot_be_written_out_again_is_no_frame(text: bytes) -> None:
    decoder = FrameDecoder(LIMIT)
    decoder.feed(len(text).to_bytes(4, "big") + text)
    with pytest.raises(ProtocolError):
        decoder.next()


def test_an_absurd_length_is_refused_before_it_is_awaited() -> None:
    reader = MessageReader()
    reader.feed(b"\xff\xff\xff\xffD")
    with pytest.raises(ProtocolError):
        reader.next()
