"""A job sees its own part of its folder, what it is shown, and no more of what is private."""

from __future__ import annotations

from pathlib import Path

from runner.job.supervisor.view import EMPTY, SCRATCH, SHOWN, WRITABLE, View, bare_view, job_view


def view_of(folder: Path, *, shown: tuple[str, ...] = (), hidden: tuple[str, ...] = ()) -> View:
    return job_view(folder, shown=shown, hidden=hidden, memory_bytes=None, is_other_user=True)


def job_folder(place: Path) -> Path:
    folder = place / "jobs" / "one"
    (folder / "supervise").mkdir(parents=True)
    for name in ("lock", "exit", "run_folds.py"):
        (folder / name).touch()
    (folder / "finished").mkdir()
    return folder


def test_of_its_folder_a_job_sees_what_was_pushed_for_it_and_writes_to_its_own_places(tmp_path: Path) -> None:
    folder = job_folder(tmp_path)
    view = view_of(folder)
    assert str(folder) in view.of(EMPTY)
    below = {path: mount.kind for mount in view.mounts if (path := mount.path).startswith(f"{folder}/")}
    assert below == {
        f"{folder}/home": WRITABLE,
        f"{folder}/submissions": WRITABLE,
        f"{folder}/tmp": WRITABLE,
        f"{folder}/finished": SHOWN,
        f"{folder}/run_folds.py": SHOWN,
    }


def test_what_is_hidden_is_empty_but_for_what_is_shown_in_it(tmp_path: Path) -> None:
    deployment = tmp_path / "deployment"
    (deployment / "kit" / "data").mkdir(parents=True)
    kit, data = str(deployment / "kit"), str(deployment / "kit" / "data")
    view = view_of(job_folder(tmp_path), shown=(kit,), hidden=(str(deployment), data))
    kinds = [mount.kind for mount in view.mounts if mount.path in (str(deployment), kit, data)]
    assert kinds == [EMPTY, SHOWN, EMPTY]  # outermost first, so that each is what the innermost says


def test_a_folder_that_others_cannot_enter_is_empty_but_for_what_is_shown_in_it(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    kit = closed / "kit"
    kit.mkdir(parents=True)
    tmp_path.chmod(0o755)
    closed.chmod(0o700)
    outermost = next(one for one in reversed(kit.parents) if not one.stat().st_mode & 0o001)
    view = view_of(job_folder(tmp_path), shown=(str(kit),))
    assert str(outermost) in view.of(EMPTY)
    assert str(kit) in view.of(SHOWN)


def test_a_folder_that_is_not_there_is_not_shown(tmp_path: Path) -> None:
    assert "/nowhere" not in view_of(job_folder(tmp_path), shown=("/nowhere",), hidden=("/nowhere/at/all",)).of(EMPTY)


def test_what_is_hidden_or_shown_by_a_link_is_so_where_it_lies(tmp_path: Path) -> None:
    for name in ("labels", "kit", "disk"):
        (tmp_path / "private" / name).mkdir(parents=True)
    kit, labels = tmp_path / "a_kit", tmp_path / "some_labels"
    kit.symlink_to(tmp_path / "private" / "kit")
    labels.symlink_to(tmp_path / "private" / "labels")
    (tmp_path / "private" / "kit" / "data").symlink_to(tmp_path / "private" / "disk")
    view = view_of(job_folder(tmp_path), shown=(str(kit),), hidden=(str(labels), str(tmp_path / "private")))
    assert str(tmp_path / "private" / "labels") in view.of(EMPTY)
    assert {str(tmp_path / "private" / name) for name in ("kit", "disk")} <= set(view.of(SHOWN))
    hidden = view_of(job_folder(tmp_path / "other"), hidden=(str(kit),))
    assert {str(tmp_path / "private" / name) for name in ("kit", "disk")} <= set(hidden.of(EMPTY))


def test_a_bare_view_has_the_system_what_is_shown_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "secret").touch()
    package = str(tmp_path / "package")
    view = bare_view(shown=(package,), scratch_bytes=2**20, is_other_user=False)
    folders = {str(path) for path in Path("/").iterdir() if path.is_dir() and not path.is_symlink()}
    in_sight = folders - {*view.of(EMPTY), *view.of(SCRATCH)}
    assert in_sight <= {"/bin", "/dev", "/lib", "/lib32", "/lib64", "/libx32", "/nix", "/proc", "/sbin", "/usr"}
    assert package in view.of(SHOWN)
    assert not {str(tmp_path), str(tmp_path / "secret"), "/etc", "/etc/shadow"} & {*view.of(SHOWN)}
    assert view.of(WRITABLE) == []
