"""What becomes of each item of a batch, decided without I/O."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.events.ingest import Arrival, Rejection, Row, Verdict, distinct, sort, verdicts
from assay.events.wire import Exposure, Malformed, MetricEvent
from assay.shared.ids import new_id

NOW = datetime(2026, 11, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)

events = st.builds(
    MetricEvent,
    name=st.sampled_from(["order", "view"]),
    unit=st.sampled_from(["a", "b"]),
    at=st.datetimes(datetime(2026, 11, 19), datetime(2026, 11, 22), timezones=st.just(UTC)),  # noqa: DTZ001 — bounds are naive by contract
    value=st.none() | st.floats(allow_nan=False),
    id=st.none() | st.sampled_from(["1", "2", "3"]),
)
batches = st.lists(events | st.just(Malformed(reason="broken", id=None)), max_size=20)


def a_row(event: MetricEvent | Exposure) -> Row:
    (item,) = sort([event], now=NOW, max_ahead=HOUR).items
    assert isinstance(item, Row)
    return item


def an_event(value: float | None = 1.0, at: datetime = NOW) -> MetricEvent:
    return MetricEvent(name="order", unit="u", at=at, value=value)


@given(batches)
def test_every_item_gets_exactly_one_verdict(batch: list[MetricEvent | Malformed]) -> None:
    result = sort(batch, now=NOW, max_ahead=HOUR)
    new = {row.event_id for row in result.rows}

    answers = verdicts(result.items, known=())

    assert len(answers) == len(batch)
    assert sum(verdict is Verdict.ACCEPTED for _, verdict, _ in answers) == len(new)
    assert all((reason is not None) == (verdict is Verdict.REJECTED) for _, verdict, reason in answers)


@given(batches)
def test_what_is_stored_already_is_repeated_never_accepted(batch: list[MetricEvent | Malformed]) -> None:
    result = sort(batch, now=NOW, max_ahead=HOUR)

    answers = verdicts(result.items, known={row.event_id for row in result.rows})

    assert all(verdict is not Verdict.ACCEPTED for _, verdict, _ in answers)


def test_the_first_of_equal_identifiers_wins() -> None:
    one, two = (MetricEvent(name="order", unit="u", at=NOW, value=v, id="same") for v in (1.0, 2.0))

    arrival = Arrival(new_id(), sort([one, two], now=NOW, max_ahead=HOUR))

    (row,) = distinct([arrival]).rows[arrival.environment_id].values()

    assert row.value == 1.0


def test_without_an_identifier_the_content_is_the_identity() -> None:
    assert a_row(an_event(1.0)).event_id == a_row(an_event(1.0)).event_id
    assert a_row(an_event(1.0)).event_id != a_row(an_event(2.0)).event_id


def test_a_clock_may_run_ahead_a_little_but_not_far() -> None:
    (near, far) = sort([an_event(at=NOW + HOUR), an_event(at=NOW + 2 * HOUR)], now=NOW, max_ahead=HOUR).items

    assert isinstance(near, Row)
    assert isinstance(far, Rejection)
    assert "lies in the future" in far.reason


def test_a_number_beyond_floating_point_is_rejected() -> None:
    (item,) = sort([an_event(float("inf"))], now=NOW, max_ahead=HOUR).items

    assert isinstance(item, Rejection)
    assert "not a finite number" in item.reason


def test_nul_is_rejected_before_it_reaches_the_database() -> None:
    event = MetricEvent(name="order", unit="a\x00b", at=NOW)

    (item,) = sort([event], now=NOW, max_ahead=HOUR).items

    assert isinstance(item, Rejection)
    assert "NUL" in item.reason


def test_a_moment_before_the_first_year_of_utc_is_rejected() -> None:
    early = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))

    (item,) = sort([an_event(at=early)], now=NOW, max_ahead=HOUR).items

    assert isinstance(item, Rejection)
    assert "before year 1" in item.reason


@pytest.mark.parametrize(("text", "is_stored"), [("\x00", False), ("\\\x00", False), ("\\u0000", True)])
def test_the_character_nul_is_told_from_its_description(text: str, is_stored: bool) -> None:
    event = MetricEvent(name="order", unit="u", at=NOW, properties={"path": text})

    (item,) = sort([event], now=NOW, max_ahead=HOUR).items

    assert isinstance(item, Row) is is_stored
