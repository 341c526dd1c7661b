"""The first five minutes of the README, run as they stand."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ASSAY = [str(Path(sys.executable).with_name("assay"))]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_first_five_minutes_end_in_a_result(tmp_path: Path) -> None:
    (script,) = re.findall(r"test_readme\.py -->\n```bash\n(.+?)```", README, re.DOTALL)

    with assay_up(tmp_path / "log") as url:
        answers = run_script(script.replace("http://127.0.0.1:8000", url))

    assert [answer.get("key") for answer in answers[:4]] == ["shop", "conversion", "revenue", "checkout"]
    assert (answers[4]["accepted"], answers[4]["rejected"]) == (9, 0)
    assert answers[5]["state"] == "PENDING"
    arms = answers[6]["document"]["arms"]
    assert [(arm["arm"], arm["units"]) for arm in arms] == [("old", 3), ("new", 3)]
    metrics = answers[6]["document"]["metrics"]
    assert [metric["metric"] for metric in metrics] == ["conversion", "revenue"]


def test_the_example_file_is_analysed_as_the_readme_says() -> None:
    (line,) = re.findall(r"^uv run assay (analyze .+)$", README, re.MULTILINE)

    command = [*ASSAY, *line.split(), "--format", "json"]
    document = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout)

    assert [(arm["arm"], arm["units"]) for arm in document["arms"]] == [("old", 289), ("new", 311)]
    assert [metric["kind"] for metric in document["metrics"]] == ["proportion", "mean"]


def run_script(script: str) -> list[dict[str, Any]]:
    """What the script's commands print: JSON objects, one after another."""
    command = ["bash", "-euo", "pipefail", "-c", script]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    decoder, answers, rest = json.JSONDecoder(), list[dict[str, Any]](), finished.stdout
    while rest:
        answer, end = decoder.raw_decode(rest)
        answers.append(answer)
        rest = rest[end:].lstrip()
    return answers


@contextmanager
def assay_up(log: Path) -> Generator[str]:
    """The URL of a running `assay up` with its data in a folder of its own."""
    # Not below pytest's own folders, which are private to root when root runs the tests.
    with tempfile.TemporaryDirectory(prefix="assay-") as data:
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*ASSAY, "up", "--port", "0", "--data", data],
                stderr=output,
                env={**os.environ, "COLUMNS": "300"},
            )
        try:
            yield wait_for_url(log, process)
        finally:
            process.send_signal(signal.SIGTERM)
            ended = process.wait(timeout=30)
            # Shown by pytest when something failed.
            sys.stderr.write(log.read_text(encoding="utf-8"))
        assert ended == 0


def wait_for_url(log: Path, process: subprocess.Popen[bytes]) -> str:
    """The address it printed, once it answers there."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(r"answers at (http://\S+)", log.read_text(encoding="utf-8"))
        if found is not None:
            httpx2.get(f"{found.group(1)}/ready").raise_for_status()
            return found.group(1)
        time.sleep(0.05)
    raise AssertionError(log.read_text(encoding="utf-8"))
