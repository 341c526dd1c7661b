"""Whether an experiment may start: gathers the facts that `checks` decides from."""

from assay.core.database import ReadSession
from assay.experiments import checks, repository, service
from assay.experiments.checks import Check, Facts
from assay.experiments.design import Arm
from assay.experiments.errors import NotReady
from assay.experiments.models import Experiment
from assay.experiments.overlaps import Other, Overlap, overlaps
from assay.flags import service as flags
from assay.metrics import service as metrics
from assay.projects import service as projects
from assay.shared.errors import Detail


async def facts_of(tx: ReadSession, project_key: str, experiment: Experiment) -> Facts:
    """What is known of a planned experiment and its surroundings."""
    environment: str = experiment.assignments["environment"]
    place = await projects.get_environment(tx, project_key, environment)
    plan = service.plan_of(experiment)
    measured = await metrics.require_all(tx, project_key, list(plan.metrics()))
    return Facts(
        experiment=experiment.key,
        environment=environment,
        arms=[Arm.model_validate(arm) for arm in experiment.arms],
        plan=plan,
        kinds={metric.key: metric.definition.kind for metric in measured},
        served=await flags.published_ruleset(tx, place.id),
        overlapping=await overlapping(tx, experiment),
    )


async def structural(tx: ReadSession, project_key: str, experiment: Experiment) -> list[Check]:
    """The checks that need no data."""
    return checks.structural(await facts_of(tx, project_key, experiment))


async def require(tx: ReadSession, project_key: str, experiment: Experiment) -> None:
    """Lets an experiment start that no check blocks.

    Raises:
        NotReady: `details` holds every check that does.
    """
    blocking = checks.blocking(await structural(tx, project_key, experiment))
    if blocking:
        first = blocking[0]
        more = f" (and {len(blocking) - 1} more)" if len(blocking) > 1 else ""
        raise NotReady(
            f"experiment {experiment.key!r} is not ready: {first.sentence} {first.way_out}{more}",
            value=experiment.key,
            details=[Detail(each.check, f"{each.sentence} {each.way_out}") for each in blocking],
        )


async def overlapping(tx: ReadSession, experiment: Experiment) -> list[Overlap]:
    """The running experiments of the same environment that meet an experiment's units."""
    others = [
        Other(row.key, row.state or "", service.plan_of(row))
        for row in await repository.running(tx, experiment.project_id)
        if _meets(row, experiment)
    ]
    return list(overlaps(service.plan_of(experiment), others))


def _meets(other: Experiment, experiment: Experiment) -> bool:
    return other.id != experiment.id and (
        other.assignments["environment"] == experiment.assignments["environment"]
    )
