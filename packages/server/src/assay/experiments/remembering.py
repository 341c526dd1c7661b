"""First exposures of a sticky experiment, kept from its start until its rule is gone."""

from datetime import datetime

from assay.assignments import service as assignments
from assay.assignments.keeping import path_name
from assay.assignments.service import Kept
from assay.core.database import WriteSession
from assay.experiments.serving import Place
from assay.projects import service as projects


async def begin(tx: WriteSession, place: Place, *, since: datetime) -> None:
    """Has exposures of this phase settle which arm a unit keeps."""
    sticky = place.assigned.sticky
    if sticky is None:
        return
    environment = await projects.get_environment(tx, place.project, place.environment)
    kept = Kept(
        environment_id=environment.id,
        experiment=place.experiment,
        version=sticky.version,
        arms=[arm for arm, _ in place.assigned.arms],
        unit_kind=None if place.assigned.exposes is None else path_name(place.assigned.unit),
        since=since,
    )
    await assignments.keep(tx, kept)


async def end(tx: WriteSession, place: Place, *, at: datetime) -> None:
    """Says that no rule asks for the assignments any more, so that they may go."""
    if place.assigned.sticky is not None:
        environment = await projects.get_environment(tx, place.project, place.environment)
        await assignments.end(tx, environment.id, place.experiment, at=at)
