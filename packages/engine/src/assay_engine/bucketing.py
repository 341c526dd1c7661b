"""The named bucketers: how a unit becomes a number, exactly.

Each is kept for ever, with its own number type: integer arithmetic where the definition is integer, IEEE
doubles in the peer's order of operations where it is not. Their vectors are `conformance/bucketing.json`.
A bucketer answers None for a value it cannot bucket.
"""

import hashlib
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import mmh3

from assay_engine.model import BucketerName, Bucketing
from assay_engine.values import AttributeValue

Bucket: TypeAlias = Callable[[AttributeValue], float | None]

XD_LENGTH = 100

_UINT32 = 0xFFFFFFFF
# A double, as in the peers: dividing whole numbers would round once where they round twice.
_SIXTY_BITS = float(0xFFFFFFFFFFFFFFF)
_LARGEST_EXACT = 2**53
_UNLEASH_VARIANT_SEED = 86028157


@dataclass(frozen=True, slots=True)
class Bucketer:
    """A bucketer's line of values and the function that puts a unit on it.

    `lowest` is the first value. `span` is the length of the line in a bucketing of the given total;
    `is_integer` says whether bounds are whole numbers.
    """

    prepare: Callable[[str, int], Bucket]
    is_integer: bool = True
    lowest: int = 0
    span: float | None = None

    def highest(self, total: int) -> float:
        """The end of the line: exclusive for integers; doubles may reach it."""
        return self.lowest + (total if self.span is None else self.span)


def prepare(bucketing: Bucketing) -> Bucket:
    """The function from an attribute's value to its place on the bucketing's line."""
    return BUCKETERS[bucketing.bucketer].prepare(bucketing.salt, bucketing.total)


def unit_text(value: AttributeValue) -> str | None:
    """The text of a unit that is hashed: a string itself, a whole number in decimal, nothing else."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) <= _LARGEST_EXACT:
        return str(int(value))
    if isinstance(value, int) and abs(value) <= 2**64:
        return str(value)
    return None


def _over_bytes(of_bytes: Callable[[str], float]) -> Bucket:
    """A bucketer over the unit's text; text that has no UTF-8 (a lone surrogate) has no bucket."""

    def bucket(value: AttributeValue) -> float | None:
        text = value if type(value) is str else unit_text(value)
        if not text:
            return None
        try:
            return of_bytes(text)
        except UnicodeEncodeError:
            return None

    return bucket


def murmur3_32(text: str, seed: int = 0) -> int:
    """MurmurHash3 (x86, 32 bits, unsigned) of a text's UTF-8.

    Raises:
        UnicodeEncodeError: The text holds a lone surrogate; given the text itself, `mmh3` ends the process.
    """
    return mmh3.mmh3_32_uintdigest(text.encode(), seed)


def xd_prefix(salt: str) -> str:
    """What comes before the unit in an `xd` key, of which the last 100 characters are hashed after "xd".

    Padded to 100 characters, so that flagd's CBOR header is always the two bytes "xd", and engines of its
    second and third generation agree with this one.
    """
    return "_" * XD_LENGTH + salt + ":"


def _xd(salt: str, total: int) -> Bucket:
    prefix = xd_prefix(salt)
    return _over_bytes(lambda text: murmur3_32("xd" + (prefix + text)[-XD_LENGTH:]) * total >> 32)


def fnv1a32(text: str) -> int:
    """FNV-1a over UTF-16 code units, as JavaScript's `charCodeAt` sees them."""
    units = text.encode("utf-16-le", "surrogatepass")
    value = 0x811C9DC5
    for at in range(0, len(units), 2):
        value = ((value ^ int.from_bytes(units[at : at + 2], "little")) * 0x01000193) & _UINT32
    return value


def _growthbook_1(salt: str, _: int) -> Bucket:
    return _over_bytes(lambda text: fnv1a32(text + salt) % 1000 / 1000)


def _growthbook_2(salt: str, _: int) -> Bucket:
    return _over_bytes(lambda text: fnv1a32(str(fnv1a32(salt + text))) % 10000 / 10000)


def _unleash(salt: str, total: int) -> Bucket:
    return _over_bytes(lambda text: murmur3_32(f"{salt}:{text}") % total + 1)


def _unleash_variant(salt: str, total: int) -> Bucket:
    return _over_bytes(lambda text: murmur3_32(f"{salt}:{text}", _UNLEASH_VARIANT_SEED) % total + 1)


def _flagsmith(salt: str, _: int) -> Bucket:
    def bucket(text: str) -> float:
        once = f"{salt},{text}"
        hashed = once
        while True:
            digest = hashlib.md5(hashed.encode(), usedforsecurity=False).hexdigest()
            value = int(digest, 16) % 9999 / 9998 * 100
            if value != 100:  # noqa: PLR2004 — the peer hashes again on exactly 100 %
                return value
            hashed += "," + once

    return _over_bytes(bucket)


def _sha1_share(text: str) -> float:
    return int(hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()[:15], 16) / _SIXTY_BITS


def _launchdarkly(salt: str, _: int) -> Bucket:
    of_text = _over_bytes(lambda text: _sha1_share(f"{salt}.{text}"))

    def bucket(value: AttributeValue) -> float | None:
        # The peer buckets what is neither a string nor a whole number at 0.
        return 0.0 if value is not None and unit_text(value) is None and value != "" else of_text(value)

    return bucket


def _eppo(salt: str, total: int) -> Bucket:
    def bucket(text: str) -> int:
        digest = hashlib.md5(f"{salt}-{text}".encode(), usedforsecurity=False).hexdigest()
        return int(digest[:8], 16) % total

    return _over_bytes(bucket)


def _posthog(salt: str, _: int) -> Bucket:
    return _over_bytes(lambda text: _sha1_share(f"{salt}.{text}"))


def _posthog_variant(salt: str, _: int) -> Bucket:
    return _over_bytes(lambda text: _sha1_share(f"{salt}.{text}variant"))


def _statsig(salt: str, total: int) -> Bucket:
    def bucket(text: str) -> int:
        return int.from_bytes(hashlib.sha256(f"{salt}.{text}".encode()).digest()[:8], "big") % total

    return _over_bytes(bucket)


def _go_feature_flag(salt: str, total: int) -> Bucket:
    def bucket(text: str) -> int:
        value = 0x811C9DC5
        for byte in (salt + text).encode():
            value = ((value ^ byte) * 0x01000193) & _UINT32
        return value % total

    return _over_bytes(bucket)


def _flipt(salt: str, total: int) -> Bucket:
    return _over_bytes(lambda text: zlib.crc32((salt + text).encode()) % total)


def _flipt_threshold(salt: str, total: int) -> Bucket:
    return _over_bytes(lambda text: zlib.crc32((text + salt).encode()) % total)


def _flagd_1(salt: str, _: int) -> Bucket:
    return _over_bytes(lambda text: flagd_1_share((salt + text).encode()))


def _flagd_2(salt: str, total: int) -> Bucket:
    return _over_bytes(lambda text: murmur3_32(salt + text) * total >> 32)


def _flagd_3(salt: str, total: int) -> Bucket:
    return _over_bytes(lambda text: mmh3.mmh3_32_uintdigest(cbor([salt, text])) * total >> 32)


def flagd_1_share(hashed: bytes) -> float:
    """Percent in [0, 100] by flagd's first `fractional`, in its own doubles."""
    return abs(mmh3.mmh3_32_sintdigest(hashed)) / 2147483647 * 100


def cbor(value: AttributeValue) -> bytes:
    """Deterministic CBOR (RFC 8949, 4.2.1) of a JSON value, whole floats as integers: what flagd 3 hashes."""
    match value:
        case None:
            return b"\xf6"
        case bool():
            return b"\xf5" if value else b"\xf4"
        case int() | float():
            return _cbor_number(value)
        case str():
            text = value.encode()
            return _cbor_head(3, len(text)) + text
        case Mapping():
            pairs = sorted((cbor(key), cbor(item)) for key, item in value.items())
            return _cbor_head(5, len(pairs)) + b"".join(key + item for key, item in pairs)
        case list() | tuple():
            return _cbor_head(4, len(value)) + b"".join(cbor(item) for item in value)
        case _:
            raise TypeError(f"{value!r} is not a JSON value")


def _cbor_head(major: int, argument: int) -> bytes:
    if argument < 24:  # noqa: PLR2004 — RFC 8949, table 1
        return bytes([major << 5 | argument])
    for information, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << 8 * size:
            return bytes([major << 5 | information]) + argument.to_bytes(size, "big")
    raise OverflowError(f"{argument} does not fit CBOR's 64 bits")


def _cbor_number(value: float) -> bytes:
    if isinstance(value, int) or (value.is_integer() and -(2**63) <= value < 2**64):
        whole = int(value)
        return _cbor_head(0, whole) if whole >= 0 else _cbor_head(1, -1 - whole)
    return _cbor_float(value)


def _cbor_float(value: float) -> bytes:
    for head, form in ((b"\xf9", ">e"), (b"\xfa", ">f")):
        try:
            packed = struct.pack(form, value)
        except OverflowError:
            continue
        if struct.unpack(form, packed)[0] == value:
            return head + packed
    return b"\xfb" + struct.pack(">d", value)


def _doubles(prepare: Callable[[str, int], Bucket], span: float = 1) -> Bucketer:
    return Bucketer(prepare, is_integer=False, span=span)


BUCKETERS: Mapping[BucketerName, Bucketer] = MappingProxyType(
    {
        BucketerName.XD: Bucketer(_xd),
        BucketerName.GROWTHBOOK_1: _doubles(_growthbook_1),
        BucketerName.GROWTHBOOK_2: _doubles(_growthbook_2),
        BucketerName.UNLEASH: Bucketer(_unleash, lowest=1),
        BucketerName.UNLEASH_VARIANT: Bucketer(_unleash_variant, lowest=1),
        BucketerName.FLAGSMITH: _doubles(_flagsmith, span=100),
        BucketerName.LAUNCHDARKLY: _doubles(_launchdarkly),
        BucketerName.EPPO: Bucketer(_eppo),
        BucketerName.POSTHOG: _doubles(_posthog),
        BucketerName.POSTHOG_VARIANT: _doubles(_posthog_variant),
        BucketerName.STATSIG: Bucketer(_statsig),
        BucketerName.GO_FEATURE_FLAG: Bucketer(_go_feature_flag),
        BucketerName.FLIPT: Bucketer(_flipt),
        BucketerName.FLIPT_THRESHOLD: Bucketer(_flipt_threshold),
        BucketerName.FLAGD_1: _doubles(_flagd_1, span=100),
        BucketerName.FLAGD_2: Bucketer(_flagd_2),
        BucketerName.FLAGD_3: Bucketer(_flagd_3),
    }
)
