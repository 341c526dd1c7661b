"""Schemathesis against the running API: no 5xx, and no answer outside the description."""

import subprocess
import sys
from pathlib import Path

import pytest

from journey_support import data_folder, running_assay
from support_commands import own_environment

# What the schema allows may still break a rule no schema can state, such as two arms of one name.
NOT_CHECKED = "positive_data_acceptance"


@pytest.mark.parametrize(
    "seconds", [15, pytest.param(300, marks=[pytest.mark.slow, pytest.mark.timeout(500)])]
)
def test_no_request_makes_the_api_fail_or_answer_outside_its_description(
    seconds: int, tmp_path: Path, database_url: str
) -> None:
    settings = {"ASSAY_DATABASE_URL": database_url}
    with data_folder() as data, running_assay(data, settings=settings) as assay:
        done = subprocess.run(
            [
                Path(sys.executable).with_name("st"), "run", f"{assay.url}/openapi.json",
                "--max-time", str(seconds), "--exclude-checks", NOT_CHECKED, "--warnings", "off",
                "--continue-on-failure", "--seed", str(seconds),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=own_environment(),
        )  # fmt: skip

    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    assert "Test cases:" in done.stdout
