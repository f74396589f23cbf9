"""Actions do what the guide says, where a case that everybody runs does not show it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from imagebuilder.documents.actions import ACTIONS
from imagebuilder.running import actions

if TYPE_CHECKING:
    from tests.unit.imagebuilder.running.conftest import Bench

FOR_WINDOWS = {"ExecutePowerShell", "InstallMSI", "SetRegistry", "UninstallMSI"}


def test_every_action_is_done_or_is_for_windows_only() -> None:
    assert set(ACTIONS) == {*actions.KNOWN, "ExecuteDocument"} | FOR_WINDOWS
    assert not FOR_WINDOWS & set(actions.KNOWN)


def test_files_are_written_and_read_in_other_encodings(bench: Bench) -> None:
    path = bench.home / "wide"
    assert bench.do("CreateFile", {"path": str(path), "content": "a\u00fc", "encoding": "UTF-16"}) is None
    assert bench.do("AppendFile", {"path": str(path), "content": "b", "encoding": "utf16-LE"}) is None
    assert path.read_bytes() == "aüb".encode("utf-16-le")
    failure = bench.run(f"""      - name: Get
        action: ReadFile
        inputs: [{{path: '{path}', encoding: utf-16, printFileContent: true}}]
      - {{name: Tell, action: ExecuteBash, inputs: {{commands: ['echo "<{{{{ build.Get.outputs.content }}}}>"']}}}}
""")
    assert failure is None
    assert bench.printed == ["aüb", "<aüb>"]


def test_a_file_s_content_is_logged_on_demand_only(bench: Bench) -> None:
    (bench.home / "secret").write_text("hunter2")
    assert bench.do("ReadFile", {"path": str(bench.home / "secret")}) is None
    assert not [line for line in bench.log if "hunter2" in line]


def test_a_file_that_is_no_text_cannot_be_read(bench: Bench) -> None:
    (bench.home / "binary").write_bytes(b"\xff\xfe")
    failure = bench.do("ReadFile", {"path": str(bench.home / "binary")})
    assert failure is not None
    assert failure.reason.endswith("binary is no utf-8 text")


def test_a_file_changes_its_encoding_in_its_place(bench: Bench) -> None:
    path = bench.home / "file"
    path.write_text("ü")
    path.chmod(0o640)
    assert bench.do("SetFileEncoding", {"path": str(path), "encoding": "UTF-32-BE"}) is None
    assert path.read_bytes() == "ü".encode("utf-32-be")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [path.name for path in bench.home.iterdir()] == ["file"]


@pytest.mark.parametrize("action", ["SetFileOwner", "SetFolderOwner"])
def test_an_owner_brings_its_own_group(bench: Bench, monkeypatch: pytest.MonkeyPatch, action: str) -> None:
    path = bench.home / "it's"
    path.touch() if action == "SetFileOwner" else path.mkdir()
    programs = bench.home / "programs"
    programs.mkdir()
    (programs / "chown").write_text('#!/bin/sh\necho "$*"\n')
    (programs / "chown").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    owners = ({"owner": "maria"}, {"owner": "maria", "group": "staff"}, {"owner": 1000})
    assert bench.do(action, *({"path": str(path), **owner} for owner in owners)) is None
    deep = "-R " if action == "SetFolderOwner" else ""
    assert bench.printed == [f"{deep}-- {owner} {path}" for owner in ("maria:", "maria:staff", "1000")]


@pytest.mark.parametrize("action", ["SetFileOwner", "SetFilePermissions", "SetFolderOwner", "SetFolderPermissions"])
def test_what_is_not_there_cannot_be_changed(bench: Bench, action: str) -> None:
    change = {"owner": "root"} if "Owner" in action else {"permissions": "755"}
    failure = bench.do(action, {"path": str(bench.home / "none"), **change})
    assert failure is not None
    assert failure.reason == "exit code 1"


def test_updates_take_the_packages_asked_for_and_leave_others_alone(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("apt-get", "apt-mark"):
        (bench.home / name).write_text(f'#!/bin/sh\n[ "$1" = showhold ] || echo "{name} $*" >> "$HOME/calls"\n')
        (bench.home / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{bench.home}:{os.environ['PATH']}")
    wait = "apt-get -o DPkg::Lock::Timeout=600 -y"

    def calls(inputs: str) -> list[str]:
        (bench.home / "calls").unlink(missing_ok=True)
        assert bench.run(f"      - {{name: Update, action: UpdateOS, inputs: {inputs}}}\n") is None
        made = bench.home / "calls"
        return made.read_text().splitlines() if made.exists() else []

    assert calls("{}") == [f"{wait} update", f"{wait} upgrade"]
    assert calls("{include: [a, b], exclude: [b]}") == [
        *("apt-mark hold b", f"{wait} update", f"{wait} --only-upgrade install a", "apt-mark unhold b")
    ]
    assert calls("{include: [b], exclude: [b]}") == []


def test_objects_are_fetched_one_by_one_or_all_below_a_prefix(bench: Bench) -> None:
    big = os.urandom(200_000)
    bench.objects.table |= {("b", "data/x"): big, ("b", "data/deep/y"): b"", ("b", "data/"): b"", ("b", "other"): b""}
    (bench.home / "in").mkdir()
    one = {"source": "s3://b/data/x", "destination": f"{bench.home}/x", "expectedBucketOwner": "123456789012"}
    assert bench.do("S3Download", one, {"source": "s3://b/data/*", "destination": f"{bench.home}/in"}) is None
    assert (bench.home / "x").read_bytes() == big
    found = {str(path.relative_to(bench.home)) for path in bench.home.rglob("*") if path.is_file()}
    assert found == {"x", "in/x", "in/deep/y"}


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"source": "s3://b/none", "destination": "x"}, "s3://b/none cannot be read: no object none"),
        ({"source": "s3://b/none/*", "destination": "."}, "no object below s3://b/none/*"),
        ({"source": "s3://b/x", "destination": "no/such/folder"}, "exit code 1"),
        ({"source": "s3://b/x", "destination": "there", "overwrite": False}, "exit code 1"),
        ({"source": "s3://b/x", "destination": "y", "expectedBucketOwner": "1"}, "another account"),
        ({"source": "https://b/x", "destination": "y"}, "https://b/x is no S3 URI: s3://bucket/key"),
        ({"source": "s3://b/climbing/*", "destination": "."}, "leads out of the destination"),
    ],
)
def test_an_object_that_cannot_be_had_fails_the_step(bench: Bench, entry: dict[str, object], reason: str) -> None:
    bench.objects.table |= {("b", "x"): b"new", ("b", "climbing/../../x"): b""}
    (bench.home / "there").write_text("old")
    failure = bench.do("S3Download", {**entry, "destination": f"{bench.home}/{entry['destination']}"})
    assert failure is not None
    assert reason in failure.reason
    assert [path.name for path in bench.home.iterdir()] == ["there"]
    assert (bench.home / "there").read_text() == "old"


def test_files_folders_and_patterns_are_stored(bench: Bench) -> None:
    for name in ("a.csv", "b.csv", "c.txt", "deep/d.csv"):
        (bench.home / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (bench.home / "out" / name).write_text(name)
    entries: list[dict[str, object]] = [
        {"source": f"{bench.home}/out/a.csv", "destination": "s3://b/one"},
        {"source": f"{bench.home}/out/a.csv", "destination": "s3://b/into/"},
        {"source": f"{bench.home}/out/*.csv", "destination": "s3://b/some"},
        {"source": f"{bench.home}/out", "destination": "s3://b/all/", "recurse": True},
    ]
    assert bench.do("S3Upload", *entries) is None
    assert sorted(key for _, key in bench.objects.table) == [
        *("all/a.csv", "all/b.csv", "all/c.txt", "all/deep/d.csv"),
        *("into/a.csv", "one", "some/a.csv", "some/b.csv"),
    ]
    assert bench.objects.table["b", "all/deep/d.csv"] == b"deep/d.csv"


@pytest.mark.parametrize("source", ["none", "none*", "."])
def test_what_is_not_there_or_a_folder_is_not_stored(bench: Bench, source: str) -> None:
    failure = bench.do("S3Upload", {"source": f"{bench.home}/{source}", "destination": "s3://b/x"})
    assert failure is not None
    assert bench.objects.table == {}


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"source": "https://x", "checksum": "00"}, "a checksum needs an algorithm"),
        ({"source": "https://x", "algorithm": "MD5"}, "a checksum needs an algorithm"),
        ({"source": "file:///etc/passwd"}, "file:///etc/passwd is no address of the web"),
    ],
)
def test_a_download_that_makes_no_sense_is_not_tried(bench: Bench, entry: dict[str, object], reason: str) -> None:
    failure = bench.do("WebDownload", {**entry, "destination": f"{bench.home}/x"})
    assert failure is not None
    assert reason in failure.reason


def test_a_restart_may_wait(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (bench.home / "sleep").write_text('#!/bin/sh\n[ "$1" != 17 ] || touch "$HOME/slept"\n')
    (bench.home / "sleep").chmod(0o755)
    monkeypatch.setenv("PATH", f"{bench.home}:{os.environ['PATH']}")
    step = "      - {name: Later, action: Reboot, timeoutSeconds: -1, inputs: {delaySeconds: 17}}\n"
    assert bench.run(step) is None
    assert Path(bench.home / "slept").exists()
