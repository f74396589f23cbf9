"""What of this machine a machine of ours sees."""

from __future__ import annotations

from pathlib import Path

from localcloud.machines import visible


def make_environment(base: Path, place: Path) -> Path:
    (base / "bin").mkdir(parents=True)
    (base / "bin" / "python3").touch()
    (place / "bin").mkdir(parents=True)
    (place / "bin" / "python").symlink_to(base / "bin" / "python3")
    (place / "pyvenv.cfg").write_text(f"home = {base / 'bin'}\nversion = 3.11.7\n")
    return place


def test_an_environment_is_shown_with_the_interpreter_it_was_made_from(tmp_path: Path) -> None:
    environment = make_environment(tmp_path / "python", tmp_path / "project" / ".venv")
    assert visible.environment_folders(environment) == (str(environment), str(tmp_path / "python"))


def test_an_environment_inside_its_interpreters_folder_is_shown_once(tmp_path: Path) -> None:
    environment = make_environment(tmp_path / "python", tmp_path / "python" / "envs" / "iris")
    assert visible.environment_folders(environment) == (str(tmp_path / "python"),)


def test_a_folder_without_an_interpreter_is_shown_alone(tmp_path: Path) -> None:
    assert visible.environment_folders(tmp_path) == (str(tmp_path),)


def test_the_systems_own_interpreter_needs_no_showing(tmp_path: Path) -> None:
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\n")
    assert visible.environment_folders(tmp_path) == (str(tmp_path),)


def test_masked_folders_are_hidden_and_missing_ones_forgotten(tmp_path: Path) -> None:
    hidden = visible.hidden_folders([tmp_path, tmp_path / "below", tmp_path / "missing"])
    assert str(tmp_path) in hidden
    assert not any(folder.startswith(f"{tmp_path}/") for folder in hidden)


def test_homes_are_hidden_and_the_system_is_not() -> None:
    hidden = visible.hidden_folders([])
    assert visible.below("/home/alice", hidden) == Path("/home").is_dir()
    assert not any(visible.below(folder, hidden) for folder in ("/usr", "/etc", "/bin", "/var/lib/dpkg"))


def test_a_name_that_begins_alike_is_not_below() -> None:
    assert visible.below("/home/a", ["/home"])
    assert visible.below("/home", ["/home"])
    assert not visible.below("/homes", ["/home"])
