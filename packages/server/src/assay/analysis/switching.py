"""Events of an experiment that assigned clusters: whose they are, and in a switchback of which window."""

from collections.abc import Mapping
from datetime import datetime

import ibis
from ibis.expr.types import Table, Value

from assay.analysis.plan import Clustering, Switching
from assay.analysis.properties import dialect_of, text_of

CLUSTER = "cluster"
BLOCK = "block"


def keyed(tables: Mapping[str | None, Table], clustering: Clustering | None) -> dict[str | None, Table]:
    """The tables with the columns that clusters need; in a switchback a unit is a cluster in one window."""
    if clustering is None:
        return dict(tables)
    return {key: _keyed(table, clustering) for key, table in tables.items()}


def by_cluster(table: Table) -> Table:
    """The keyed events with the cluster as their unit, for what is counted in clusters."""
    named = table.filter((table["kind"] != "exposure") | table[CLUSTER].notnull())
    return named.mutate(unit=named[CLUSTER].coalesce(named["unit"]))


def _keyed(table: Table, clustering: Clustering) -> Table:
    named = text_of(table["units"], clustering.kind, dialect=dialect_of(table))
    if clustering.switching is None:
        return table.mutate(**{CLUSTER: named})
    # Whoever names no other unit is the cluster itself.
    clustered = table.mutate(**{CLUSTER: named.coalesce(table["unit"])})
    return _in_windows(clustered, clustering.switching)


def _in_windows(table: Table, switching: Switching) -> Table:
    length, burn_in = switching.minutes * 60, switching.burn_in_minutes * 60
    anchor = _seconds(switching.anchor)
    # Counted from long before the anchor, since engines divide negative numbers each in their own way.
    first, since = anchor // length, table["at"].epoch_seconds().cast("int64") - anchor % length
    counted, inside = since // length, since % length
    block = (counted - first % switching.block) // switching.block
    marked = table.mutate(
        **{
            BLOCK: table[CLUSTER] + "@" + block.cast("string"),
            "unit": table[CLUSTER] + "@" + (counted - first).cast("string"),
            "inside": inside,
            "end": since - inside + anchor % length + length,
        }
    )
    kept = marked.filter(marked["inside"] >= burn_in)
    if switching.until is not None:
        kept = kept.filter(kept["end"] <= _seconds(switching.until))
    return kept.mutate(at=_moment(kept, burn_in)).drop("inside", "end")


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _moment(table: Table, burn_in: int) -> Value:
    """When an event counts as having happened: all exposures of a window at its begin, less the burn-in."""
    back = (table["inside"] - burn_in).as_interval("s")
    # In whole seconds, so that no event of the first one comes before the exposure.
    begun = table["at"].truncate("s") - back
    return ibis.ifelse(table["kind"] == "exposure", begun, table["at"])
