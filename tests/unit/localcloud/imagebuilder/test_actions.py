"""Every action does on the machine what AWSTOE's does."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.imagebuilder import actions
from localcloud.imagebuilder.acting import ActionFailed, Outcome

if TYPE_CHECKING:
    from tests.unit.localcloud.imagebuilder.conftest import Bench


def do(bench: Bench, name: str, *items: dict[str, Any]) -> Outcome:
    return actions.perform(name, list(items), bench.shell())


def test_a_file_is_created_with_its_folders_and_permissions(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "a b" / "it's.txt"
    item = {"path": str(path), "content": "caf\N{LATIN SMALL LETTER E WITH ACUTE}\n", "permissions": "0640"}
    assert do(bench, "CreateFile", item).exit_code == 0
    assert path.read_text() == item["content"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_an_existing_file_is_kept_where_that_is_asked(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    item = {"path": str(path), "content": "new"}
    assert do(bench, "CreateFile", {**item, "overwrite": False}).exit_code == 1
    assert path.read_text() == "old"
    assert do(bench, "CreateFile", item).exit_code == 0
    assert path.read_text() == "new"


def test_the_encoding_of_a_file_can_be_chosen(bench: Bench, tmp_path: Path) -> None:
    do(bench, "CreateFile", {"path": str(tmp_path / "wide"), "content": "x", "encoding": "UTF-16"})
    assert (tmp_path / "wide").read_bytes() == b"x\0"
    with pytest.raises(ActionFailed, match="encoding"):
        do(bench, "CreateFile", {"path": str(tmp_path / "odd"), "encoding": "ebcdic"})


def test_text_is_appended_to_a_file_that_is_there(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert do(bench, "AppendFile", {"path": str(path), "content": "x"}).exit_code == 1
    path.write_text("a")
    assert do(bench, "AppendFile", {"path": str(path), "content": "b"}).exit_code == 0
    assert path.read_text() == "ab"


def test_a_folder_is_created_anew(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder"
    path.mkdir(parents=True)
    (path / "old").touch()
    assert do(bench, "CreateFolder", {"path": str(path), "overwrite": False}).exit_code == 1
    assert do(bench, "CreateFolder", {"path": str(path), "permissions": "700"}).exit_code == 0
    assert list(path.iterdir()) == []
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_files_are_copied_by_pattern_into_a_folder(bench: Bench, tmp_path: Path) -> None:
    for name in ("a 1", "a 2", "b"):
        (tmp_path / name).write_text(name)
    into = tmp_path / "into"
    assert do(bench, "CopyFile", {"source": f"{tmp_path}/a*", "destination": f"{into}/"}).exit_code == 0
    assert sorted(file.name for file in into.iterdir()) == ["a 1", "a 2"]
    assert do(bench, "CopyFile", {"source": f"{tmp_path}/none*", "destination": f"{into}/"}).exit_code == 1
    kept = {"source": f"{tmp_path}/b", "destination": f"{into}/a 1", "overwrite": False}
    assert do(bench, "CopyFile", kept).exit_code == 1
    assert (into / "a 1").read_text() == "a 1"


def test_a_file_is_moved(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "from").write_text("x")
    do(bench, "MoveFile", {"source": f"{tmp_path}/from", "destination": f"{tmp_path}/new/to"})
    assert (tmp_path / "new" / "to").read_text() == "x"
    assert not (tmp_path / "from").exists()


def test_folders_are_copied_and_moved_with_what_is_in_them(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "one" / "deep").mkdir(parents=True)
    (tmp_path / "one" / "deep" / "file").write_text("x")
    do(bench, "CopyFolder", {"source": f"{tmp_path}/one", "destination": f"{tmp_path}/two"})
    do(bench, "CopyFolder", {"source": f"{tmp_path}/one", "destination": f"{tmp_path}/three/"})
    do(bench, "MoveFolder", {"source": f"{tmp_path}/one", "destination": f"{tmp_path}/four"})
    for copy in ("two", "three/one", "four"):
        assert (tmp_path / copy / "deep" / "file").read_text() == "x"
    assert not (tmp_path / "one").exists()


def test_a_link_is_made_and_replaced_only_by_force(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "target").touch()
    link = {"path": f"{tmp_path}/links/link", "target": f"{tmp_path}/target"}
    assert do(bench, "CreateSymlink", {**link, "target": f"{tmp_path}/none"}).exit_code == 1
    assert do(bench, "CreateSymlink", link).exit_code == 0
    assert do(bench, "CreateSymlink", link).exit_code == 1
    assert do(bench, "CreateSymlink", {**link, "force": True}).exit_code == 0
    assert (tmp_path / "links" / "link").readlink() == tmp_path / "target"


def test_files_and_folders_are_deleted(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.log").touch()
    (tmp_path / "folder" / "keep").touch()
    assert do(bench, "DeleteFile", {"path": f"{tmp_path}/folder/*.log"}).exit_code == 0
    assert do(bench, "DeleteFile", {"path": f"{tmp_path}/none"}).exit_code == 1
    assert do(bench, "DeleteFolder", {"path": f"{tmp_path}/folder"}).exit_code == 1
    assert do(bench, "DeleteFolder", {"path": f"{tmp_path}/folder", "force": True}).exit_code == 0
    assert not (tmp_path / "folder").exists()


def test_files_are_read_and_listed_for_later_steps(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("content\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.txt").touch()
    assert do(bench, "ReadFile", {"path": f"{tmp_path}/a.txt"}).outputs == {"content": "content\n"}
    listed = do(bench, "ListFiles", {"path": str(tmp_path), "fileNamePattern": "*.txt"})
    assert listed.outputs == {"files": f"{tmp_path}/a.txt"}
    deep = do(bench, "ListFiles", {"path": str(tmp_path), "recursive": True})
    assert deep.outputs == {"files": f"{tmp_path}/a.txt,{tmp_path}/sub/b.txt"}
    assert bench.log == []


def test_permissions_of_a_folder_reach_into_it_unless_told_otherwise(bench: Bench, tmp_path: Path) -> None:
    inner = tmp_path / "folder" / "inner"
    inner.mkdir(parents=True, mode=0o755)
    item = {"path": f"{tmp_path}/folder", "permissions": "0750"}
    do(bench, "SetFolderPermissions", {**item, "recursive": False})
    assert stat.S_IMODE(inner.stat().st_mode) == 0o755
    do(bench, "SetFolderPermissions", item)
    assert stat.S_IMODE(inner.stat().st_mode) == 0o750


def test_an_owner_is_set(bench: Bench, tmp_path: Path) -> None:
    found = tmp_path.stat()
    item = {"path": str(tmp_path), "owner": str(found.st_uid), "group": str(found.st_gid)}
    assert do(bench, "SetFileOwner", item).exit_code == 0
    assert do(bench, "SetFolderOwner", {**item, "recursive": False}).exit_code == 0
    assert do(bench, "SetFolderOwner", {**item, "path": f"{tmp_path}/none"}).exit_code == 1


def test_a_file_keeps_its_permissions_when_its_encoding_changes(bench: Bench, tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("caf\N{LATIN SMALL LETTER E WITH ACUTE}")
    path.chmod(0o640)
    assert do(bench, "SetFileEncoding", {"path": str(path), "encoding": "UTF-16-BE"}).exit_code == 0
    assert path.read_bytes() == "caf\N{LATIN SMALL LETTER E WITH ACUTE}".encode("utf-16-be")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert do(bench, "ReadFile", {"path": str(path), "encoding": "utf16-be"}).outputs["content"].startswith("caf")
    assert do(bench, "SetFileEncoding", {"path": f"{tmp_path}/none"}).exit_code != 0


def test_a_file_is_shown_in_the_log_where_that_is_asked(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("seen")
    do(bench, "ReadFile", {"path": f"{tmp_path}/text", "printFileContent": True})
    assert bench.printed == ["seen"]


def test_an_object_is_downloaded_from_s3_into_a_folder_that_is_there(bench: Bench, tmp_path: Path) -> None:
    bench.objects["s3://bucket/key"] = b"\x00\xff" * 100_000
    item = {"source": "s3://bucket/key", "destination": f"{tmp_path}/down/file"}
    assert do(bench, "S3Download", item).exit_code == 1
    (tmp_path / "down").mkdir()
    assert do(bench, "S3Download", item).exit_code == 0
    assert (tmp_path / "down" / "file").read_bytes() == bench.objects["s3://bucket/key"]
    assert do(bench, "S3Download", {**item, "overwrite": False}).exit_code == 1


def test_everything_below_a_prefix_is_downloaded_into_a_folder(bench: Bench, tmp_path: Path) -> None:
    for key in ("data/a b.csv", "data/deep/er/c.csv", "data/empty/", "database"):
        bench.objects[f"s3://bucket/{key}"] = key.encode()
    item = {"source": "s3://bucket/data/*", "destination": f"{tmp_path}/data/"}
    assert do(bench, "S3Download", item).exit_code == 1
    (tmp_path / "data").mkdir()
    assert do(bench, "S3Download", item).exit_code == 0
    found = sorted(str(path.relative_to(tmp_path)) for path in (tmp_path / "data").rglob("*"))
    assert found == ["data/a b.csv", "data/deep", "data/deep/er", "data/deep/er/c.csv", "data/empty"]
    assert (tmp_path / "data" / "deep" / "er" / "c.csv").read_bytes() == b"data/deep/er/c.csv"
    assert do(bench, "S3Download", {**item, "overwrite": False}).exit_code == 1


@pytest.mark.parametrize(
    ("keys", "item", "fault"),
    [
        ([], {}, "nothing matches"),
        (["../../etc/passwd"], {}, "would leave the folder"),
        (["a"], {"expectedBucketOwner": 123456789012}, "belongs to somebody else"),
        ([str(number) for number in range(1001)], {}, "1001 objects match"),
    ],
)
def test_a_prefix_that_cannot_be_downloaded_says_why(
    bench: Bench, tmp_path: Path, keys: list[str], item: dict[str, Any], fault: str
) -> None:
    bench.objects.update({f"s3://bucket/data/{key}": b"" for key in keys})
    with pytest.raises(ActionFailed, match=fault):
        do(bench, "S3Download", {"source": "s3://bucket/data/*", "destination": str(tmp_path), **item})


def test_a_file_is_uploaded_whatever_it_holds(bench: Bench, tmp_path: Path) -> None:
    content = bytes(range(256)) * 5_000  # more than one piece
    (tmp_path / "a file").write_bytes(content)
    source = f"{tmp_path}/a file"
    assert do(bench, "S3Upload", {"source": source, "destination": "s3://bucket/other"}).exit_code == 0
    assert do(bench, "S3Upload", {"source": source, "destination": "s3://bucket/into/"}).exit_code == 0
    assert bench.objects == {"s3://bucket/other": content, "s3://bucket/into/a file": content}


def test_folders_are_uploaded_only_recursively(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "from" / "deep").mkdir(parents=True)
    for name in ("one.txt", "two.txt", "deep/three.txt"):
        (tmp_path / "from" / name).write_text(name)
    item = {"source": f"{tmp_path}/from/*", "destination": "s3://bucket/key/"}
    do(bench, "S3Upload", item)
    assert sorted(bench.objects) == ["s3://bucket/key/one.txt", "s3://bucket/key/two.txt"]
    do(bench, "S3Upload", {**item, "recurse": True})
    assert bench.objects["s3://bucket/key/deep/three.txt"] == b"deep/three.txt"
    whole = {"source": f"{tmp_path}/from", "destination": "s3://bucket/whole", "recurse": "true"}
    do(bench, "S3Upload", whole)
    assert bench.objects["s3://bucket/whole/deep/three.txt"] == b"deep/three.txt"
    with pytest.raises(ActionFailed, match="recurse: true"):
        do(bench, "S3Upload", {**whole, "recurse": False})
    with pytest.raises(ActionFailed, match="nothing matches"):
        do(bench, "S3Upload", {**item, "source": f"{tmp_path}/none*"})


def test_a_download_with_another_checksum_is_refused(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "source").write_text("content")
    right = hashlib.sha256(b"content").hexdigest()
    item = {"source": f"file://{tmp_path}/source", "destination": f"{tmp_path}/got", "algorithm": "SHA256"}
    assert do(bench, "WebDownload", {**item, "checksum": right}).exit_code == 0
    (tmp_path / "got").write_text("old")
    assert do(bench, "WebDownload", {**item, "checksum": "0" * 64}).exit_code == 1
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"source": "content", "got": "old"}


def test_downloads_into_a_folder_tell_where_they_went(bench: Bench, tmp_path: Path) -> None:
    items = []
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
        items.append({"source": f"file://{tmp_path}/{name}", "destination": f"{tmp_path}/into/"})
    assert do(bench, "WebDownload", *items).outputs == {"destination": f"{tmp_path}/into/one\n{tmp_path}/into/two"}
    assert (tmp_path / "into" / "two").read_text() == "two"


def test_an_action_the_emulator_lacks_says_so(bench: Bench) -> None:
    with pytest.raises(ActionFailed, match="does not have the action SetRegistry"):
        do(bench, "SetRegistry", {"path": "HKLM:", "name": "a", "value": 1, "type": "DWORD"})


def test_a_program_that_is_not_there_is_a_failed_step(bench: Bench) -> None:
    outcome = actions.perform("ExecuteBinary", {"path": "/no/such/program"}, bench.shell())
    assert outcome.exit_code == 127


def test_an_assertion_asks_the_machine(bench: Bench, tmp_path: Path) -> None:
    assert actions.perform("Assert", {"folderExists": str(tmp_path)}, bench.shell()).exit_code == 0
    assert actions.perform("Assert", [{"fileExists": str(tmp_path)}], bench.shell()).exit_code == 1
