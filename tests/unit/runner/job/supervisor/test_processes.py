"""The size of a process tree, what a job knows, what the supervisor needs."""

from __future__ import annotations

import ast
import os
import sys
from pathlib import Path

import pytest

from contracts.work import Containment
from runner.job.pushed import supervisor_files
from runner.job.supervisor import containment, processes
from runner.job.supervisor.environment import THREAD_VARIABLES, job_environment
from runner.job.supervisor.processes import Process


@pytest.mark.parametrize("name", sorted(supervisor_files()))
def test_the_supervisor_needs_the_standard_library_of_python_3_8_and_itself(name: str) -> None:
    tree = ast.parse(supervisor_files()[name].read_text(), feature_version=(3, 8))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    foreign = {one for one in imported if one.split(".")[0] not in sys.stdlib_module_names}
    assert all(one.startswith("runner.job.supervisor") for one in foreign)


def test_every_module_of_the_supervisor_is_pushed() -> None:
    package = Path(processes.__file__).parent
    assert {path.name for path in package.glob("*.py")} <= {path.name for path in supervisor_files().values()}


def test_this_process_is_below_its_parent() -> None:
    found = processes.descendants(os.getppid())[os.getpid()]
    assert (found.parent, found.resident > 1024**2, found.threads >= 1) == (os.getppid(), True, True)


def test_pages_that_processes_share_count_once_where_that_decides() -> None:
    own = processes.descendants(os.getppid())[os.getpid()]
    assert processes.memory_of({os.getpid(): own}, 1) == own.resident
    twice = {os.getpid(): own, os.getppid(): Process(1, 1, 1)}
    assert processes.memory_of(twice, 2**60) == own.resident + 1


def test_a_job_is_told_its_threads_and_nothing_of_ours(tmp_path: Path) -> None:
    environment = job_environment(tmp_path, "/env/bin/ramp-test", 2)
    assert {environment[name] for name in THREAD_VARIABLES} == {"2"}
    assert environment["PATH"].startswith("/env/bin:")
    assert environment["HOME"] == str(tmp_path / "home")
    assert not {name for name in environment if name.startswith("AWS")}
    assert not set(THREAD_VARIABLES) & set(job_environment(tmp_path, "/env/bin/ramp-test", None))


def test_host_and_server_name_the_containments_alike() -> None:
    assert tuple(containment.WAYS) == tuple(one.value for one in Containment)
    assert {one.value for one in Containment if one.is_strict} == containment.STRICT
