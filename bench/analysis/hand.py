"""The same questions as somebody who knows DuckDB would write them: the limit to be measured against."""

import duckdb

WINDOW = "INTERVAL 168 HOUR"
ASSIGNED = """
    SELECT unit, min(variant) AS arm, min("at") AS first_at
    FROM events WHERE kind = 'exposure' AND name = 'e'
    GROUP BY unit HAVING min(variant) = max(variant)
"""
METRICS = """
    avg((orders > 0)::INT), var_samp((orders > 0)::INT),
    avg(least(revenue, 500)), var_samp(least(revenue, 500)),
    avg(clicks), var_samp(clicks),
    avg(revenue), var_samp(revenue), covar_samp(revenue, clicks)
"""


def view(con: duckdb.DuckDBPyConnection, files: str) -> None:
    """Names the files."""
    con.execute(f"CREATE OR REPLACE TEMP VIEW events AS SELECT * FROM read_parquet('{files}')")  # noqa: S608


def events(con: duckdb.DuckDBPyConnection) -> object:
    """Four metrics in the week after each unit's first exposure."""
    return con.execute(f"""
        WITH assigned AS ({ASSIGNED}),
        sums AS (
            SELECT e.unit, count(*) FILTER (e.name = 'order') AS orders,
                   sum(e.value) FILTER (e.name = 'order') AS revenue,
                   count(*) FILTER (e.name = 'click') AS clicks
            FROM events e JOIN assigned a
              ON e.unit = a.unit AND e."at" >= a.first_at AND e."at" < a.first_at + {WINDOW}
            WHERE e.kind = 'event' AND e.name IN ('order', 'click')
            GROUP BY e.unit
        ),
        units AS (
            SELECT arm, coalesce(orders, 0) AS orders, coalesce(revenue, 0) AS revenue,
                   coalesce(clicks, 0) AS clicks
            FROM assigned LEFT JOIN sums USING (unit)
        )
        SELECT arm, count(*), {METRICS} FROM units GROUP BY arm
    """).fetchall()  # noqa: S608 — constants


def cuped(con: duckdb.DuckDBPyConnection) -> object:
    """The same with revenue in the week before exposure as a covariate."""
    return con.execute(f"""
        WITH assigned AS ({ASSIGNED}),
        sums AS (
            SELECT e.unit, count(*) FILTER (e.name = 'order' AND e."at" >= a.first_at) AS orders,
                   sum(e.value) FILTER (e.name = 'order' AND e."at" >= a.first_at) AS revenue,
                   count(*) FILTER (e.name = 'click' AND e."at" >= a.first_at) AS clicks,
                   sum(e.value) FILTER (e.name = 'order' AND e."at" < a.first_at) AS before
            FROM events e JOIN assigned a
              ON e.unit = a.unit AND e."at" >= a.first_at - {WINDOW} AND e."at" < a.first_at + {WINDOW}
            WHERE e.kind = 'event' AND e.name IN ('order', 'click')
            GROUP BY e.unit
        ),
        units AS (
            SELECT arm, coalesce(orders, 0) AS orders, coalesce(revenue, 0) AS revenue,
                   coalesce(clicks, 0) AS clicks, coalesce(before, 0) AS before
            FROM assigned LEFT JOIN sums USING (unit)
        )
        SELECT arm, count(*), {METRICS},
               avg(least(before, 500)), var_samp(least(before, 500)),
               covar_samp(least(revenue, 500), least(before, 500))
        FROM units GROUP BY arm
    """).fetchall()  # noqa: S608 — constants


def looks(con: duckdb.DuckDBPyConnection) -> object:
    """The four metrics at the end of every day so far, by what each day changes."""
    changes = ", ".join(
        f"sum({value}) AS s{number}"
        for number, value in enumerate(
            f"({now})::DOUBLE - CASE WHEN enters = 1 THEN 0 ELSE ({then}) END"
            for x, y in (
                ("(orders > 0)::INT", "1"), ("least(revenue, 500)", "1"), ("clicks", "1"), ("revenue", "1"),
                ("least(revenue, 500)", "least(revenue, 500)"), ("clicks", "clicks"), ("revenue", "revenue"),
                ("revenue", "clicks"),
            )
            for now, then in [tuple(f"{_of(x, when)} * {_of(y, when)}" for when in ("_now", "_then"))]
        )
    )  # fmt: skip
    return con.execute(f"""
        WITH assigned AS ({ASSIGNED}),
        days AS (
            SELECT e.unit, a.arm, e."at"::DATE AS day, 0 AS enters,
                   count(*) FILTER (e.name = 'order') AS orders,
                   coalesce(sum(e.value) FILTER (e.name = 'order'), 0) AS revenue,
                   count(*) FILTER (e.name = 'click') AS clicks
            FROM events e JOIN assigned a
              ON e.unit = a.unit AND e."at" >= a.first_at AND e."at" < a.first_at + {WINDOW}
            WHERE e.kind = 'event' AND e.name IN ('order', 'click')
            GROUP BY ALL
            UNION ALL SELECT unit, arm, first_at::DATE, 1, 0, 0, 0 FROM assigned
        ),
        walked AS (
            SELECT arm, day, enters, sum(orders) OVER w AS orders_now, sum(revenue) OVER w AS revenue_now,
                   sum(clicks) OVER w AS clicks_now, orders_now - orders AS orders_then,
                   revenue_now - revenue AS revenue_then, clicks_now - clicks AS clicks_then
            FROM days WINDOW w AS (PARTITION BY unit ORDER BY day, enters DESC ROWS UNBOUNDED PRECEDING)
        )
        SELECT arm, day, sum(enters), {changes} FROM walked GROUP BY arm, day
    """).fetchall()  # noqa: S608 — constants


def units(con: duckdb.DuckDBPyConnection, path: str) -> object:
    """Five metrics of a table of units by variances that do not cancel."""
    return con.execute(f"""
        SELECT variant, count(*), avg(bought), var_samp(bought), avg(revenue), var_samp(revenue),
               avg(visits), var_samp(visits), covar_samp(revenue, visits),
               avg(latency), var_samp(latency), avg(latency_before), var_samp(latency_before),
               covar_samp(latency, latency_before)
        FROM read_parquet('{path}') GROUP BY variant
    """).fetchall()  # noqa: S608 — our own path


def sums(con: duckdb.DuckDBPyConnection, path: str) -> object:
    """The sums of the five columns and nothing else: what reading them costs."""
    columns = ", ".join(
        f"sum({name})" for name in ("bought", "revenue", "visits", "latency", "latency_before")
    )
    return con.execute(f"SELECT {columns} FROM read_parquet('{path}')").fetchall()  # noqa: S608 — our own path


def _of(expression: str, when: str) -> str:
    for name in ("orders", "revenue", "clicks"):
        expression = expression.replace(name, f"{name}{when}")
    return expression
