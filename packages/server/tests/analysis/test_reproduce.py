"""A result concludes to the same digits again, and a bundle that was changed is refused."""

import hashlib
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assay.analysis import bundle as bundles
from assay.analysis.bundle import Bundle, TamperedBundle, UnreadableBundle, load, save
from assay.analysis.experiment import complete, observe_events
from assay.analysis.methods import AlwaysValid, Reading
from assay.analysis.record import Record, Written, canonical, concluded, read, write
from assay.analysis.reproduce import reproduce
from assay.sources.service import local_engine
from support_engines import a_plan, write_events


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    path = write_events(tmp_path_factory.mktemp("events") / "events.parquet", units=200)
    engine = local_engine()
    plan = replace(a_plan(), reading=Reading(AlwaysValid()))
    return observe_events({None: complete(engine.read_parquet(str(path)))}, plan)


@pytest.fixture
def exported(record: Record, tmp_path: Path) -> Path:
    path = tmp_path / "bundle.zip"
    save(Bundle(concluded(record), write(record)), path)
    return path


def test_a_record_is_read_as_it_was_written(record: Record) -> None:
    written = write(record)

    again = write(read(Written(json.loads(json.dumps(written.structure)), written.numbers)))

    assert again.structure == written.structure
    np.testing.assert_array_equal(again.numbers, written.numbers)


def test_a_bundle_is_reproduced_to_the_last_digit(exported: Path) -> None:
    found = reproduce(load(exported))

    assert found.difference is None
    assert found.numbers > 200
    assert found.content_hash == load(exported).document.content_hash


def test_the_same_result_is_the_same_file(record: Record, exported: Path, tmp_path: Path) -> None:
    save(Bundle(concluded(record), write(record)), tmp_path / "again.zip")

    assert (tmp_path / "again.zip").read_bytes() == exported.read_bytes()


def test_the_hash_depends_on_plan_data_and_digits(record: Record) -> None:
    other_plan = Record(replace(record.plan, alpha=0.1), record.collected)
    other_data = Record(record.plan, replace(record.collected, sql={}))

    hashes = {concluded(each).content_hash for each in (record, other_plan, other_data)}

    assert len(hashes) == 3


def test_a_changed_member_is_refused(exported: Path) -> None:
    rewrite(exported, bundles.DOCUMENT, lambda content: content.replace(b'"alpha":0.05', b'"alpha":0.01'))

    with pytest.raises(TamperedBundle, match=r"document\.json .* was changed after the export"):
        load(exported)


def test_a_changed_digit_with_a_manifest_to_match_is_named(exported: Path) -> None:
    honest = load(exported).document
    p_value = honest.metrics[0].comparisons[0].p_value
    change(exported, lambda plain: plain["metrics"][0]["comparisons"][0].update(p_value=0.001))

    found = reproduce(load(exported))

    assert found.difference == (
        f"/metrics/0/comparisons/0/p_value is 0.001 in the document and {p_value!r} again"
    )


def test_a_forged_hash_is_refused(exported: Path) -> None:
    change(exported, lambda plain: plain.update(content_hash="0" * 64))

    with pytest.raises(TamperedBundle, match="content hash is not that of its digits"):
        reproduce(load(exported))


@pytest.mark.parametrize("content", [b"", b"not a zip", None])
def test_what_is_no_bundle_says_so(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.zip"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(UnreadableBundle, match="is not a bundle of a result"):
        load(path)


def change(path: Path, by: Callable[[dict[str, Any]], object]) -> None:
    """Changes the document and lets the manifest agree with it."""

    def changed(content: bytes) -> bytes:
        plain: dict[str, Any] = json.loads(content)
        by(plain)
        return canonical(plain)

    rewrite(path, bundles.DOCUMENT, changed, is_consistent=True)


def rewrite(path: Path, member: str, by: Callable[[bytes], bytes], *, is_consistent: bool = False) -> None:
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents[member] = by(contents[member])
    if is_consistent:
        manifest: dict[str, Any] = json.loads(contents[bundles.MANIFEST])
        manifest["sha256"][member] = hashlib.sha256(contents[member]).hexdigest()
        contents[bundles.MANIFEST] = canonical(manifest)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
