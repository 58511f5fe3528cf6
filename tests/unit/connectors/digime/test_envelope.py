"""Opening a file of digi.me: what is sound comes out whole, and anything else is one error."""

from __future__ import annotations

import gc
import gzip
import io
import os
import tempfile
import tracemalloc
from typing import IO, TYPE_CHECKING, cast

import brotli  # type: ignore[import-untyped]  # it ships no types
import pytest

from functions.connectors.digime.envelope import MAX_PAYLOAD_BYTES, open_envelope
from functions.core.errors import EnvelopeInvalid
from tests.support.digime_samples import another, key, seal

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

PACKING: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda payload: gzip.compress(payload, 1),
    "brotli": lambda payload: brotli.compress(payload, quality=1),
}
HEAD = 272
SIZES = [*range(3), 15, 16, 17, 31, 32, 47, 48, 49, 65_519, 65_520, 65_535, 65_536, 200_000]


@pytest.fixture(scope="module")
def ours() -> RSAPrivateKey:
    return key()


def opened(
    envelope: bytes,
    private: RSAPrivateKey,
    *,
    compression: str | None = None,
    most: int = MAX_PAYLOAD_BYTES,
) -> bytes:
    with open_envelope(envelope, private, compression=compression, most=most) as payload:
        return payload.read()


def refused(
    envelope: bytes,
    private: RSAPrivateKey,
    *,
    compression: str | None = None,
    most: int = MAX_PAYLOAD_BYTES,
) -> None:
    """It is refused, and nothing tells it from any other refusal."""
    with pytest.raises(EnvelopeInvalid) as caught:
        opened(envelope, private, compression=compression, most=most)
    error = caught.value
    assert type(error) is EnvelopeInvalid
    assert error.args == (EnvelopeInvalid.text,)
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None


@pytest.mark.parametrize("size", SIZES)
def test_what_was_sealed_comes_out_of_bytes_and_of_a_stream(ours: RSAPrivateKey, size: int) -> None:
    payload = os.urandom(size)
    envelope = seal(payload, ours)
    assert opened(envelope, ours) == payload
    with open_envelope(io.BytesIO(envelope), ours) as out:
        assert out.read() == payload


class Drop(io.RawIOBase):
    """A stream that gives a little at a time."""

    def __init__(self, content: bytes, *, most: int) -> None:
        super().__init__()
        self._rest, self._most = content, most

    def read(self, size: int = -1) -> bytes:
        size = self._most if size < 0 else min(size, self._most)
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


@pytest.mark.parametrize("most", [1, 7, 16, 255, 1000])
def test_a_stream_may_give_a_little_at_a_time(ours: RSAPrivateKey, most: int) -> None:
    payload = os.urandom(3000)
    stream = cast("IO[bytes]", Drop(seal(payload, ours), most=most))
    with open_envelope(stream, ours) as out:
        assert out.read() == payload


@pytest.mark.parametrize("name", PACKING)
@pytest.mark.parametrize("size", [0, 1, 100_000, 3_000_000])
def test_a_packed_payload_comes_out_expanded(ours: RSAPrivateKey, name: str, size: int) -> None:
    payload = os.urandom(size // 2).hex().encode()
    assert opened(seal(PACKING[name](payload), ours), ours, compression=name) == payload


def test_a_gzip_file_of_several_members_is_one_payload(ours: RSAPrivateKey) -> None:
    packed = gzip.compress(b"one ") + gzip.compress(b"two")
    assert opened(seal(packed, ours), ours, compression="gzip") == b"one two"


@pytest.mark.parametrize("place", [*range(0, HEAD, 17), 255, 256, 271])
def test_any_byte_of_the_key_and_the_vector_counts(ours: RSAPrivateKey, place: int) -> None:
    _flipped_is_refused(ours, place)


@pytest.mark.parametrize("place", range(HEAD, 400))
def test_any_byte_of_the_cipher_text_counts(ours: RSAPrivateKey, place: int) -> None:
    _flipped_is_refused(ours, place)


def _flipped_is_refused(ours: RSAPrivateKey, place: int) -> None:
    envelope = bytearray(seal(b"payload" * 5, ours))
    assert len(envelope) == 384
    envelope[place % 384] ^= 1 + place % 255
    refused(bytes(envelope), ours)


@pytest.mark.parametrize("length", [0, 1, 255, 256, 271, 272, 287, 288, 336, 351, 352, 383])
def test_an_envelope_that_was_cut_is_refused(ours: RSAPrivateKey, length: int) -> None:
    refused(seal(b"payload" * 5, ours)[:length], ours)


@pytest.mark.parametrize("more", [1, 15, 16, 17, 4096])
def test_an_envelope_with_more_after_it_is_refused(ours: RSAPrivateKey, more: int) -> None:
    refused(seal(b"payload" * 5, ours) + os.urandom(more), ours)
    refused(seal(b"payload" * 5, ours) + bytes(more), ours)


def test_an_empty_payload_is_the_smallest_envelope(ours: RSAPrivateKey) -> None:
    assert len(seal(b"", ours)) == 352
    assert opened(seal(b"", ours), ours) == b""


@pytest.mark.parametrize(
    "filler",
    [b"\0" * 8, b"\x08" * 7 + b"\x09", b"\x07" + b"\x08" * 7, b"\x11" * 8, b"\xff" * 8],
    ids=["zeros", "last-too-large", "first-wrong", "over-a-block", "far-over-a-block"],
)
def test_a_wrong_padding_is_refused(ours: RSAPrivateKey, filler: bytes) -> None:
    assert opened(seal(b"x" * 56, ours, filler=b"\x08" * 8), ours) == b"x" * 56
    refused(seal(b"x" * 56, ours, filler=filler), ours)


@pytest.mark.parametrize("digest", [b"\0" * 64, b"x" * 48, b""], ids=["wrong", "short", "none"])
def test_a_wrong_hash_is_refused(ours: RSAPrivateKey, digest: bytes) -> None:
    refused(seal(b"payload", ours, digest=digest), ours)


@pytest.mark.parametrize("length", [16, 24])
def test_a_file_key_of_another_length_is_refused(ours: RSAPrivateKey, length: int) -> None:
    refused(seal(b"payload", ours, secret=os.urandom(length)), ours)


@pytest.mark.parametrize("bits", [2048, 3072])
def test_the_key_of_another_contract_opens_nothing(ours: RSAPrivateKey, bits: int) -> None:
    refused(seal(b"payload", ours), another(bits))
    refused(seal(b"payload", another(bits)), ours)


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        pytest.param("gzip", b"", id="gzip-of-nothing"),
        pytest.param("gzip", b"plain", id="not-gzip"),
        pytest.param("gzip", gzip.compress(b"x" * 999)[:-1], id="gzip-cut"),
        pytest.param("gzip", gzip.compress(b"x" * 999)[:-8] + bytes(8), id="gzip-sum"),
        pytest.param("gzip", gzip.compress(b"x" * 999) + b"more", id="gzip-and-more"),
        pytest.param("gzip", gzip.compress(b"x")[:10] + b"\xff" * 30, id="gzip-nonsense"),
        pytest.param("gzip", brotli.compress(b"x"), id="brotli-as-gzip"),
        pytest.param("brotli", b"", id="brotli-of-nothing"),
        pytest.param("brotli", b"plain", id="not-brotli"),
        pytest.param("brotli", brotli.compress(b"x" * 999)[:-1], id="brotli-cut"),
        pytest.param("brotli", brotli.compress(b"x" * 999) + b"more", id="brotli-and-more"),
        pytest.param("brotli", gzip.compress(b"x"), id="gzip-as-brotli"),
        pytest.param("zstd", b"x", id="unknown"),
        pytest.param("", b"x", id="no-name"),
    ],
)
def test_a_payload_that_is_not_packed_as_announced_is_refused(
    ours: RSAPrivateKey, name: str, packed: bytes
) -> None:
    refused(seal(packed, ours), ours, compression=name)


@pytest.mark.parametrize("name", PACKING)
def test_a_bomb_stops_at_the_bound(ours: RSAPrivateKey, name: str) -> None:
    envelope = seal(PACKING[name](bytes(50_000_000)), ours)
    tracemalloc.start()
    refused(envelope, ours, compression=name, most=10_000_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6_000_000


def test_the_bound_counts_to_the_byte(ours: RSAPrivateKey) -> None:
    envelope, packed = seal(bytes(1000), ours), seal(gzip.compress(bytes(1000)), ours)
    assert opened(envelope, ours, most=1000) == bytes(1000)
    assert opened(packed, ours, compression="gzip", most=1000) == bytes(1000)
    refused(envelope, ours, most=999)
    refused(packed, ours, compression="gzip", most=999)


@pytest.mark.parametrize("name", [None, "brotli"])
def test_fifty_megabytes_pass_through_little_memory(ours: RSAPrivateKey, name: str | None) -> None:
    payload = os.urandom(500_000).hex().encode() * 50
    packed = PACKING[name](payload) if name else payload
    with tempfile.TemporaryFile() as stream:
        stream.write(seal(packed, ours))
        stream.seek(0)
        tracemalloc.start()
        with open_envelope(stream, ours, compression=name) as out:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert all(out.read(1_000_000) == payload[:1_000_000] for _ in range(50))
            assert not out.read(1)
    assert peak < 8_000_000


def test_nothing_is_left_open_when_it_is_refused(ours: RSAPrivateKey) -> None:
    envelope = bytearray(seal(os.urandom(5_000_000), ours))
    envelope[-20] ^= 1
    refused(bytes(envelope), ours)
    refused(seal(os.urandom(5_000_000), ours), ours, compression="gzip")
    gc.collect()  # a file that is not closed would warn, and warnings are errors here
