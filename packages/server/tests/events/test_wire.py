"""Reading batches: strict, and one bad item does not spoil the others."""

import json
from typing import Any

import pytest

from assay.events.errors import BatchTooLong, UnreadableBatch
from assay.events.wire import MAX_EVENTS, Exposure, Malformed, MetricEvent, read_batch, read_lines

AT = "2026-11-01T00:00:00Z"


def an_event(**parts: Any) -> dict[str, Any]:
    return {"kind": "event", "name": "order", "unit": "u", "at": AT} | parts


def read_one(**parts: Any) -> object:
    (event,) = read_batch(json.dumps([an_event(**parts)]).encode())
    return event


def test_an_exposure_and_an_event_are_told_apart() -> None:
    exposure = {"kind": "exposure", "experiment": "gate", "variant": "a", "unit": "u", "at": AT}

    first, second = read_batch(json.dumps([exposure, an_event(value=1)]).encode())

    assert isinstance(first, Exposure)
    assert isinstance(second, MetricEvent)
    assert second.value == 1.0


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"value": "12.5"}, "Expected `float | null`, got `str`"),
        ({"value": True}, "Expected `float | null`, got `bool`"),
        ({"at": "yesterday"}, "Invalid RFC3339"),
        ({"at": "2026-11-01T00:00:00"}, "timezone"),
        ({"unit": 5}, "Expected `str | null`, got `int`"),
        ({"unit": ""}, "length >= 1"),
        ({"unit": "x" * 201}, "length <= 200"),
        ({"kind": "click"}, "Invalid value 'click'"),
        ({"amount": 5}, "unknown field `amount`"),
        ({"properties": {"nested": {}}}, "got `object`"),
    ],
)
def test_what_is_not_an_event_says_why(parts: dict[str, Any], reason: str) -> None:
    event = read_one(id="mine", **parts)

    assert isinstance(event, Malformed)
    assert reason in event.reason
    assert event.id == "mine"


def test_one_bad_item_does_not_spoil_the_others() -> None:
    batch = [an_event(id="1"), {"nonsense": 1}, 5, None, an_event(id="2")]

    kinds = [type(event) for event in read_batch(json.dumps(batch).encode())]

    assert kinds == [MetricEvent, Malformed, Malformed, Malformed, MetricEvent]


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b"null", b"\xff\xfe", b"[{]", b'"x"'])
def test_a_body_that_is_no_array_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableBatch, match="not a JSON array"):
        read_batch(body)


def test_text_that_is_not_utf8_is_refused_item_by_item() -> None:
    bad = b'{"kind":"event","name":"\xff","unit":"u","at":"2026-11-01T00:00:00Z"}'

    with pytest.raises(UnreadableBatch):
        read_batch(b"[" + bad + b"]x")
    (event,) = read_batch(b"[" + bad + b"]")
    assert isinstance(event, Malformed)


def test_a_batch_has_an_upper_bound() -> None:
    body = json.dumps([an_event()] * (MAX_EVENTS + 1)).encode()

    with pytest.raises(BatchTooLong, match="10,001 events"):
        read_batch(body)


@pytest.mark.parametrize("depth", [2_000, 100_000])
def test_nesting_without_end_is_refused(depth: int) -> None:
    with pytest.raises(UnreadableBatch, match="not a JSON array"):
        read_batch(b"[" * depth + b"]" * depth)


@pytest.mark.parametrize("text", ['"\\ud800"', '{"a":"\\udc00"}', '{"a":NaN}', "-Infinity"])
def test_what_other_writers_of_json_let_through_spoils_one_item_only(text: str) -> None:
    bad = f'{{"kind":"event","name":"order","unit":{text},"at":"{AT}"}}'

    events = read_batch(f"[{json.dumps(an_event(unit='é'))},{bad}]".encode())

    assert [type(event) for event in events] == [MetricEvent, Malformed]
    assert isinstance(events[0], MetricEvent)
    assert events[0].unit == "é"


def test_lines_are_read_one_by_one() -> None:
    text = "\n".join([json.dumps(an_event(id="1")), "", json.dumps(an_event(id="2")) + "\r", ""])

    assert [type(event) for event in read_lines(text.encode())] == [MetricEvent, MetricEvent]
    assert read_lines(b"") == read_lines(b"\n \n") == []


@pytest.mark.parametrize("half", ['{"kind":"event","na', "5", "[]", '{"kind":"event"}\x00', "[" * 5_000])
def test_half_a_line_spoils_itself_only(half: str) -> None:
    text = "\n".join([json.dumps(an_event(id="1")), half, json.dumps(an_event(id="2"))])

    events = read_lines(text.encode())

    assert [type(event) for event in events] == [MetricEvent, Malformed, MetricEvent]
    assert isinstance(events[1], Malformed)
    assert events[1].body == half


def test_too_many_lines_are_refused() -> None:
    line = json.dumps(an_event()).encode() + b"\n"

    with pytest.raises(BatchTooLong, match="10,001 events"):
        read_lines(line * (MAX_EVENTS + 1))
    with pytest.raises(BatchTooLong, match="10,001 events"):
        read_lines(b"5\n" * (MAX_EVENTS + 1))


def test_units_of_several_kinds_are_read() -> None:
    event = read_one(unit=None, units={"user": "u", "device": "d"})

    assert isinstance(event, MetricEvent)
    assert event.units == {"user": "u", "device": "d"}


@pytest.mark.parametrize("units", [{}, {"user": ""}, {"user": 1}, {f"k{n}": "u" for n in range(11)}, ["u"]])
def test_units_that_are_none_are_refused(units: object) -> None:
    assert isinstance(read_one(units=units), Malformed)


@pytest.mark.parametrize("number", ["1e400", "-1E999999999", "1" * 400])
def test_a_number_beyond_floating_point_spoils_one_item(number: str) -> None:
    bad = f'{{"kind":"event","name":"order","unit":"u","at":"{AT}","value":{number}}}'

    events = read_batch(f"[{json.dumps(an_event())},{bad}]".encode())

    assert [type(event) for event in events] == [MetricEvent, Malformed]
