"""Who may become root without a password, of the files that sudo would read."""

from __future__ import annotations

from pathlib import Path

import pytest

from localcloud.machines.units import main_process


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("dask ALL=(ALL) NOPASSWD: ALL\n", {"dask"}),
        ("# dask ALL=(ALL) NOPASSWD: ALL\n", set()),
        ("a ALL=(ALL:ALL) NOPASSWD:ALL\nb ALL=(ALL) ALL\nc ALL=(ALL) NOPASSWD: /bin/true\n", {"a"}),
    ],
)
def test_only_who_may_run_everything_without_a_password_may_become_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, who: set[str]
) -> None:
    monkeypatch.setattr(main_process, "_OWNER", (tmp_path.stat().st_uid,))
    (tmp_path / "rules").write_text(text)
    (tmp_path / "rules").chmod(0o440)

    assert main_process.may_become_root(tmp_path) == who


@pytest.mark.parametrize(
    ("name", "mode"), [("rules.bak", 0o440), ("rules~", 0o440), (".rules", 0o440), ("rules", 0o442)]
)
def test_a_file_that_sudo_skips_or_distrusts_gives_no_rights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, mode: int
) -> None:
    monkeypatch.setattr(main_process, "_OWNER", (tmp_path.stat().st_uid,))
    (tmp_path / name).write_text("dask ALL=(ALL) NOPASSWD: ALL\n")
    (tmp_path / name).chmod(mode)

    assert main_process.may_become_root(tmp_path) == set()
    assert main_process.may_become_root(tmp_path / "missing") == set()
