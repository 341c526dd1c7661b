"""The calibration suite: every promise of this package as an experiment anyone can repeat on their
machine."""

from assay_stats.calibration.acceptance import Bounds, Kind, acceptance
from assay_stats.calibration.claims import Claim
from assay_stats.calibration.own_metric import claims_about
from assay_stats.calibration.report import Outcome, Report
from assay_stats.calibration.suite import CLAIMS, Progress, run

__all__ = [
    "CLAIMS",
    "Bounds",
    "Claim",
    "Kind",
    "Outcome",
    "Progress",
    "Report",
    "acceptance",
    "claims_about",
    "run",
]
