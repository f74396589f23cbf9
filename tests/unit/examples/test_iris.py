"""The example challenge is small, reproducible, and its submissions do what its README says."""

from __future__ import annotations

import gzip
import importlib.util
import io
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

from runner.store.submission_folder import check_folder, check_name

IRIS = Path(__file__).parents[3] / "examples" / "iris"
SUBMISSIONS = sorted(path for path in (IRIS / "submissions").iterdir() if path.is_dir())
ROOM_IN_A_COMPONENT_DOCUMENT = 8_000


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_kit_fits_into_an_image_component_document() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in ("problem.py", "data", "submissions/starting_kit"):
            archive.add(IRIS / name, name)
    assert len(gzip.compress(buffer.getvalue(), mtime=0)) < ROOM_IN_A_COMPONENT_DOCUMENT


def test_preparing_the_data_again_changes_nothing(tmp_path: Path) -> None:
    script = shutil.copy(IRIS / "prepare_data.py", tmp_path)
    subprocess.run([sys.executable, script], check=True)
    for name in ("train.csv", "test.csv"):
        assert (tmp_path / "data" / name).read_bytes() == (IRIS / "data" / name).read_bytes()


@pytest.mark.parametrize("folder", SUBMISSIONS, ids=lambda folder: folder.name)
def test_a_submission_can_be_submitted(folder: Path) -> None:
    check_name(folder.name, "submission")
    check_folder(folder)
    assert hasattr(load(folder / "estimator.py").get_estimator(), "fit")


def test_the_readme_names_every_submission() -> None:
    named = re.findall(r"^\| `(\w+)` \|", (IRIS / "README.md").read_text(), re.MULTILINE)
    assert sorted(named) == [folder.name for folder in SUBMISSIONS]


def test_the_careless_submission_raises() -> None:
    with pytest.raises(ValueError, match="could not convert label to float: 'setosa'"):
        load(IRIS / "submissions/raises/estimator.py").get_estimator().fit([[1.0]], ["setosa"])


def test_the_talkative_submission_prints_25_mb_a_fold(capsys: pytest.CaptureFixture[str]) -> None:
    load(IRIS / "submissions/floods/estimator.py").get_estimator().fit([[1.0], [2.0]], ["setosa", "virginica"])
    assert len(capsys.readouterr().out) == 25_000_000
