"""Flags by the command line, against a running Assay."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from journey_support import RunningAssay, data_folder, running_assay
from support_commands import assay

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
def running(database_url: str) -> Iterator[RunningAssay]:
    settings = {"ASSAY_DATABASE_URL": database_url, "ASSAY_WORKER_ENABLED": "false"}
    with data_folder() as data, running_assay(data, settings=settings) as served:
        yield served


def flag(running: RunningAssay, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return assay("flag", *arguments, settings={"ASSAY_URL": running.url})


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


def test_a_segment_is_drafted_published_reverted_and_deleted(running: RunningAssay, tmp_path: Path) -> None:
    file = tmp_path / "staff.json"
    file.write_text(json.dumps({"id": "staff", "include": ["u1"], "description": "Us"}), encoding="utf-8")
    early = flag(running, "segment", "set", "staff", "--file", file, "--draft")
    made = flag(running, "segment", "set", "staff", "--file", file)
    file.write_text(json.dumps({"include": ["u2"]}), encoding="utf-8")

    flag(running, "segment", "set", "staff", "--file", file, "--draft")
    difference = flag(running, "segment", "diff", "staff")
    published = flag(running, "segment", "publish", "staff", "--note", "go")
    served = json.loads(flag(running, "segment", "get", "staff", "--format", "json").stdout)["published"]
    reverted = flag(running, "segment", "revert", "staff")
    listed = json.loads(flag(running, "segment", "list", "--format", "json").stdout)
    deleted = flag(running, "segment", "delete", "staff")
    gone = flag(running, "segment", "get", "staff")

    assert early.stderr.startswith("Error: 'production' has no segment 'staff' to draft a change of")
    assert (made.stdout, made.stderr) == ('+ include  ["u1"]\n', "staff is published in production\n")
    assert difference.stdout == published.stdout == '~ include  ["u1"] → ["u2"]\n'
    assert (served["document"]["include"], served["note"]) == (["u2"], "go")
    assert reverted.stderr == "staff is again as in revision 1; that is revision 3 now\n"
    own = [each for each in listed if each["key"] == "staff"]
    assert [(each["description"], each["include"]) for each in own] == [("Us", ["u1"])]
    assert deleted.stderr == "staff is deleted from production\n"
    assert gone.stderr == "Error: 'production' has no segment 'staff'\n"


def test_layers_and_holdouts_have_the_same_words(running: RunningAssay, tmp_path: Path) -> None:
    layer, holdout = tmp_path / "layer.json", tmp_path / "holdout.json"
    slices = [{"experiment": "buttons", "low": 0, "high": 5000}]
    layer.write_text(json.dumps({"slices": slices}), encoding="utf-8")
    holdout.write_text(json.dumps({"range": {"low": 0, "high": 500}, "experiments": []}), encoding="utf-8")

    made = [
        flag(running, "layer", "set", "shop", "--file", layer, "--format", "json"),
        flag(running, "holdout", "set", "quarter", "--file", holdout, "--format", "json"),
    ]
    again = flag(running, "layer", "set", "shop", "--file", layer)
    table = flag(running, "holdout", "list")
    deleted = [flag(running, "layer", "delete", "shop"), flag(running, "holdout", "delete", "quarter")]

    assert [json.loads(each.stdout)["published"]["document"]["bucketing"] for each in made] == [
        {"salt": "shop"},
        {"salt": "quarter"},
    ]
    assert again.stdout == "Nothing changes.\n"
    assert "quarter" in table.stdout
    assert [each.returncode for each in deleted] == [0, 0]


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


def test_drafts_are_previewed_before_they_are_published(running: RunningAssay, tmp_path: Path) -> None:
    members, rules = tmp_path / "members.json", tmp_path / "rules.json"
    members.write_text(json.dumps({"include": ["ann"]}), encoding="utf-8")
    friends = {"id": "in", "condition": {"segment": "friends"}, "serve": {"variant": "on"}}
    rules.write_text(
        json.dumps({"rules": [friends], "fallthrough": {"variant": "off"}, "off": "off"}), encoding="utf-8"
    )
    ann = ("--context", '{"targetingKey": "ann"}')

    flag(running, "segment", "set", "friends", "--file", members)
    flag(running, "set", "greeting", "--serve", "off", "--on")
    of_flag = flag(running, "preview", "greeting", "--file", rules, *ann)
    flag(running, "set", "greeting", "--file", rules)
    members.write_text(json.dumps({"include": ["bob"]}), encoding="utf-8")
    of_segment = flag(running, "segment", "preview", "friends", "--file", members, *ann)
    unknown = flag(running, "holdout", "preview", "quarter")
    wrong = flag(running, "preview", "greeting", "--context", "ann")

    assert (of_flag.returncode, of_segment.returncode) == (0, 0), of_flag.stderr + of_segment.stderr
    assert "~ ann: off → on\nExperiments touched: none\n" in of_flag.stdout
    assert of_segment.stdout.startswith('~ include  ["ann"] → ["bob"]\n')
    assert "~ ann, greeting: on → off\n" in of_segment.stdout
    assert "give the configuration it would have" in unknown.stderr
    assert "the context 'ann' is not JSON" in wrong.stderr
