"""Flags by the command line, against a running Assay."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from journey_support import RunningAssay, data_folder, running_assay

FLAG = {
    "key": "checkout",
    "type": "string",
    "variants": {"old": "a", "new": "b"},
    "rules": [
        {
            "id": "beta",
            "condition": {"attribute": "plan", "operator": "equals", "values": ["pro"]},
            "serve": {"variant": "new"},
        }
    ],
    "fallthrough": {"variant": "old"},
    "off": "old",
}


@pytest.fixture(scope="module")
def running() -> Iterator[RunningAssay]:
    with data_folder() as data, running_assay(data, settings={"ASSAY_WORKER_ENABLED": "false"}) as assay:
        yield assay


def flag(running: RunningAssay, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "assay", "flag", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"ASSAY_URL": running.url, "COLUMNS": "200", "NO_COLOR": "1"},
    )


def test_a_new_flag_is_made_published_and_read(running: RunningAssay) -> None:
    made = flag(running, "set", "banner", "--on", "--note", "hello")

    served = json.loads(flag(running, "get", "banner", "--format", "json").stdout)
    assert (made.returncode, made.stderr) == (0, "banner is published in production\n")
    assert '+ fallthrough  {"variant": "on"}' in made.stdout
    assert served["published"]["note"] == "hello"
    assert flag(running, "eval", "banner").stdout == "banner: true (variant on, STATIC)\n"


def test_a_flag_from_a_file_stays_a_draft_until_it_is_published(
    running: RunningAssay, tmp_path: Path
) -> None:
    file = tmp_path / "flag.json"
    file.write_text(json.dumps(FLAG), encoding="utf-8")
    asking = ("checkout", "-u", "u1", "-a", "plan=pro")

    flag(running, "set", "checkout", "--file", file, "--draft")
    before = flag(running, "eval", *asking)
    draft = flag(running, "explain", *asking, "--draft")
    difference = flag(running, "diff", "checkout")
    flag(running, "publish", "checkout")
    after = flag(running, "eval", *asking)

    assert "no flag 'checkout'" in before.stdout
    assert "rule 'beta'" in draft.stdout
    assert '+ off  "old"' in difference.stdout
    assert after.stdout == 'checkout: "b" (variant new, TARGETING_MATCH, rule beta)\n'


def test_a_flag_goes_off_and_back_in_one_word(running: RunningAssay) -> None:
    flag(running, "set", "switch", "--on")

    off = flag(running, "off", "switch")
    dark = flag(running, "eval", "switch")
    back = flag(running, "revert", "switch")

    assert off.stderr == "switch is off in production, revision 2\n"
    assert dark.stdout == "switch: false (variant off, DISABLED)\n"
    assert back.stderr == "switch is again as in revision 1; that is revision 3 now\n"
    assert "true" in flag(running, "eval", "switch").stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("get", "none"), "Error: project 'default' has no flag 'none'"),
        (("set", "many", "--rollout", "120%"), "Error: '120%' is not a share"),
        (("set", "Upper", "--on"), "Error: path.flag"),
        (("eval", "any", "--context", "[1]"), "Error: the context '[1]' is not a JSON object"),
    ],
)
def test_a_failure_is_one_sentence(running: RunningAssay, arguments: tuple[str, ...], sentence: str) -> None:
    done = flag(running, *arguments)

    assert done.returncode == 1
    assert done.stderr.startswith(sentence)
    assert "Traceback" not in done.stderr
