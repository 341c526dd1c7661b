"""Evaluations as OFREP 0.3.0 answers, in the shape that every released client reads.

Python's client breaks on a missing `variant` or `reason`, Java's on a missing `metadata`, JavaScript's on an
error without `key`: all of them are always there. A value is absent where the application's default applies.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from assay_engine import ErrorCode, Evaluation, Reason, Ruleset
from assay_engine.holdouts import arm_of
from assay_engine.model import Flag, Split
from assay_engine.values import Scalar

Headers = list[tuple[bytes, bytes]]

CORS: Headers = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", b"ETag, Retry-After"),
]
COMMON: Headers = [
    (b"content-type", b"application/json"),
    (b"x-content-type-options", b"nosniff"),
    *CORS,
]

_encode = msgspec.json.Encoder().encode


class Answer:
    """One possible evaluation of a snapshot, encoded once, with the messages that send it.

    Attributes:
        count: How often it was given since the last collection.
        split: The split whose unit met an experiment, for exposures.
        exposes: Whether the unit met an experiment or a holdout.
    """

    __slots__ = ("body", "count", "evaluation", "exposes", "message", "split", "start", "status")

    def __init__(self, evaluation: Evaluation, metadata: Mapping[str, Scalar], split: Split | None) -> None:
        self.evaluation = evaluation
        self.status = status_of(evaluation)
        self.body = encode(evaluation, metadata)
        self.start = start_message(self.status, self.body)
        self.message: dict[str, Any] = {"type": "http.response.body", "body": self.body}
        self.split = split if evaluation.is_exposure else None
        self.exposes = self.split is not None or bool(evaluation.holdouts)
        self.count = 0


def encode(evaluation: Evaluation, metadata: Mapping[str, Scalar]) -> bytes:
    """The evaluation as JSON: `evaluationSuccess` or `evaluationFailure`."""
    if evaluation.reason is Reason.ERROR:
        code = (evaluation.error_code or ErrorCode.GENERAL).value
        return failure(evaluation.flag_key, code, evaluation.error_message or code, metadata)
    answer: dict[str, Any] = {"key": evaluation.flag_key}
    if evaluation.variant is not None:
        answer["value"] = evaluation.value
    answer |= {"variant": evaluation.variant or "", "reason": evaluation.reason.value, "metadata": metadata}
    return _encode(answer)


def failure(key: str, code: str, details: str, metadata: Mapping[str, Scalar] | None = None) -> bytes:
    """Any failure, of a flag or of a whole request, as JSON."""
    return _encode({"key": key, "errorCode": code, "errorDetails": details, "metadata": metadata or {}})


def set_metadata(ruleset: Ruleset) -> dict[str, Scalar]:
    """What all flags of a ruleset share, in the words telemetry knows."""
    return {
        **ruleset.metadata,
        "flagSetId": ruleset.environment,
        "version": str(ruleset.revision),
    }


def flag_metadata(shared: Mapping[str, Scalar], flag: Flag, evaluation: Evaluation) -> dict[str, Scalar]:
    """Flat primitives only: the set's, the flag's own over it, and which rule and experiment decided.

    Who notes exposures elsewhere finds in `holdouts` which were met, as `first-quarter=open,search=held_out`.
    """
    decided: dict[str, Scalar | None] = {
        "ruleId": evaluation.rule_id,
        "experimentId": evaluation.experiment,
        "allocationId": evaluation.assignment,
        "holdoutId": evaluation.holdout,
        "holdouts": ",".join(f"{met.id}={arm_of(met)}" for met in evaluation.holdouts) or None,
    }
    return {
        **shared,
        **flag.metadata,
        **{name: value for name, value in decided.items() if value is not None},
    }


def status_of(evaluation: Evaluation) -> int:
    """The status of a single evaluation's answer."""
    if evaluation.reason is not Reason.ERROR:
        return 200
    return 404 if evaluation.error_code is ErrorCode.FLAG_NOT_FOUND else 400


def start_message(status: int, body: bytes, extra: Headers | None = None) -> dict[str, Any]:
    """The ASGI message that opens an answer with this body."""
    length = (b"content-length", str(len(body)).encode())
    headers = [*COMMON, length, *(extra or ())]
    return {"type": "http.response.start", "status": status, "headers": headers}
