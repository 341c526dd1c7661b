"""The command line as a user meets it, in processes of its own."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import jsonschema_rs
import pytest

from support_commands import assay

ROOT = Path(__file__).parents[4]
ROWS = "unit,arm,spent\n1,a,10\n2,a,0\n3,b,12\n4,b,14\n"
QUESTION = ["--unit", "unit", "--variant", "arm", "--control", "a"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "data.csv"
    path.write_text(ROWS, encoding="utf-8")
    return path


def test_analyze_prints_one_json_document(file: Path) -> None:
    done = assay("analyze", file, *QUESTION, "-m", "spent", "--format", "json", folder=file.parent)

    document = json.loads(done.stdout)
    assert document["metrics"][0]["comparisons"][0]["difference"]["estimate"] == 8.0
    assert done.stderr == ""


def test_the_document_fits_its_published_schema(file: Path) -> None:
    schema = json.loads((ROOT / "docs/reference/result.schema.json").read_text(encoding="utf-8"))

    done = assay("analyze", file, *QUESTION, "-m", "spent", "--format", "json", folder=file.parent)

    jsonschema_rs.validate(schema, json.loads(done.stdout))


def test_analyze_prints_a_table_for_people(file: Path) -> None:
    done = assay("analyze", file, *QUESTION, "-m", "spent", folder=file.parent)

    assert "spent — mean" in done.stdout
    assert "Sample ratio" in done.stdout


def test_a_figure_may_be_given_for_a_name_with_an_equals_sign(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_text(ROWS.replace(",b,", ",k=2,"), encoding="utf-8")

    done = assay(
        "analyze", file, *QUESTION, "-m", "spent", "--weight", "k=2=3", "--format", "json", folder=tmp_path
    )

    assert [arm["weight"] for arm in json.loads(done.stdout)["arms"]] == [1.0, 3.0]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-m", "revenue"], "Error: no column 'revenue'; the table has unit, arm, spent"),
        (["-m", "spent", "--cap", "spent=high"], "Error: spent='high' is not a number"),
        (["-m", "spent", "--ratio", "x"], "Error: 'x' is not of the form NAME=VALUE"),
        (
            ["-m", "spent", "--cap", "spent=0.5", "--cap", "spent=0.9"],
            "Error: 'spent' is given more than once",
        ),
        ([], "Error: no metric given"),
    ],
)
def test_a_mistake_is_one_sentence_and_no_traceback(file: Path, arguments: list[str], sentence: str) -> None:
    done = assay("analyze", file, *QUESTION, *arguments, folder=file.parent)

    assert done.returncode == 1
    assert done.stderr.startswith(sentence)
    assert done.stdout == ""


def test_a_server_that_does_not_answer_is_named_with_the_way_out(tmp_path: Path) -> None:
    done = assay("project", "list", "--url", "http://127.0.0.1:1", folder=tmp_path)

    assert done.returncode == 1
    assert "no Assay answers at http://127.0.0.1:1" in done.stderr
    assert "assay up" in done.stderr


def test_a_wrong_setting_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "assay.toml").write_text("port = 'many'", encoding="utf-8")

    done = assay("up", folder=tmp_path)

    assert done.returncode == 1
    assert done.stderr.startswith("Error: setting port ('many')")


def test_a_worker_of_its_own_needs_a_database_others_reach(tmp_path: Path) -> None:
    assert "needs ASSAY_DATABASE_URL" in assay("worker", folder=tmp_path).stderr


@pytest.mark.parametrize("command", [["up", "--port", "0"], ["worker"], ["db", "upgrade"]])
@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hunter2@127.0.0.1:1/assay",
        "postgresql://me:hunter2@nowhere.invalid/assay",
        "postgresql://me:hunter2@127.0.0.1:1:2/assay",
        "postgresql://me:hunter2@127.0.0.1:1/assay?colour=red",
    ],
)
def test_a_database_that_cannot_be_used_is_one_sentence_without_its_password(
    tmp_path: Path, command: list[str], url: str
) -> None:
    (tmp_path / ".env").write_text(f"ASSAY_DATABASE_URL={url}", encoding="utf-8")

    done = assay(*command, folder=tmp_path)

    assert done.returncode == 1
    assert done.stderr.startswith("Error: the database ")
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stderr


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = assay("up", "--port", str(port), "--data", tmp_path / "data", folder=tmp_path)

    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr


def test_verify_stats_reports_every_claim_and_control(tmp_path: Path) -> None:
    done = assay("verify-stats", "--scale", "0.02", "--format", "json", folder=tmp_path)

    report = json.loads(done.stdout)
    assert done.returncode == 0
    assert report["passed"]
    assert sum(outcome["must_fail"] for outcome in report["outcomes"]) >= 5


def test_verify_stats_needs_the_column_of_ones_own_metric(file: Path) -> None:
    done = assay("verify-stats", "--data", file, folder=file.parent)

    assert done.returncode == 1
    assert done.stderr.startswith("Error: --data needs --metric COLUMN")


def test_who_interrupts_it_while_it_is_loading_sees_no_traceback(tmp_path: Path) -> None:
    interrupted = """
import sys
from importlib.abc import MetaPathFinder

class Interrupting(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "typer":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupting())
from assay.__main__ import run
run()
"""
    done = subprocess.run(
        [sys.executable, "-c", interrupted], capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
