"""Writes the answer to a batch, quickly where all went well: there are as many verdicts as events."""

from collections.abc import Collection

import msgspec

from assay.events import ingest
from assay.events.ingest import Counts, Sorted
from assay.events.schemas import BatchOut, EventVerdict

_BETWEEN = '","verdict":"accepted","reason":null},{"id":"'
_encode = msgspec.json.Encoder().encode


def write(batch: Sorted, *, known: Collection[str], clock_ahead_seconds: float | None = None) -> bytes:
    """The JSON of a batch's verdicts.

    Args:
        known: Identifiers that were stored before this batch.
    """
    counted = ingest.counts(batch, known=known)
    if counted.accepted == len(batch.items) and (quick := _all_accepted(batch, counted, clock_ahead_seconds)):
        return quick
    return _encode(describe(batch, known=known, clock_ahead_seconds=clock_ahead_seconds))


def describe(batch: Sorted, *, known: Collection[str], clock_ahead_seconds: float | None = None) -> BatchOut:
    """What became of each event of a batch."""
    counted = ingest.counts(batch, known=known)
    return BatchOut(
        accepted=counted.accepted,
        repeated=counted.repeated,
        rejected=counted.rejected,
        verdicts=[EventVerdict(*answer) for answer in ingest.verdicts(batch.items, known=known)],
        clock_ahead_seconds=clock_ahead_seconds,
    )


def _all_accepted(batch: Sorted, counted: Counts, clock_ahead_seconds: float | None) -> bytes | None:
    names = batch.identifiers
    # Only identifiers that JSON writes as they are can be joined without being written one by one.
    if not names or _encode(names) != ('["' + '","'.join(names) + '"]').encode():
        return None
    text = (
        f'{{"accepted":{counted.accepted},"repeated":0,"rejected":0,"verdicts":[{{"id":"'
        f'{_BETWEEN.join(names)}","verdict":"accepted","reason":null}}],"clock_ahead_seconds":'
    )
    return text.encode() + _encode(clock_ahead_seconds) + b"}"
