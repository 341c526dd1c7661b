from assay.analysis.differing import Novelty
from assay.analysis.undecided import undecided_trends


def a_trend(metric: str, problem: str | None) -> Novelty:
    return Novelty(
        metric=metric, arm="new", days_per_period=1, control_units=100, arm_units=100, effects=[], slope=None,
        low=None, high=None, level=0.99, p_value=None, finding="steady" if problem is None else "unknown",
        sentence="", problem=problem,
    )  # fmt: skip


def test_trends_without_an_answer_share_a_sentence_for_each_reason() -> None:
    trends = [
        a_trend("buyers", "too few units"),
        a_trend("clicks", None),
        a_trend("orders", "too few units"),
        a_trend("visits", "nothing happens"),
    ]

    of = "Whether effects change with the time since first exposure cannot be said of"
    assert undecided_trends(trends, lambda each: each.metric) == [
        f"{of} buyers; orders: too few units.",
        f"{of} visits: nothing happens.",
    ]
