"""Settings come from the environment over `.env` over `assay.toml`."""

from pathlib import Path

import pytest

from assay.core.config import InvalidSettings, load_settings


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, plain_environment: pytest.MonkeyPatch) -> None:
    plain_environment.chdir(tmp_path)


def test_without_anything_the_defaults_hold() -> None:
    assert load_settings().port == 8000


def test_the_file_is_read() -> None:
    Path("assay.toml").write_text("port = 9001\n", encoding="utf-8")

    assert load_settings().port == 9001


def test_dotenv_beats_the_file() -> None:
    Path("assay.toml").write_text("port = 9001\n", encoding="utf-8")
    Path(".env").write_text("ASSAY_PORT=9002\nSOMEONE_ELSES=1\n", encoding="utf-8")

    assert load_settings().port == 9002


def test_the_environment_beats_dotenv(plain_environment: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("ASSAY_PORT=9002\n", encoding="utf-8")
    plain_environment.setenv("ASSAY_PORT", "9003")

    assert load_settings().port == 9003


def test_an_argument_beats_the_environment(plain_environment: pytest.MonkeyPatch) -> None:
    plain_environment.setenv("ASSAY_PORT", "9003")

    assert load_settings(port=9004).port == 9004


def test_a_wrong_value_is_named_with_the_way_out(plain_environment: pytest.MonkeyPatch) -> None:
    plain_environment.setenv("ASSAY_PORT", "many")

    with pytest.raises(InvalidSettings, match=r"setting port \('many'\).*ASSAY_PORT"):
        load_settings()


def test_a_misspelt_setting_in_the_file_is_refused() -> None:
    Path("assay.toml").write_text("prot = 9001\n", encoding="utf-8")

    with pytest.raises(InvalidSettings, match="prot"):
        load_settings()


def test_the_database_url_is_never_shown(plain_environment: pytest.MonkeyPatch) -> None:
    plain_environment.setenv("ASSAY_DATABASE_URL", "postgresql://me:hunter2@db/x")

    assert "hunter2" not in repr(load_settings())
