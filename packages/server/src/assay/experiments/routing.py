"""What the routes of experiments have in common."""

from typing import Annotated

from fastapi import Header, Path, Response

from assay.experiments.schemas import ExperimentOut
from assay.shared.ids import ExperimentName, Key

ProjectKey = Annotated[Key, Path(description="Key of the project.")]
ExperimentKey = Annotated[ExperimentName, Path(description="Key of the experiment.")]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", description="ETag of what the change was made from; required.")
]


def tagged(experiment: ExperimentOut, response: Response) -> ExperimentOut:
    """The experiment, whose version the answer's header tells too."""
    response.headers["ETag"] = experiment.etag
    return experiment
