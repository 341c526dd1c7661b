"""However events arrive, the result is the same: repeated, out of order, in any batches, sealed or not."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import anyio.to_thread
import ibis
import pytest

from assay.analysis.experiment import analyze_events
from assay.events import buffer, ingest, service, upkeep
from assay.events.ingest import Arrival
from assay.events.wire import AnyEvent, Exposure, MetricEvent
from assay.sources.service import local_engine
from journey_support import figures
from lake_support import DAY, Lake

from .measuring import START, Row, a_metric, a_plan, event, exposure, table_of

pytestmark = pytest.mark.anyio
NOW = START + 300 * DAY
PLAN = a_plan(
    a_metric("bought", kind="proportion", event="order"),
    a_metric("spent", kind="mean", event="order", conversion_hours=60, cap_value=20.0, lookback_hours=48),
    a_metric("views", kind="count", event="view"),
    a_metric(
        "basket",
        kind="ratio",
        numerator={"event": "order"},
        denominator={"event": "view", "aggregate": "count"},
    ),
)


@dataclass(frozen=True, slots=True)
class Muddle:
    """Batches that share a commit, and what the keeper of the lake does after it."""

    commits: Sequence[Sequence[Sequence[AnyEvent]]]
    keeper: Sequence[str]


def muddled(rows: Sequence[Row], rng: random.Random) -> Muddle:
    """Days come in any order, so that most of them are late; a third of the events come again."""
    sent = [wired(row) for row in rows]
    sent += rng.sample(sent, len(sent) // 3)
    rng.shuffle(sent)
    cuts = sorted(rng.sample(range(1, len(sent)), 12))
    batches = [sent[low:high] for low, high in pairwise([0, *cuts, len(sent)])]
    together = rng.randrange(1, 5)
    commits = [batches[at : at + together] for at in range(0, len(batches), together)]
    return Muddle(commits, [rng.choice(["nothing", "seals", "seals and merges"]) for _ in commits])


def a_shop(rng: random.Random) -> list[Row]:
    """Sixty units over six days; one in seven meets two arms."""
    rows: list[Row] = []
    for number in range(60):
        unit = f"u{number}"
        for arm in "ab"[number % 2] + rng.choice("ab") * (number % 7 == 0):
            rows += [exposure(unit, arm, rng.randrange(0, 120) * 1.0)]
        for _ in range(rng.randrange(6)):
            rows.append(event("order", unit, rng.randrange(-48, 144) * 1.0, rng.randrange(3000) / 100))
            rows.append(event("view", unit, rng.randrange(-48, 144) * 1.0))
    return [{**row, "event_id": f"{number}"} for number, row in enumerate(rows)]


# Each seed is a history of its own, another muddle, and other moments of sealing.
@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(3, 60))]
)
async def test_repeated_reordered_split_and_merged_batches_never_change_a_result(
    lake: Lake, seed: int
) -> None:
    rng = random.Random(seed)
    rows = a_shop(rng)

    found = await arrived(lake, muddled(rows, rng))

    assert found == pytest.approx(plain(rows), rel=1e-12, abs=1e-12, nan_ok=True)


def plain(rows: Sequence[Row]) -> dict[str, float]:
    """The figures over a table of these rows, which nobody sent."""
    engine = local_engine()
    table = engine.create_table("events", ibis.memtable(table_of(rows)), temp=True)
    return figures(analyze_events({None: table}, PLAN, shows_sql=False).model_dump(mode="json"))


async def arrived(lake: Lake, muddle: Muddle) -> dict[str, float]:
    """The figures over what is stored once all of it has come."""
    for batches, keeper in zip(muddle.commits, muddle.keeper, strict=True):
        await commit(lake, batches)
        if keeper != "nothing":
            await lake.seal(now=NOW)
        if keeper == "seals and merges":
            async with buffer.leading(lake.database):
                await upkeep.tidy(lake.settings, lake.database, now=NOW)
    return await anyio.to_thread.run_sync(stored, lake)


def stored(lake: Lake) -> dict[str, float]:
    """The figures over what analysis reads of the lake and of the buffer."""
    engine, names = local_engine(), ["order", "view"]
    place = lake.environment_id
    with service.facts(
        lake.settings, lake.url, engine, environment_id=place, experiment="e", names=names
    ) as facts:
        return figures(analyze_events({None: facts.table}, PLAN, shows_sql=False).model_dump(mode="json"))


async def commit(lake: Lake, batches: Sequence[Sequence[AnyEvent]]) -> None:
    arrivals = [Arrival(lake.environment_id, ingest.sort(batch, now=NOW, max_ahead=DAY)) for batch in batches]
    await lake.database.write(lambda tx: service.store_together(tx, arrivals, now=NOW))


def wired(row: Row) -> AnyEvent:
    """The row as its sender sends it."""
    if row["kind"] == "exposure":
        return Exposure(row["name"], row["variant"], row["at"], unit=row["unit"], id=row["event_id"])
    return MetricEvent(row["name"], row["at"], unit=row["unit"], value=row["value"], id=row["event_id"])
