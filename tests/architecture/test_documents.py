"""What the documents say is true: pages follow from the code, links lead somewhere, commands exist."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

import generate
from assay.cli import app
from assay.core.config import Settings

ROOT = Path(__file__).parents[2]
PAGES = sorted(path for pattern in ("*.md", "docs/**/*.md", "packages/*/*.md") for path in ROOT.glob(pattern))


def test_reference_pages_say_what_the_code_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"]) == 0
    assert capsys.readouterr().out == ""


def test_stale_pages_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    with (tmp_path / "docs/layers.svg").open("a") as page:
        page.write("<!-- drawn by hand -->")

    code = generate.main(["--check", "--root", str(tmp_path)])
    stale = [line.partition(" ")[0] for line in capsys.readouterr().out.splitlines()]

    assert code == 1
    assert stale == [".env.example", "docs/layers.svg"]


def test_every_setting_stands_in_the_reference_and_the_example() -> None:
    variables = {f"ASSAY_{name.upper()}" for name in Settings.model_fields}

    reference = (ROOT / "docs/reference/settings.md").read_text()
    example = (ROOT / ".env.example").read_text()

    assert set(re.findall(r"^\| `(ASSAY_\w+)`", reference, re.MULTILINE)) == variables
    assert set(re.findall(r"^# (ASSAY_\w+)=", example, re.MULTILINE)) == variables


def test_every_link_between_pages_leads_somewhere() -> None:
    assert PAGES
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in links(page.read_text())
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_every_command_in_the_pages_exists() -> None:
    unknown = [
        f"{page.relative_to(ROOT)}: {line}"
        for page in PAGES
        for line in re.findall(r"uv run ((?:assay|task) [^`\n&]+)", page.read_text())
        if not command_exists(line.split())
    ]
    assert unknown == []


@pytest.mark.parametrize(
    "line",
    [
        "assay upp",
        "assay project",
        "assay project lst",
        "assay up --prt 1",
        "task serve-it",
        "task tests -- --assay",
        "assay analyze -q x",
    ],
)
def test_a_command_that_does_not_exist_is_seen(line: str) -> None:
    assert not command_exists(line.split())


def test_decisions_are_numbered_without_gap_or_repetition() -> None:
    files = sorted(path.name for path in (ROOT / "docs/decisions").glob("*.md"))

    assert [int(name[:4]) for name in files] == list(range(1, len(files) + 1))
    assert all(re.fullmatch(r"\d{4}(-[a-z0-9]+)+\.md", name) for name in files)


def test_a_decision_says_its_number_and_its_four_parts() -> None:
    for path in (ROOT / "docs/decisions").glob("*.md"):
        text = path.read_text()
        assert text.startswith(f"# {path.name[:4]} ")
        for part in ("Context", "Decision", "Consequences", "Alternatives"):
            assert re.search(rf"^(\*\*{part}\.\*\*|## {part}$)", text, re.MULTILINE), (path.name, part)


def links(text: str) -> list[str]:
    """The files a page of Markdown refers to, as they are written there."""
    targets: list[str] = re.findall(r"\]\(([^)\s]+)\)", text)
    return [target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:|#", target)]


def command_exists(words: list[str]) -> bool:
    """Whether the first words name a command of Assay or a task, and its options are known."""
    program, *rest = words
    if program == "task":
        return rest[0] in tasks() or rest[0].startswith("--")
    command: Any = get_command(app)
    while rest and rest[0] in getattr(command, "commands", {}):
        command, rest = command.commands[rest[0]], rest[1:]
    known = {option for parameter in command.params for option in parameter.opts}
    return (
        not hasattr(command, "commands") and {word for word in rest if re.match(r"--?[a-z]", word)} <= known
    )


def tasks() -> set[str]:
    """The names of the tasks."""
    return set(yaml.safe_load((ROOT / "Taskfile.yml").read_text())["tasks"])
