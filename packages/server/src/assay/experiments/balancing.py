"""A search for a balanced salt as a task, whose find is written into the plan of a DRAFT."""

import uuid
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import anyio.from_thread
import anyio.to_thread

from assay.core.clock import utc_now
from assay.core.database import Database, ReadSession, WriteSession
from assay.experiments import checks, freezing, lifecycle, readiness, service
from assay.experiments.lifecycle import Move
from assay.experiments.models import Experiment
from assay.experiments.plan import BalancedSalt, Plan
from assay.experiments.schemas import SaltOut, SaltRequest
from assay.flags.rewriting import By
from assay.jobs import service as jobs
from assay.jobs.schemas import TaskOut
from assay.jobs.worker import Handler, Task

KIND = "salt_search"
ACTOR = "salt search"


async def begin(tx: WriteSession, project: str, key: str, asked: SaltRequest, *, by: By) -> TaskOut:
    """Asks for a search; while one is at work for this experiment, that is the one.

    Raises:
        ExperimentNotFound, NotPlanned: There is nothing to search for.
        IllegalMove: It has started, and its salt with it.
    """
    experiment = await service.row_of(tx, project, key)
    lifecycle.move(service.state_of(experiment), Move.PLAN)
    arguments = {"project": project, "experiment": key, "asked": asked.model_dump(mode="json")}
    return await jobs.begin_next(tx, kind=KIND, subject=str(experiment.id), arguments=arguments, now=by.at)


async def poll(tx: ReadSession, project: str, key: str, task: uuid.UUID) -> TaskOut:
    """Where a search stands."""
    experiment = await service.row_of(tx, project, key)
    return await jobs.poll(tx, task, subject=str(experiment.id))


async def found(tx: ReadSession, project: str, key: str, task: uuid.UUID) -> SaltOut:
    """What a search has found.

    Raises:
        TaskNotFound, NotFinished, TaskFailed: There is nothing to tell, yet or at all.
    """
    experiment = await service.row_of(tx, project, key)
    return SaltOut.model_validate(await jobs.result(tx, task, subject=str(experiment.id)))


def handlers(database: Database) -> Mapping[str, Handler]:
    """The tasks this module can run."""

    async def look(task: Task) -> dict[str, Any]:
        project, key = task.arguments["project"], task.arguments["experiment"]
        asked = SaltRequest.model_validate(task.arguments["asked"])
        async with database.reading() as tx:
            experiment = await service.row_of(tx, project, key)
            facts = await readiness.facts_of(tx, project, experiment)
        salt = await anyio.to_thread.run_sync(partial(_searched, facts, experiment.control, asked, task))
        await database.write(partial(_keep, project=project, key=key, salt=salt))
        return salt.model_dump(mode="json")

    return {KIND: look}


async def _keep(tx: WriteSession, *, project: str, key: str, salt: BalancedSalt) -> None:
    """Writes the salt into the plan; one that has started meanwhile keeps its own."""
    experiment: Experiment = await service.locked(tx, project, key)
    lifecycle.move(service.state_of(experiment), Move.PLAN)
    stored = service.stored(service.plan_of(experiment))
    plan = Plan.model_validate(stored | {"balanced_salt": salt.model_dump()})
    by = By(ACTOR, utc_now(), f"{salt.tried} salts tried")
    await service.changed(tx, experiment, {"plan": service.stored(plan)}, action="balanced", by=by)


def _searched(facts: checks.Facts, control: str, asked: SaltRequest, task: Task) -> BalancedSalt:
    # Statistics are loaded by the first search, not by every start.
    from assay.experiments.salting import Search, search  # noqa: PLC0415

    assigned = checks.assigned(facts)
    names = sorted(asked.units[0].covariates)
    wanted = Search(
        units=[each.unit for each in asked.units],
        covariates={name: [each.covariates[name] for each in asked.units] for name in names},
        seed=asked.seed,
        share=asked.acceptable_share,
        tries=asked.tries,
    )

    def tell(number: int) -> None:
        anyio.from_thread.run(task.report, number / asked.tries, f"{number} salts tried")

    result = search(assigned, control, wanted, tell)
    return BalancedSalt(
        **asdict(result),
        seed=asked.seed,
        most=asked.tries,
        acceptable_share=asked.acceptable_share,
        covariates=names,
        units=len(asked.units),
        population=freezing.digest({"units": [each.model_dump(mode="json") for each in asked.units]}),
        arms={arm: weight for arm, weight in assigned.arms if weight > 0},
    )
