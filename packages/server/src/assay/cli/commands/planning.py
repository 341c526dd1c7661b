"""`assay experiment power` and `recommend`."""

import json
from collections.abc import Mapping
from typing import Any

from rich.text import Text

from assay.cli.commands.experiment import Subject
from assay.cli.console import Format, out, print_json, table
from assay.shared.numbers import number


def power(subject: Subject, units_per_day: float | None, *, output: Format) -> None:
    """Prints what each metric of a plan needs."""
    body = {"units_per_day": units_per_day}
    found = subject.place.run(lambda client: client.post(f"{subject.address}/power", body))
    if output is Format.JSON:
        print_json(json.dumps(found, indent=2))
        return
    rows = [
        [
            need["metric"],
            need["role"],
            f"{number(need['mean'])} ± {number(need['variance'] ** 0.5)}",
            need["source"],
            number(need["effect"]),
            _count(need["units"]),
            _count(need["days"]),
            number(need["detectable"]),
        ]
        for need in found["needs"]
    ]
    columns = ["metric", "role", "mean ± sd", "from", "effect", "units", "days", "detectable"]
    out.print(table(_pace(found), columns, rows))
    out.print(Text(found["sentence"]))


def recommend(subject: Subject, body: Mapping[str, Any], *, output: Format) -> None:
    """Prints what each method costs, and which one to take."""
    found = subject.place.run(lambda client: client.post(f"{subject.address}/recommendation", dict(body)))
    if output is Format.JSON:
        print_json(json.dumps(found, indent=2))
        return
    rows = [
        [
            each["method"] + (" ←" if each["method"] == found["recommended"] else ""),
            _count(each["units"]),
            _count(each["days"]),
            _count(each["expected_days"]),
            each["price"],
        ]
        for each in found["options"]
    ]
    out.print(
        table(_pace(found), ["method", "units at most", "days at most", "days if it works", "price"], rows)
    )
    out.print(Text(found["sentence"]))
    for each in found["priors"]:
        out.print(Text(each["sentence"]))


def _pace(found: Mapping[str, Any]) -> str:
    source = found["units_per_day_source"]
    return f"Units a day: {number(found['units_per_day'])}" + ("" if source is None else f" ({source})")


def _count(value: int | None) -> str:
    return "—" if value is None else f"{value:,}"
