"""`assay experiment archive`."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from rich.text import Text

from assay.cli.client import Client
from assay.cli.commands.experiment import every
from assay.cli.commands.flag import Place
from assay.cli.console import Format, out, print_json, table
from assay.shared.errors import Invalid
from assay.shared.numbers import percent


class InvalidDay(Invalid):
    """An option is not a day."""

    code = "invalid_day"


def archive(place: Place, query: Mapping[str, str | None], *, output: Format) -> None:
    """Prints experiments that are over, and beside a metric its effects together."""
    root = f"/api/v1/projects/{place.project}/archive"
    metric = query["metric"]

    async def work(client: Client) -> dict[str, Any]:
        items = await every(client, root, **query)
        past = "summary" if metric is None else f"metrics/{metric}"
        return {"items": items, "together": await client.get(f"{root}/{past}")}

    found = place.run(work)
    if output is Format.JSON:
        print_json(json.dumps(found, indent=2))
        return
    rows = [row for each in found["items"] for row in _rows(each)]
    out.print(table("", ["experiment", "outcome", "metric", "arm", "lift", "read by", "finding"], rows))
    (_summary if metric is None else _metric)(found["together"])


def day_of(text: str | None) -> str | None:
    """The first moment of a day, UTC.

    Raises:
        InvalidDay: It is none.
    """
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise InvalidDay(f"{text!r} is not a day such as 2026-01-31", value=text) from error
    return datetime(day.year, day.month, day.day, tzinfo=UTC).isoformat()


def _rows(each: Mapping[str, Any]) -> list[list[str]]:
    outcome = (each["outcome"] or "observed").replace("_", " ").lower()
    if not each["effects"]:
        return [[each["key"], outcome, "", "", "", "", "no result"]]
    return [
        [
            each["key"],
            outcome,
            effect["metric"],
            effect["arm"],
            _lift(effect),
            _method(effect),
            _word(effect["finding"]),
        ]
        for effect in each["effects"]
    ]


def _summary(found: Mapping[str, Any]) -> None:
    rows = [
        [each["metric"], str(each["effects"]), _rate(each["win_rate"]), _pooled(each), _prior(each["prior"])]
        for each in found["metrics"]
    ]
    title = f"{found['experiments']} experiments are over; shipped: {_rate(found['shipped'])}"
    out.print(table(title, ["metric", "effects", "win rate", "mean effect", "prior"], rows))


def _metric(found: Mapping[str, Any]) -> None:
    rows = [
        [
            each["experiment"],
            each["arm"],
            _lift(each),
            _method(each),
            percent(each["shrunk"]),
            _word(each["finding"]),
        ]
        for each in found["effects"]
    ]
    columns = ["experiment", "arm", "lift", "read by", "shrunken", "finding"]
    out.print(table(f"{found['metric']}: win rate {_rate(found['win_rate'])}", columns, rows))
    out.print(Text(found["sentence"]))
    if found["prior"] is not None:
        out.print(Text(f"Prior for the next experiment: {_prior(found['prior'])}"))


def _lift(effect: Mapping[str, Any]) -> str:
    return f"{percent(effect['lift'])} [{percent(effect['low'])}, {percent(effect['high'])}]"


def _method(effect: Mapping[str, Any]) -> str:
    return "one plain test" if effect["method"] is None else _word(effect["method"])


def _pooled(each: Mapping[str, Any]) -> str:
    found = each["together"]
    if found is None:
        return ""
    return f"{percent(found['pooled'])} [{percent(found['pooled_low'])}, {percent(found['pooled_high'])}]"


def _rate(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "unknown"
    return f"{found['wins']} of {found['trials']}, {found['low']:.0%} to {found['high']:.0%}"


def _prior(found: Mapping[str, Any] | None) -> str:
    return "" if found is None else f"{percent(found['mean'])} ± {percent(found['standard_deviation'])}"


def _word(term: str) -> str:
    return term.replace("_", " ")
