"""From the bytes of a request to what they say: compression undone within bounds, the right reader chosen."""

import zlib
from collections.abc import Callable, Sequence

from assay.events import wire
from assay.events.errors import TooLarge, UnknownEncoding, UnreadableEncoding
from assay.events.wire import AnyEvent, Malformed

JSON = "application/json"
NDJSON = "application/x-ndjson"
_GZIP = 16 + zlib.MAX_WBITS
_READERS: dict[str, Callable[[bytes], Sequence[AnyEvent | Malformed]]] = {
    JSON: wire.read_batch,
    NDJSON: wire.read_lines,
    "application/jsonl": wire.read_lines,
    "application/ndjson": wire.read_lines,
}


def reader(content_type: str | None) -> Callable[[bytes], Sequence[AnyEvent | Malformed]]:
    """What reads a body of this media type; without one it is JSON.

    Raises:
        UnknownEncoding: Nothing does.
    """
    essence = media_type(content_type) or JSON
    read = _READERS.get(essence)
    if read is None:
        raise UnknownEncoding(f"events are read as {JSON} or {NDJSON}, not as {essence!r}", value=essence)
    return read


def media_type(content_type: str | None) -> str:
    """The media type in a `Content-Type` header, without parameters; empty if there is none."""
    return (content_type or "").partition(";")[0].strip().lower()


def inflate(body: bytes, encoding: str | None, *, max_bytes: int) -> bytes:
    """The body as it was before compression; never more than `max_bytes` of it are made.

    Raises:
        TooLarge: It is larger than that.
        UnreadableEncoding: It is damaged.
        UnknownEncoding: It is compressed in another way than gzip or zstd.
    """
    match (encoding or "identity").strip().lower():
        case "identity" | "":
            return body
        case "gzip" | "x-gzip":
            return _gunzip(body, max_bytes)
        case "zstd":
            return _unzstd(body, max_bytes)
        case other:
            raise UnknownEncoding(f"a body may be compressed with gzip or zstd, not {other!r}", value=other)


def _gunzip(body: bytes, max_bytes: int) -> bytes:
    parts: list[bytes] = []
    room = max_bytes + 1
    while body and room > 0:
        member = zlib.decompressobj(_GZIP)
        try:
            parts.append(member.decompress(body, room))
        except zlib.error as error:
            raise UnreadableEncoding(f"the body is not gzip as its headers say: {error}") from error
        room -= len(parts[-1])
        if room > 0 and not member.eof:
            raise UnreadableEncoding("the body is not whole: its gzip data end too early")
        body = member.unused_data
    return _bounded(b"".join(parts), max_bytes)


def _unzstd(body: bytes, max_bytes: int) -> bytes:
    import pyarrow as pa  # noqa: PLC0415 — Arrow takes longer to load than a server that never needs it to start

    try:
        with pa.CompressedInputStream(pa.BufferReader(body), "zstd") as stream:
            return _bounded(stream.read(max_bytes + 1), max_bytes)
    except OSError as error:
        raise UnreadableEncoding(f"the body is not zstd as its headers say: {error}") from error


def _bounded(body: bytes, max_bytes: int) -> bytes:
    if len(body) > max_bytes:
        raise TooLarge(f"the body is larger than {max_bytes:,} bytes; send it in smaller parts")
    return body
