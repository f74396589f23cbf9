"""The component documents do on a real shell what they promise, and may be run again."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts.event import EventConfig
from contracts.image import Provenance
from imagebuilder import catalogue, documents
from imagebuilder.catalogue import Component
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


def only(event: EventConfig, *roles: str) -> list[Component]:
    """Some of an event's components by what is theirs of the name."""
    found = {
        component.name.removeprefix(f"rampart-{event.name}-"): component for component in catalogue.components(event)
    }
    return [found[role] for role in roles]


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
    assert [call.split()[-1] for call in bench.calls()] == [
        *("update", "--with-new-pkgs", "chrony", "submission", "submission"),
    ] * 2
    assert (bench.etc / "localtime").readlink() == Path("/usr/share/zoneinfo/Etc/UTC")
    assert "PasswordAuthentication no" in (bench.etc / "ssh/sshd_config.d/00-rampart.conf").read_text().splitlines()


def test_the_image_tells_what_it_was_made_from(bench: Bench, make_event: MakeEvent) -> None:
    event = make_event()
    bench.run(only(event, "kit", "challenge"), "build")
    found = Provenance.read((bench.prefix / "provenance.json").read_text())
    assert found.recipe == catalogue.recipe_version(event)
    assert found.components == {each.name: each.version for each in catalogue.components(event)}
    assert found.kit == (bench.prefix / "kits/iris/.digest").read_text().strip()
    data = hashlib.sha256()
    for name in ("test.csv", "train.csv"):
        data.update(name.encode() + b"\0" + hashlib.sha256((EXAMPLE / "data" / name).read_bytes()).digest())
    assert found.data == data.hexdigest()


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
    bench.run(only(make_event(updates=False), "base"), "build")
    calls = [call.split()[-1] for call in bench.calls() if call.startswith("apt-get")]
    assert calls == ["update", "update", "update", "chrony"]


def test_package_lists_that_cannot_be_fetched_stop_the_build_at_once(bench: Bench, make_event: MakeEvent) -> None:
    bench.stand_in("apt-get", _APT_WITH_A_BUSY_LIST)
    bench.environment["LISTS"] = "Could not read"
    with pytest.raises(subprocess.CalledProcessError, match="exit status 1") as caught:
        bench.run(only(make_event(), "base"), "build")
    assert "E: Could not read" in caught.value.output
    assert len(bench.calls()) == 1


def test_an_environment_that_is_not_there_stops_the_build_in_one_sentence(bench: Bench, make_event: MakeEvent) -> None:
    environment = only(make_event(prefix="/nowhere/env"), "environment")
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
    components = only(event, "kit")
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
    components = only(make_event(environment="venv", prefix="/opt/rampart/env"), "python", "environment")
    for phase in ("build", "validate", "test"):
        bench.run(components, phase)
    python = bench.prefix / "env" / "bin" / "python"
    subprocess.run([python, "-c", "import flower_tools, rampwf"], check=True)
    assert os.access(python.with_name("ramp-test"), os.X_OK)


@pytest.mark.parametrize("lists", [["environment.yml"], ["ami_environment.yml", "environment.yml"]])
def test_a_conda_environment_is_created_once_and_updated_after(
    bench: Bench, make_event: MakeEvent, lists: list[str]
) -> None:
    kit, conda = bench.prefix / "kits" / "iris", bench.prefix / "miniforge" / "bin" / "conda"
    for folder in (kit, conda.parent):
        folder.mkdir(parents=True)
    for name in lists:
        (kit / name).write_text("name: iris\n")
    conda.write_text(
        "#!/bin/sh\n"
        'echo "conda $*" >> "$BUILD_HOME/calls"\n'
        "mkdir -p env/conda-meta env/bin\n"
        f"ln -sf {sys.prefix}/bin/python {sys.prefix}/bin/ramp-test env/bin/\n"
    )
    conda.chmod(0o755)
    components = only(make_event(environment="conda", prefix="/opt/rampart/env"), "environment")
    for phase in ("build", "build", "test"):
        bench.run(components, phase)
    calls = [call.split() for call in bench.calls() if call.startswith("conda env")]
    assert [call[2] for call in calls] == ["create", "update"]
    assert {Path(call[-1]).name for call in calls} == {lists[0]}


_CURL = """#!/bin/sh
for word; do
  case $word in https://*) cp "$BUILD_HOME/installer" "${word##*/}" ;; esac
done
"""
_INSTALLER = """set -eu
echo "a home: $HOME"
mkdir -p "$3/bin"
printf '#!/bin/sh\\necho "${0##*/} 1"\\n' | tee "$3/bin/conda" > "$3/bin/mamba"
chmod +x "$3/bin/conda" "$3/bin/mamba"
"""


def miniforge(event: EventConfig, content: str) -> list[Component]:
    """The component that installs Miniforge, if its installer were this one."""
    (component,) = only(event, "python")
    document = documents.parse(component.data, Path("python-conda.yml"))
    for name in ("ChecksumX86", "ChecksumArm"):
        document = documents.with_constant(document, name, hashlib.sha256(content.encode()).hexdigest())
    return [replace(component, data=documents.render(document))]


def test_miniforge_is_installed_where_the_build_has_no_home(bench: Bench, make_event: MakeEvent) -> None:
    bench.stand_in("curl", _CURL)
    (bench.home / "installer").write_text(_INSTALLER)
    del bench.environment["HOME"]
    components = miniforge(make_event(environment="conda", prefix="/opt/rampart/env"), _INSTALLER)
    assert "a home: /root\n" in bench.run(components, "build")
    assert bench.run(components, "validate") == "conda 1\nmamba 1\n"


def test_an_installer_of_another_content_is_never_run(bench: Bench, make_event: MakeEvent) -> None:
    bench.stand_in("curl", _CURL)
    (bench.home / "installer").write_text(_INSTALLER)
    with pytest.raises(subprocess.CalledProcessError) as caught:
        bench.run(only(make_event(environment="conda"), "python"), "build")
    assert "a home:" not in caught.value.output
    assert not (bench.prefix / "miniforge").exists()


def test_a_kit_comes_from_a_bucket_and_another_archive_is_refused(bench: Bench, make_event: MakeEvent) -> None:
    archive = bench.bucket / "challenges" / "kit.tar.gz"
    archive.parent.mkdir(parents=True)
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(EXAMPLE / "problem.py", "problem.py")
    checksum = hashlib.sha256(archive.read_bytes()).hexdigest()
    components = only(make_event(kit={"s3": "s3://challenges/kit.tar.gz", "sha256": checksum}), "kit")
    for phase in ("build", "build", "validate", "test"):
        bench.run(components, phase)
    assert [path.name for path in bench.prefix.iterdir()] == ["kits"]
    archive.write_bytes(archive.read_bytes() + b"\0")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        bench.run(components, "build")
    assert "another one than infra.image.kit.sha256 says" in caught.value.output


def test_private_data_of_a_bucket_join_the_kits_own_and_are_prepared(bench: Bench, make_event: MakeEvent) -> None:
    folder = bench.bucket / "challenges" / "iris" / "deep"
    folder.mkdir(parents=True)
    (folder / "labels.csv").write_text("1\n")
    (folder / "labels.csv").chmod(0o600)
    kit = bench.prefix / "kits" / "iris"
    (kit / "data").mkdir(parents=True)
    (kit / "data" / "train.csv").write_text("2\n")
    (kit / "prepare_data.py").write_text("open('data/all.csv', 'w').write(open('data/deep/labels.csv').read())")
    components = only(make_event(private_data={"s3": "s3://challenges/iris/"}), "private-data-s3")
    for phase in ("build", "build", "validate", "test"):
        bench.run(components, phase)
    data = {path.relative_to(kit).as_posix() for path in kit.rglob("*.csv")}
    assert data == {"data/all.csv", "data/deep/labels.csv", "data/train.csv"}
    assert (kit / "data" / "deep" / "labels.csv").stat().st_mode & 0o777 == 0o644
    assert [path.name for path in bench.prefix.iterdir()] == ["kits"]


def test_more_private_files_than_one_download_fetches_are_refused(bench: Bench, make_event: MakeEvent) -> None:
    folder = bench.bucket / "challenges" / "iris"
    folder.mkdir(parents=True)
    for number in range(1000):
        (folder / str(number)).touch()
    (bench.prefix / "kits" / "iris").mkdir(parents=True)
    with pytest.raises(subprocess.CalledProcessError) as caught:
        bench.run(only(make_event(private_data={"s3": "s3://challenges/iris/"}), "private-data-s3"), "build")
    assert "put those of s3://challenges/iris/ into an archive" in caught.value.output


_AWS = """#!/bin/sh
echo "aws $*" >> "$BUILD_HOME/calls"
printf '{"username": "ada@example.org", "password": "correct horse/battery"}\\n'
"""
_DOWNLOAD = """
import argparse, os, pathlib, subprocess
parser = argparse.ArgumentParser()
parser.add_argument("--private", action="store_true")
for name in ("--username", "--password"):
    parser.add_argument(name)
given = parser.parse_args()
assert given.private and given.password[::-1] == "yrettab/esroh tcerroc"
print("logging in with", given.password, flush=True)
subprocess.run(["echo", "the same from a child:", given.password])
lines = pathlib.Path("/proc/self/cmdline").read_bytes() + pathlib.Path("/proc/self/environ").read_bytes()
assert given.password.encode() not in lines
pathlib.Path.home().joinpath(".netrc").write_text(given.password)
LEFT
pathlib.Path("data").mkdir(exist_ok=True)
pathlib.Path("data/private.csv").write_text(given.username)
"""


def osf(bench: Bench, event: EventConfig, script: str) -> list[Component]:
    """Private data from osf.io, with a kit whose download_data.py is this one; only the bench itself is searched."""
    bench.stand_in("aws", _AWS)
    kit = bench.prefix / "kits" / "iris"
    kit.mkdir(parents=True)
    (kit / "download_data.py").write_text(script)
    (component,) = only(event, "private-data-osf")
    arn = "arn:aws:secretsmanager:eu-west-3:111122223333:secret:osf-AbCdEf"
    return [replace(component, parameters=component.parameters | {"LoginArn": arn, "SearchedFolders": str(bench.home)})]


def test_a_login_for_private_data_is_known_to_the_running_step_alone(bench: Bench, make_event: MakeEvent) -> None:
    event = make_event(private_data={"osf_secret": "osf"})
    components = osf(bench, event, _DOWNLOAD.replace("LEFT", ""))
    said = "".join(bench.run(components, phase) for phase in ("build", "validate", "test"))
    assert said == "logging in with ***\nthe same from a child: ***\n"
    assert (bench.prefix / "kits/iris/data/private.csv").read_text() == "ada@example.org"
    asked = "aws secretsmanager get-secret-value --secret-id {} --region eu-west-3 --query SecretString --output text"
    assert bench.calls() == [asked.format(components[0].parameters["LoginArn"])] * 2


@pytest.mark.parametrize("form", ["given.password", "__import__('urllib.parse').parse.quote(given.password, safe='')"])
def test_a_password_left_on_the_disk_stops_the_build_and_is_not_shown(
    bench: Bench, make_event: MakeEvent, form: str
) -> None:
    event = make_event(private_data={"osf_secret": "osf"})
    left = f"pathlib.Path({str(bench.home)!r}, 'history').write_text('osf login ' + {form})"
    components = osf(bench, event, _DOWNLOAD.replace("LEFT", left))
    bench.run(components, "build")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        bench.run(components, "validate")
    assert caught.value.output == f"the password is left in {bench.home}/history\n"


def test_a_download_that_fails_with_its_password_in_the_message_does_not_show_it(
    bench: Bench, make_event: MakeEvent
) -> None:
    event = make_event(private_data={"osf_secret": "osf"})
    components = osf(bench, event, _DOWNLOAD.replace("LEFT", "raise SystemExit(f'refused: {given}')"))
    with pytest.raises(subprocess.CalledProcessError) as caught:
        bench.run(components, "build")
    assert "refused: Namespace(" in caught.value.output
    assert "horse" not in caught.value.output


@pytest.mark.parametrize("answer", ["exit 255", "echo", "echo '[1]'"])
def test_a_secret_without_a_login_stops_the_build_in_one_sentence(
    bench: Bench, make_event: MakeEvent, answer: str
) -> None:
    components = osf(bench, make_event(private_data={"osf_secret": "osf"}), "")
    bench.stand_in("aws", f"#!/bin/sh\n{answer}\n")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        bench.run(components, "build")
    assert caught.value.output.count("\n") == 1
    assert caught.value.output.startswith("the secret ")


def test_a_kit_that_submissions_cannot_read_stops_the_build(bench: Bench, make_event: MakeEvent) -> None:
    event = make_event()
    bench.run(only(event, "kit"), "build")
    # what a user without rights would be told, whoever runs this test
    bench.stand_in("find", '#!/bin/sh\necho "$1/problem.py"\n')
    with pytest.raises(subprocess.CalledProcessError) as caught:
        bench.run(only(event, "ramp-test"), "validate")
    assert caught.value.output.splitlines() == [
        "the user submission cannot read:",
        f"{bench.prefix}/kits/iris/problem.py",
    ]


def test_dask_that_the_environment_has_is_left_alone_and_missing_there_it_is_told(
    bench: Bench, make_event: MakeEvent, tmp_path: Path
) -> None:
    programs = tmp_path / "env" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(sys.executable)
    components = only(make_event(dask=True, prefix=str(tmp_path / "env")), "dask")
    bench.prefix.mkdir()
    with pytest.raises(subprocess.CalledProcessError) as caught:
        bench.run(components, "build")
    assert caught.value.output == "the environment lacks dask and distributed, and it is not ours to write to\n"


def test_the_driver_and_its_kernel_headers_are_installed_by_their_branch(bench: Bench, make_event: MakeEvent) -> None:
    components = only(make_event(gpu=True, gpu_driver="570-server-open"), "gpu")
    said = "".join(bench.run(components, phase) for phase in ("build", "validate", "test"))
    assert bench.calls()[0].split()[-2:] == ["nvidia-headless-570-server-open", "nvidia-utils-570-server"]
    assert "packages are only recorded here" in said


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
    info = f"{distribution}-0.7.0.dist-info"
    with zipfile.ZipFile(folder / f"{distribution}-0.7.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{module}.py", "def main() -> None: ...\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 0.7.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        if module == "rampwf":
            wheel.writestr(f"{info}/entry_points.txt", f"[console_scripts]\nramp-test = {module}:main\n")
        wheel.writestr(f"{info}/RECORD", "")
