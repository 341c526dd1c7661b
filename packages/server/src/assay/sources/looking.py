"""What is asked of a table before it is analysed: is it there, what would it cost, what does it hold."""

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from assay.core.config import Settings
from assay.sources.connections import Definition
from assay.sources.engines.base import Engine
from assay.sources.engines.opening import Means
from assay.sources.errors import QueryTooLarge
from assay.sources.places import Allowed
from assay.sources.running import run
from assay.sources.schemas import CheckedColumn, EstimateOut, ProfileOut, SampleOut, TableCheckOut
from assay.sources.tables import Relation, Roles, columns_by_role, require_fit

IsCancelled = Callable[[], Awaitable[bool]]
# Of these a limit on rows does not lower the price.
PRICED_BY_TABLE = frozenset({"bigquery"})


def means_of(settings: Settings, *, timeout_seconds: float) -> Means:
    """What the server may use to open connections."""
    roots = [Path(root.strip()) for root in settings.source_roots.split(",") if root.strip()]
    return Means(allowed=Allowed(roots), timeout_seconds=timeout_seconds)


async def visible_tables(definition: Definition, means: Means) -> list[str]:
    """What can be seen through a connection; proves that it works."""
    return await run(definition, means, lambda engine: engine.tables())


async def check(definition: Definition, relation: Relation, roles: Roles, means: Means) -> TableCheckOut:
    """The columns of a table that is there and fits its roles.

    Raises:
        UnknownColumn, UnusableColumn: A role's column is missing or of the wrong type.
    """
    return await run(definition, means, partial(_checked, relation=relation, roles=roles))


async def estimate(
    definition: Definition, relation: Relation, roles: Roles, means: Means, *, max_bytes: int
) -> EstimateOut:
    """What reading the columns that have a role would cost."""
    columns = list(dict.fromkeys(columns_by_role(roles).values()))
    found = await run(definition, means, lambda engine: engine.estimate(relation, columns))
    return EstimateOut(
        rows=found.rows,
        scanned_bytes=found.scanned_bytes,
        allowed_bytes=max_bytes or None,
        basis=found.basis,
    )


async def sample(
    definition: Definition,
    relation: Relation,
    means: Means,
    *,
    rows: int,
    max_bytes: int,
    is_cancelled: IsCancelled,
) -> SampleOut:
    """Some rows of a table."""
    bound = max_bytes if definition.kind in PRICED_BY_TABLE else 0
    work = partial(_sampled, relation=relation, rows=rows, max_bytes=bound)
    return await run(definition, means, work, is_cancelled=is_cancelled)


async def profile(
    definition: Definition,
    relation: Relation,
    roles: Roles,
    means: Means,
    *,
    max_bytes: int,
    is_cancelled: IsCancelled,
) -> ProfileOut:
    """What the columns of a table hold."""
    work = partial(_profiled, relation=relation, roles=roles, max_bytes=max_bytes)
    return await run(definition, means, work, is_cancelled=is_cancelled)


def require_affordable(engine: Engine, relation: Relation, columns: list[str], *, max_bytes: int) -> None:
    """Refuses a query that would scan more than allowed, as far as the engine tells.

    Args:
        max_bytes: 0 sets no bound.
    Raises:
        QueryTooLarge: With both figures and the way out.
    """
    if not max_bytes:
        return
    expected = engine.estimate(relation, columns)
    if expected.scanned_bytes is not None and expected.scanned_bytes > max_bytes:
        raise QueryTooLarge(
            f"the query would scan {expected.scanned_bytes:,} bytes ({expected.basis}) and may scan "
            f"{max_bytes:,}; narrow the table by a SELECT or a smaller pattern, or raise the setting "
            "source_max_scan_bytes",
            value=expected.scanned_bytes,
        )


def _checked(engine: Engine, relation: Relation, roles: Roles) -> TableCheckOut:
    from assay.sources.reading import columns_of  # noqa: PLC0415 — Ibis takes half a second that serving never needs

    columns = columns_of(engine.table(relation))
    require_fit(roles, columns)
    by_column = {column: role for role, column in columns_by_role(roles).items()}
    return TableCheckOut(
        columns=[
            CheckedColumn(name=name, type=kinds.name, role=by_column.get(name))
            for name, kinds in columns.items()
        ]
    )


def _sampled(engine: Engine, relation: Relation, rows: int, max_bytes: int) -> SampleOut:
    from assay.sources import profile as first_look  # noqa: PLC0415 — as above

    table = engine.table(relation)
    require_affordable(engine, relation, list(table.columns), max_bytes=max_bytes)
    return first_look.sample(table, rows)


def _profiled(engine: Engine, relation: Relation, roles: Roles, max_bytes: int) -> ProfileOut:
    from assay.sources import profile as first_look  # noqa: PLC0415 — as above

    table = engine.table(relation)
    require_affordable(engine, relation, list(table.columns), max_bytes=max_bytes)
    return first_look.profile(table, columns_by_role(roles))
