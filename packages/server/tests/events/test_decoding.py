"""Bodies as they travel: compression undone within bounds, the right reader for each media type."""

import gzip
import json
import zlib

import pyarrow as pa
import pytest

from assay.events import wire
from assay.events.decoding import inflate, reader
from assay.events.errors import TooLarge, UnknownEncoding, UnreadableEncoding

LIMIT = 100_000
BODY = json.dumps([{"kind": "event"}] * 100).encode()


def packed(body: bytes) -> bytes:
    # Without the time, so that the names of tests are the same in every process.
    return gzip.compress(body, mtime=0)


PACKED = packed(BODY)
ZSTD = pa.compress(BODY, "zstd", asbytes=True)


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (BODY, None),
        (BODY, "identity"),
        (PACKED, "gzip"),
        (PACKED, " X-GZIP "),
        (packed(BODY[:50]) + packed(BODY[50:]), "gzip"),
        (ZSTD, "zstd"),
    ],
)
def test_a_body_is_read_however_it_travelled(body: bytes, encoding: str | None) -> None:
    assert inflate(body, encoding, max_bytes=LIMIT) == BODY


def a_bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([packer.compress(b" " * 1_000_000) for _ in range(size // 1_000_000)]) + packer.flush()


@pytest.mark.parametrize("times", [1, 40])
def test_a_bomb_is_refused_before_it_goes_off(times: int) -> None:
    bomb = a_bomb(100_000_000 // times) * times

    with pytest.raises(TooLarge, match="100,000 bytes"):
        inflate(bomb, "gzip", max_bytes=LIMIT)


def test_a_bomb_of_zstd_is_refused_too() -> None:
    bomb = pa.compress(b" " * 50_000_000, "zstd", asbytes=True)

    with pytest.raises(TooLarge):
        inflate(bomb, "zstd", max_bytes=LIMIT)


def test_the_limit_itself_is_allowed() -> None:
    assert len(inflate(gzip.compress(b" " * LIMIT), "gzip", max_bytes=LIMIT)) == LIMIT


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("body", [b"[]", b"\x1f\x8b", PACKED[:-9] + b"!"])
def test_what_is_not_compressed_as_it_says_is_refused(body: bytes, encoding: str) -> None:
    with pytest.raises(UnreadableEncoding):
        inflate(body, encoding, max_bytes=LIMIT)


def test_half_of_gzip_is_refused() -> None:
    with pytest.raises(UnreadableEncoding, match="not whole"):
        inflate(PACKED[:-12], "gzip", max_bytes=LIMIT)


def test_unknown_compression_is_refused() -> None:
    with pytest.raises(UnknownEncoding, match="br"):
        inflate(BODY, "br", max_bytes=LIMIT)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (None, wire.read_batch),
        ("application/json; charset=utf-8", wire.read_batch),
        ("Application/X-NDJSON", wire.read_lines),
        ("application/jsonl", wire.read_lines),
    ],
)
def test_the_media_type_chooses_the_reader(content_type: str | None, expected: object) -> None:
    assert reader(content_type) is expected


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x", "nonsense"])
def test_other_media_types_are_refused(content_type: str) -> None:
    with pytest.raises(UnknownEncoding, match="application/x-ndjson"):
        reader(content_type)
