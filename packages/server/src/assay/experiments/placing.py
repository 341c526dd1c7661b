"""Where a phase stands in what its environment serves."""

from assay.core.database import ReadSession
from assay.experiments import repository, switching
from assay.experiments.models import Epoch, Experiment, Phase
from assay.experiments.plan import Plan
from assay.experiments.serving import Place
from assay.experiments.splitting import Assigned
from assay_engine.model import Sticky


async def place_of(tx: ReadSession, project_key: str, experiment: Experiment, phase: Phase) -> Place:
    """Where the phase stands, by the plan as it was frozen: who is assigned what does not deviate.

    Of a bandit with the weights of its newest epoch.
    """
    plan = Plan.model_validate(phase.frozen["plan"])
    epoch = None if plan.bandit is None else await repository.latest_epoch(tx, phase.id)
    assigned = Assigned(
        experiment=experiment.key,
        name=experiment.name,
        salt=phase.salt,
        unit=plan.unit_path,
        arms=_arms(phase, epoch),
        filled=1.0,
        condition=plan.condition,
        layer=plan.layer,
        sticky=Sticky(**phase.frozen["sticky"]) if "sticky" in phase.frozen else None,
        exposes=plan.exposed_path,
        windows=switching.from_json(phase.frozen["windows"]) if "windows" in phase.frozen else None,
        has_gate=plan.bandit is not None,
    )
    environment: str = experiment.assignments["environment"]
    return Place(project_key, environment, plan.flag or "", plan, assigned, phase.coverage)


def _arms(phase: Phase, epoch: Epoch | None) -> list[tuple[str, float]]:
    weights = {} if epoch is None else epoch.weights
    return [(arm["key"], weights.get(arm["key"], arm["weight"])) for arm in phase.frozen["arms"]]
