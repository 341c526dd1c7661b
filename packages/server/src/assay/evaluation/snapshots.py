"""A snapshot: one environment at one revision, compiled, with every answer encoded when it is first given."""

import hashlib
import time
import uuid
from bisect import bisect_right
from collections import Counter
from datetime import datetime

import msgspec

from assay.assignments.keeping import Keeping, all_keepings, keepings_of
from assay.evaluation.answers import Answer, flag_metadata, set_metadata
from assay.flags.references import dependents_of_each
from assay_engine import CompiledRuleset, Evaluation, InvalidRuleset, Ruleset, dumps, next_transition
from assay_engine.context import Context
from assay_engine.model import Serve, Split
from assay_engine.records import without_collecting
from assay_engine.results import flag_not_found
from assay_engine.rules.check import check_meaning, errors
from assay_engine.rules.compile import Walk, link
from assay_engine.windows import window_at

Served = tuple[str, str]
"""A flag's key and the name of a variant; an empty name where the application's default applied."""


class Snapshot:
    """What one environment serves at one revision; replaced as a whole, never changed.

    Attributes:
        version: Revision and digest of the datafile; equal versions serve equal answers, in any process.
        datafile: The ruleset in the engine's wire format.
        metadata: What all flags share, as a member of a bulk answer.
        keepings: What the answers of some flags rest on beside the context, by flag; most have no entry.
        all_keepings: The same of all flags together.
        loaded_at: When this process began to serve it, in seconds since the epoch.
    """

    __slots__ = (
        "_answers",
        "_metadata",
        "_walks",
        "all_keepings",
        "compiled",
        "datafile",
        "environment_id",
        "keepings",
        "loaded_at",
        "metadata",
        "revision",
        "seed",
        "version",
    )

    def __init__(
        self,
        environment_id: uuid.UUID,
        ruleset: Ruleset,
        datafile: bytes,
        *,
        earlier: "Snapshot | None",
        loaded_at: float,
    ) -> None:
        """Compile the ruleset: some milliseconds per hundred flags, so never on the event loop.

        Args:
            ruleset: As the datafile's parser gives it.
            datafile: What the parser read.
            earlier: The one it replaces; what has not changed is not compiled again.

        Raises:
            InvalidRuleset: The ruleset fails the engine's check.
        """
        self.environment_id = environment_id
        self.revision = ruleset.revision
        self.datafile = datafile
        self.compiled = _compiled(ruleset, earlier.compiled if earlier else None)
        self.keepings = _keepings(ruleset)
        self.all_keepings = all_keepings(ruleset)
        self.version = f"{ruleset.revision}-{hashlib.blake2b(datafile, digest_size=6).hexdigest()}"
        self.seed = f"{environment_id}/{self.version}".encode()
        self.loaded_at = loaded_at
        self._metadata = set_metadata(ruleset)
        self.metadata = b'"metadata":' + msgspec.json.encode(self._metadata) + b","
        self._walks: list[Walk] = list(self.compiled.walks.values())
        # A walk returns an evaluation made when compiling; the answer holds it, so its id stays its own.
        self._answers: dict[int, Answer] = {}

    def answer(self, key: str, context: Context, now: datetime) -> Answer:
        """One flag's answer."""
        walk = self.compiled.walks.get(key)
        if walk is None:
            return Answer(flag_not_found(key), self._metadata, None)
        evaluation = walk(context.values, now)
        return self._answers.get(id(evaluation)) or self._encoded(evaluation)

    def answers(self, context: Context, now: datetime) -> list[Answer]:
        """Every flag's answer, in the ruleset's order."""
        values, known = context.values, self._answers
        evaluations = [walk(values, now) for walk in self._walks]
        return [known.get(id(evaluation)) or self._encoded(evaluation) for evaluation in evaluations]

    def valid_until(self, now: datetime) -> datetime | None:
        """When time alone may next change an answer."""
        return next_transition(self.compiled, now)

    def mark(self, now: datetime) -> str:
        """The version and, where time alone will change an answer, when it next does.

        Who has seen the same mark has missed neither a publication nor the begin or end of a schedule.
        """
        following = self.valid_until(now)
        return self.version if following is None else f"{self.version}@{following.isoformat()}"

    def changed_between(self, earlier: datetime, later: datetime) -> bool:
        """Whether a schedule has begun or ended, or a window begun, after one moment and not the other."""
        moments = self.compiled.transitions
        if bisect_right(moments, earlier) < bisect_right(moments, later):
            return True
        return any(
            window_at(windows, earlier) < window_at(windows, later) for windows in self.compiled.windows
        )

    def collect(self) -> Counter[Served]:
        """How often each variant of each flag was given since the last collection."""
        counts: Counter[Served] = Counter()
        for answer in list(self._answers.values()):
            if answer.count:
                counts[answer.evaluation.flag_key, answer.evaluation.variant or ""] += answer.count
                answer.count = 0
        return counts

    def _encoded(self, evaluation: Evaluation) -> Answer:
        flag = self.compiled.flags[evaluation.flag_key]
        metadata = flag_metadata(self._metadata, flag, evaluation)
        answer = Answer(evaluation, metadata, self._split_of(evaluation))
        return self._answers.setdefault(id(evaluation), answer)

    def _split_of(self, evaluation: Evaluation) -> Split | None:
        flag = self.compiled.flags[evaluation.flag_key]
        served: list[Serve | None] = [rule.serve for rule in flag.rules if rule.id == evaluation.rule_id]
        serve = served[0] if served else flag.fallthrough
        return serve if isinstance(serve, Split) else None


def _keepings(ruleset: Ruleset) -> dict[str, tuple[Keeping, ...]]:
    own = {flag.key: kept for flag in ruleset.flags if (kept := tuple(keepings_of(flag)))}
    found: dict[str, dict[Keeping, None]] = {}
    for key, dependents in dependents_of_each(ruleset, own.keys()).items():
        for dependent in dependents:
            found.setdefault(dependent, {}).update(dict.fromkeys(own[key]))
    return {key: tuple(keepings) for key, keepings in found.items()}


def _compiled(ruleset: Ruleset, earlier: CompiledRuleset | None) -> CompiledRuleset:
    # Not `compile_ruleset`, which would write and read the ruleset once more: it came from a datafile.
    if problems := errors(check_meaning(ruleset)):
        raise InvalidRuleset(problems)
    return link(ruleset, earlier)


def build(
    environment_id: uuid.UUID,
    ruleset: Ruleset,
    datafile: bytes | None = None,
    earlier: Snapshot | None = None,
) -> Snapshot:
    """The snapshot of a ruleset, served from now on."""
    with without_collecting():
        written = dumps(ruleset) if datafile is None else datafile
        return Snapshot(environment_id, ruleset, written, earlier=earlier, loaded_at=time.time())
