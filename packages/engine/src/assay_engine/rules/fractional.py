"""flagd's `fractional` in its three generations: murmur3 (x86, 32 bits, seed 0) over ever different bytes.

Source: flagd.dev/reference/custom-operations/fractional-operation, and the ADR of 2025-12-03 for the third.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import mmh3

from assay_engine.bucketing import cbor, flagd_1_share
from assay_engine.model import BucketerName
from assay_engine.values import AttributeValue, is_array

_LARGEST_TOTAL = 2147483647
_PAIR = 2


@dataclass(frozen=True, slots=True)
class Shorthand:
    """No key was given: flag key and targeting key are hashed together."""

    flag_key: str
    targeting_key: object


def fractional_pick(generation: BucketerName, entries: Sequence[object], key: object) -> object:
    """The variant of the entry whose share the key falls in; None for any malformed part.

    Args:
        generation: `flagd1`, `flagd2` or `flagd3`.
        entries: Each `[variant, weight]` or `[variant]`; a negative weight counts as 0.
        key: The value to hash, or a `Shorthand`.
    """
    weighted = [_weighted(entry) for entry in entries]
    pairs = [pair for pair in weighted if pair is not None]
    total = sum(weight for _, weight in pairs)
    if len(pairs) < len(weighted) or not 0 < total <= _LARGEST_TOTAL:
        return None
    try:
        return _picked(generation, pairs, total, key)
    except (UnicodeEncodeError, TypeError, OverflowError):
        return None


def _picked(generation: BucketerName, pairs: Sequence[tuple[object, int]], total: int, key: object) -> object:
    hashed = _hashed(generation, key)
    if hashed is None:
        return None
    if generation is BucketerName.FLAGD_1:
        return _reached(flagd_1_share(hashed), [(variant, weight * 100 / total) for variant, weight in pairs])
    return _reached(mmh3.mmh3_32_uintdigest(hashed) * total >> 32, pairs)


def _reached(place: float, shares: Sequence[tuple[object, float]]) -> object:
    end = 0.0
    for variant, share in shares:
        end += share
        if place < end:
            return variant
    return None


def _hashed(generation: BucketerName, key: object) -> bytes | None:
    if generation is BucketerName.FLAGD_3:
        return _hashed_as_cbor(key)
    if isinstance(key, Shorthand):
        return f"{key.flag_key}{key.targeting_key}".encode() if isinstance(key.targeting_key, str) else None
    return key.encode() if isinstance(key, str) else None


def _hashed_as_cbor(key: object) -> bytes | None:
    if isinstance(key, Shorthand):
        return cbor([key.flag_key, key.targeting_key]) if isinstance(key.targeting_key, str) else None
    return None if key is None or is_array(key) else cbor(cast("AttributeValue", key))


def _weighted(entry: object) -> tuple[object, int] | None:
    if not is_array(entry) or not 1 <= len(entry) <= _PAIR:
        return None
    weight = entry[1] if len(entry) == _PAIR else 1
    if isinstance(weight, float) and weight.is_integer():
        weight = int(weight)
    if isinstance(weight, bool) or not isinstance(weight, int):
        return None
    return entry[0], max(weight, 0)
