"""Why a flag answers as it does, what a draft would change, and which flags nobody needs any more."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import anyio.to_thread

from assay.assignments import service as assignments
from assay.assignments.keeping import all_keepings
from assay.audit.diff import Change, changes
from assay.core.database import ReadSession
from assay.flags import documents, drafts, references, repository
from assay.flags.documents import Texts
from assay.flags.drafts import Here
from assay.flags.models import FlagRevision, FlagRow
from assay.flags.schemas import ExplanationOut, ExplanationStep, StalenessOut, VariantCount
from assay.projects import service as projects
from assay.shared import pagination
from assay_engine import CompiledRuleset, Context, Explanation, Flag, compile_ruleset, explain
from assay_engine.explain import Step
from assay_engine.parsing import flag_from_json
from assay_engine.writing import flag_to_json


@dataclass(frozen=True, slots=True)
class Comparison:
    """What an environment serves of a flag, and what it would after publishing a draft."""

    environment_id: uuid.UUID
    before: CompiledRuleset
    after: CompiledRuleset
    changes: tuple[Change, ...]
    experiments: tuple[str, ...]


async def compare(
    tx: ReadSession,
    project_key: str,
    key: str,
    environment_key: str,
    configuration: Mapping[str, Any] | None,
) -> Comparison:
    """The flag as it is served beside the flag with a configuration, or with its draft when that is None.

    Raises:
        MalformedFlag, Unpublishable: The configuration could not be published.
    """
    found = await drafts.here(tx, project_key, key, environment_key)
    wanted = found.draft if configuration is None else configuration
    flag = documents.compose(found.definition, wanted)
    served = await repository.served(tx, found.place.environment_id)
    after = served.with_flags({key: documents.text_of(flag)})
    return await anyio.to_thread.run_sync(_compared, found, flag, served, after)


async def explanation(
    tx: ReadSession,
    project_key: str,
    key: str,
    environment_key: str,
    context: Mapping[str, Any],
    *,
    draft: bool,
    now: datetime,
) -> ExplanationOut:
    """Why the flag has its answer for one context, with what the unit was assigned before."""
    if draft:
        compared = await compare(tx, project_key, key, environment_key, None)
        ruleset, environment_id = compared.after, compared.environment_id
    else:
        found = await drafts.here(tx, project_key, key, environment_key)
        environment_id = found.place.environment_id
        served = await repository.served(tx, environment_id)
        ruleset = await anyio.to_thread.run_sync(_compiled, served, key)
    (asking,) = await assignments.given_to(
        tx, environment_id, [Context.from_json(context)], all_keepings(ruleset.ruleset)
    )
    return _explained(explain(ruleset, key, asking, now=now))


async def staleness(
    tx: ReadSession,
    project_key: str,
    environment_key: str,
    *,
    quiet: timedelta,
    cursor: str | None,
    limit: int,
    now: datetime,
) -> tuple[list[StalenessOut], str | None]:
    """A page of the flags that are not archived, with what speaks for removing them from the code.

    Args:
        quiet: For how long a flag must not have been evaluated or changed.
    """
    environment = await projects.get_environment(tx, project_key, environment_key)
    rows = await repository.flags(
        tx, environment.project_id, matching=None, tag=None, archived=False, cursor=cursor, limit=limit
    )
    rows, following = pagination.split(rows, limit=limit)
    published = await repository.current_revisions(tx, environment.id, [row.id for row in rows])
    counted: dict[str, list[tuple[str, int, datetime]]] = {row.key: [] for row in rows}
    for key, variant, count, last_at in await repository.evaluations(tx, environment.id, list(counted)):
        counted[key].append((variant, count, last_at))
    report = [_staleness(row, published.get(row.id), counted[row.key], since=now - quiet) for row in rows]
    return report, following


def _compared(found: Here, flag: Flag, before: Texts, after: Texts) -> Comparison:
    ruleset = after.ruleset(environment=found.place.environment, revision=0)
    documents.check(ruleset)
    touched = references.dependents(ruleset, {flag.key})
    flags = [each for each in ruleset.flags if each.key in touched]
    if found.served is not None:
        flags.append(flag_from_json(found.served))
    difference = changes(found.served, flag_to_json(flag))
    names = {name for each in flags for name in references.experiments_of(each)} if difference else set[str]()
    return Comparison(
        environment_id=found.place.environment_id,
        before=_compiled(before, flag.key),
        after=compile_ruleset(references.only(ruleset, {flag.key})),
        changes=difference,
        experiments=tuple(sorted(names)),
    )


def _compiled(texts: Texts, key: str) -> CompiledRuleset:
    return compile_ruleset(references.only(texts.ruleset(environment="", revision=0), {key}))


def _explained(found: Explanation) -> ExplanationOut:
    answer = found.evaluation
    return ExplanationOut.model_validate(
        {
            "flag": answer.flag_key,
            "value": answer.value,
            "variant": answer.variant,
            "reason": answer.reason.value,
            "rule": answer.rule_id,
            "experiment": answer.experiment,
            "is_exposure": answer.is_exposure,
            "error_code": answer.error_code and answer.error_code.value,
            "error_message": answer.error_message,
            "steps": [_step(step) for step in found.steps],
        }
    )


def _step(step: Step) -> ExplanationStep:
    return ExplanationStep(text=step.text, holds=step.holds, parts=[_step(part) for part in step.parts])


def _staleness(
    row: FlagRow,
    published: FlagRevision | None,
    counted: list[tuple[str, int, datetime]],
    *,
    since: datetime,
) -> StalenessOut:
    last_evaluated = max((at for _, _, at in counted), default=None)
    last_changed = published.at if published else row.created_at
    variants = references.servable(flag_from_json(published.document)) if published else set[str | None]()
    only = next(iter(variants)) if len(variants) == 1 else None
    reasons = _reasons(published is not None, only, last_evaluated, since) if last_changed < since else []
    return StalenessOut(
        key=row.key,
        published=published is not None,
        last_evaluated_at=last_evaluated,
        last_changed_at=last_changed,
        only_variant=only,
        served=[VariantCount(variant=variant, count=count) for variant, count, _ in counted],
        stale=bool(reasons),
        reasons=reasons,
    )


def _reasons(
    published: bool,
    only: str | None,
    last_evaluated: datetime | None,
    since: datetime,
) -> list[str]:
    reasons: list[str] = []
    if not published:
        reasons.append("never published here")
    elif last_evaluated is None:
        reasons.append("never evaluated here")
    elif last_evaluated < since:
        reasons.append(f"last evaluated on {last_evaluated.date().isoformat()}")
    if only is not None:
        reasons.append(f"serves only {only!r}")
    return reasons
