"""The component documents do on a real shell what they promise, and may be run again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.event import EventConfig
from imagebuilder import catalogue
from tests.integration.imagebuilder.documents_on_bash import Bench

EXAMPLE = Path(__file__).parents[3] / "examples" / "iris"
MakeEvent = Callable[..., EventConfig]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "machine")


@pytest.fixture
def make_event(tmp_path: Path) -> MakeEvent:
    def make(**image: Any) -> EventConfig:
        return EventConfig.model_validate(
            {
                "path": tmp_path / "config.yml",
                "deployment": tmp_path,
                "state_root": tmp_path / ".rampart",
                "database_url": "sqlite://",
                "ramp": {
                    "problem_name": "iris",
                    "event_name": "iris",
                    **{name: tmp_path / name for name in ("kit_dir", "data_dir", "submissions_dir")},
                    **{name: tmp_path / name for name in ("predictions_dir", "logs_dir")},
                },
                "worker": {"worker_type": "aws"},
                "infra": {
                    "image": {"kit": {"folder": EXAMPLE}, "environment": "existing", "prefix": sys.prefix, **image}
                },
            }
        )

    return make


def test_the_example_is_built_twice_validated_and_passes_its_quick_test(bench: Bench, make_event: MakeEvent) -> None:
    components = catalogue.components(make_event())
    for phase in ("build", "build", "validate"):
        bench.run(components, phase)
    assert "Bagged scores" in bench.run(components, "test")
    layout = json.loads((bench.home / ".rampart" / "layout.json").read_text())
    kit = bench.prefix / "kits" / "iris"
    assert layout == {
        "kit_dir": str(kit),
        "data_dir": str(kit),
        "python": f"{sys.prefix}/bin/python",
        "ramp_test": f"{sys.prefix}/bin/ramp-test",
    }
    assert sorted(path.name for path in (kit / "submissions").iterdir()) == ["starting_kit"]
    assert [call.split()[-1] for call in bench.calls()] == ["update", "ca-certificates"] * 2


_APT_WITH_A_BUSY_LIST = """#!/bin/sh
echo "${0##*/} $*" >> "$BUILD_HOME/calls"
if [ "$(wc -l < "$BUILD_HOME/calls")" -lt 3 ]; then
  echo "E: $LISTS /var/lib/apt/lists/lock. It is held by process 1 (apt-get)" >&2
  exit 100
fi
"""


def test_packages_are_installed_once_the_first_boots_updates_let_go_of_apts_lists(
    bench: Bench, make_event: MakeEvent
) -> None:
    bench.stand_in("apt-get", _APT_WITH_A_BUSY_LIST)
    bench.stand_in("sleep", "#!/bin/sh\n")
    bench.environment["LISTS"] = "Could not get lock"
    bench.run(catalogue.components(make_event())[:1], "build")
    assert [call.split()[-1] for call in bench.calls()] == ["update", "update", "update", "ca-certificates"]


def test_package_lists_that_cannot_be_fetched_stop_the_build_at_once(bench: Bench, make_event: MakeEvent) -> None:
    bench.stand_in("apt-get", _APT_WITH_A_BUSY_LIST)
    bench.environment["LISTS"] = "Could not read"
    with pytest.raises(subprocess.CalledProcessError, match="exit status 1") as caught:
        bench.run(catalogue.components(make_event())[:1], "build")
    assert "E: Could not read" in caught.value.output
    assert len(bench.calls()) == 1


def test_an_environment_that_is_not_there_stops_the_build_in_one_sentence(bench: Bench, make_event: MakeEvent) -> None:
    environment = catalogue.components(make_event(prefix="/nowhere/env"))[2:3]
    with pytest.raises(subprocess.CalledProcessError) as caught:
        bench.run(environment, "build")
    assert caught.value.output == "no /nowhere/env/bin/python: see infra.image.prefix\n"


def test_a_kit_whose_problem_py_does_not_import_stops_the_build(bench: Bench, make_event: MakeEvent) -> None:
    components = catalogue.components(make_event())
    bench.run(components, "build")
    (bench.prefix / "kits" / "iris" / "problem.py").write_text("import nothing_of_that_name\n")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        bench.run(components, "validate")
    assert "No module named 'nothing_of_that_name'" in caught.value.output


@pytest.mark.parametrize("ref", ["HEAD", "v1", "main", "commit"])
def test_a_kit_comes_from_git_at_a_branch_a_tag_or_a_commit(
    bench: Bench, make_event: MakeEvent, tmp_path: Path, ref: str
) -> None:
    repository = tmp_path / "repository"
    commits = [commit(repository, content) for content in ("x = 1\n", "x = 2\n")]
    git(repository, "tag", "v1", commits[0])
    wanted = {"v1": commits[0], "commit": commits[0]}.get(ref, commits[1])
    event = make_event(kit={"git": f"file://{repository}", "ref": commits[0] if ref == "commit" else ref})
    components = catalogue.components(event)[1:2]
    for phase in ("build", "build", "validate", "test"):
        bench.run(components, phase)
    kit = bench.prefix / "kits" / "iris"
    assert (kit / ".digest").read_text().strip() == wanted
    assert (kit / "problem.py").read_text() == ("x = 1\n" if wanted == commits[0] else "x = 2\n")
    assert not (kit / ".git").exists()


def test_a_virtual_environment_holds_what_the_kit_requires_and_ramp_test(
    bench: Bench, make_event: MakeEvent, tmp_path: Path
) -> None:
    make_wheel(tmp_path, "ramp_workflow", "rampwf")
    make_wheel(tmp_path, "flower_tools", "flower_tools")
    bench.environment["PIP_FIND_LINKS"] = str(tmp_path)
    bench.stand_in("python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    kit = bench.prefix / "kits" / "iris"
    kit.mkdir(parents=True)
    (kit / "requirements.txt").write_text("flower-tools\n")
    components = catalogue.components(make_event(environment="venv", prefix="/opt/rampart/env"))[2:3]
    for phase in ("build", "validate", "test"):
        bench.run(components, phase)
    python = bench.prefix / "env" / "bin" / "python"
    subprocess.run([python, "-c", "import flower_tools, rampwf"], check=True)
    assert os.access(python.with_name("ramp-test"), os.X_OK)


def test_a_conda_environment_is_created_once_and_updated_after(bench: Bench, make_event: MakeEvent) -> None:
    kit, conda = bench.prefix / "kits" / "iris", bench.prefix / "miniforge" / "bin" / "conda"
    for folder in (kit, conda.parent):
        folder.mkdir(parents=True)
    (kit / "environment.yml").write_text("name: iris\n")
    conda.write_text(
        "#!/bin/sh\n"
        'echo "conda $*" >> "$BUILD_HOME/calls"\n'
        "mkdir -p env/conda-meta env/bin\n"
        f"ln -sf {sys.prefix}/bin/python {sys.prefix}/bin/ramp-test env/bin/\n"
    )
    conda.chmod(0o755)
    components = catalogue.components(make_event(environment="conda", prefix="/opt/rampart/env"))[2:3]
    for phase in ("build", "build", "test"):
        bench.run(components, phase)
    verbs = [call.split()[2] for call in bench.calls() if call.startswith("conda env")]
    assert verbs == ["create", "update"]


_CURL = """#!/bin/sh
for word; do
  case $word in
    *.sha256) name=${word##*/}; sha256sum "${name%.sha256}" > "$name" ;;
    https://*) cp "$BUILD_HOME/installer" "${word##*/}" ;;
  esac
done
"""
_INSTALLER = """set -eu
echo "a home: $HOME"
mkdir -p "$3/bin"
printf '#!/bin/sh\nmkdir -p env/bin\n: > env/bin/ramp-test\nchmod +x env/bin/ramp-test\n' > "$3/bin/conda"
chmod +x "$3/bin/conda"
"""


def test_miniforge_is_installed_where_the_build_has_no_home(bench: Bench, make_event: MakeEvent) -> None:
    (bench.prefix / "kits" / "iris").mkdir(parents=True)
    bench.stand_in("curl", _CURL)
    (bench.home / "installer").write_text(_INSTALLER)
    del bench.environment["HOME"]
    said = bench.run(catalogue.components(make_event(environment="conda", prefix="/opt/rampart/env"))[2:3], "build")
    assert "a home: /root\n" in said


def git(folder: Path, *words: str) -> str:
    """Run git in a folder with an identity and a configuration of its own."""
    options = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"]
    clean = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(
        ["git", *options, *words], cwd=folder, env=clean, check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(folder: Path, content: str) -> str:
    """Put problem.py with a content into a repository and give the commit."""
    if not folder.exists():
        folder.mkdir()
        git(folder, "init", "--quiet")
    (folder / "problem.py").write_text(content)
    git(folder, "add", "problem.py")
    git(folder, "commit", "--quiet", "-m", "change")
    return git(folder, "rev-parse", "HEAD")


def make_wheel(folder: Path, distribution: str, module: str) -> None:
    """Write the smallest wheel pip installs, with a program `ramp-test`."""
    info = f"{distribution}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{distribution}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{module}.py", "def main() -> None: ...\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        if module == "rampwf":
            wheel.writestr(f"{info}/entry_points.txt", f"[console_scripts]\nramp-test = {module}:main\n")
        wheel.writestr(f"{info}/RECORD", "")
