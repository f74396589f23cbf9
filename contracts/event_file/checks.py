"""Check what no single value of an event file can tell: keys that need or exclude others, files that must be there."""

from __future__ import annotations

import difflib
import stat
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from contracts.event import ClusterKind, Ramp, Worker
from contracts.event_file.findings import IsWritten, Loc, Report
from contracts.infra import Access, FolderKit, Image, Infra

_BUILT_IN = ("conda", "aws", "dask", "ray")
_SHARE_FOLDS = ("conda", "dask")  # whose hosts need not be launched, and cost nothing when they are not given back
_OWN = "rampart.workers"
_BROAD_PREFIX = 16


def is_own_worker(section: object) -> bool:
    """Whether a section `worker` names a type that is not built in: keys nobody here knows are that worker's own."""
    named = section.get("worker_type") if isinstance(section, dict) else None
    if not isinstance(named, str) or named in _BUILT_IN:
        return False
    return ":" in named or named in metadata.entry_points(group=_OWN).names


def check_worker(
    worker: Worker, report: Report, *, may_lack_environment: bool = False, has_cluster: bool = False
) -> None:
    """Report the worker's contradictions, what its type lacks, and its missing files.

    `has_cluster`: the event declares a Dask cluster of its own.
    """
    _check_worker_type(worker.worker_type, report)
    if worker.ami_image_id and worker.ami_image_name:
        report(
            ("worker", "ami_image_name"),
            "is given together with ami_image_id",
            "keep one: the id for that very image, the name for the newest image of that name",
        )
    for one, other in (("access_key_id", "secret_access_key"), ("secret_access_key", "access_key_id")):
        if getattr(worker, one) and not getattr(worker, other):
            report(("worker", one), f"is given without {other}", "remove it and name a profile with profile_name")
    if worker.worker_type == "dask":
        _check_cluster(worker, report, has_cluster=has_cluster)
    if worker.folds_at_a_time > 1 and worker.worker_type not in _SHARE_FOLDS:
        remedy = f"remove it: {' and '.join(_SHARE_FOLDS)} workers can; here a submission has one host"
        report(("worker", "folds_at_a_time"), f"cannot be had with worker_type: {worker.worker_type}", remedy)
    if worker.env == "conda" and worker.venv_dir is not None:
        report(("worker", "venv_dir"), "has no effect with env: conda", "write env: venv, or remove it")
    elif worker.venv_dir is not None:
        if not may_lack_environment:
            _check_venv(worker.venv_dir, report)
    elif worker.env == "venv":
        report(("worker", "venv_dir"), "is missing", "name the virtual environment's folder, or write env: conda")
    if worker.key_path is not None:
        _check_key(worker.key_path, report)


def _check_cluster(worker: Worker, report: Report, *, has_cluster: bool) -> None:
    """An event has one cluster."""
    if worker.cluster is not None and worker.dask_scheduler is not None:
        remedy = "keep one: the scheduler's address for a cluster that is there, or the kind of one that is started"
        report(("worker", "cluster"), "is given together with dask_scheduler", remedy)
    if worker.cluster is ClusterKind.EC2 and not has_cluster:
        report(("worker", "cluster"), "is ec2, but infra.dask is missing", "say there what its machines are to be")
    if worker.cluster is None and worker.dask_scheduler is None and not has_cluster:
        remedy = (
            "write the scheduler's address, like tls://10.0.0.5:8786, or cluster: local, or declare a cluster: "
            "infra.dask"
        )
        report(("worker", "dask_scheduler"), "is missing", remedy)


def check_folders(ramp: Ramp, is_local: bool, is_written: IsWritten, report: Report) -> None:
    """Report the event's folders that are not as they must be; the data must be here when runs are (`is_local`)."""
    if is_local and is_written(("ramp", "data_dir")) and not _is(ramp.data_dir, Path.is_dir):
        report(("ramp", "data_dir"), f"there is no folder {ramp.data_dir}", "copy the data there, or name its folder")
    for key in ("submissions_dir", "predictions_dir", "logs_dir"):
        folder: Path = getattr(ramp, key)
        if _is(folder, Path.exists) and not _is(folder, Path.is_dir):
            report(("ramp", key), f"{folder} is not a folder", "name a folder; it is made when needed")


def check_kit(folder: Path, loc: Loc, report: Report) -> None:
    """Report a kit that is missing or holds no problem.py."""
    if not _is(folder, Path.is_dir):
        report(loc, f"there is no folder {folder}", "copy the kit there, or name its folder")
    elif not _is(folder / "problem.py", Path.is_file):
        report(loc, f"the kit {folder} has no problem.py", "name the folder that holds the challenge's problem.py")


def check_image(image: Image, kit_dir: Path, is_written: IsWritten, report: Report) -> None:
    """Report what an image that the event file describes cannot be made from."""
    if not is_written(("infra", "image")):
        return
    for number, component in enumerate(image.components):
        if not _is(component.document, Path.is_file):
            place = ("infra", "image", "components", number)
            message, remedy = f"there is no file {component.document}", "write the document, or name it as it is called"
            report(place, message, remedy)
    if isinstance(image.kit, FolderKit):
        if image.kit.folder != kit_dir:
            check_kit(image.kit.folder, ("infra", "image", "kit", "folder"), report)
        _check_quick_test(image.kit.folder, image.quick_test_submission, report)


def warnings_for(ramp: Ramp, worker: Worker, infra: Infra, event_file: Path) -> list[str]:
    """Say what is accepted though a better way exists."""
    found = []
    if worker.access_key_id or worker.secret_access_key:
        found.append(
            "worker.access_key_id and worker.secret_access_key keep a secret in a file; "
            "remove them and set worker.profile_name, AWS_PROFILE or an instance role"
        )
    for network in infra.allowed_cidrs:
        if network.prefixlen < _BROAD_PREFIX and not network.is_private:
            found.append(
                f"infra.allowed_cidrs: {network} lets {network.num_addresses:,} addresses reach port 22 of the hosts; "
                "name a smaller range"
            )
    is_by_address = infra.access in (Access.PUBLIC, Access.GATEWAY)
    if worker.worker_type == "aws" and is_by_address and not infra.allowed_cidrs and not worker.security_group:
        found.append("infra.allowed_cidrs is empty, so nobody can reach the hosts; write your address with /32")
    for key, machines in (("fleet", infra.fleet), ("dask", infra.dask)):
        if machines is not None and machines.target > 0:
            found.append(
                f"infra.{key}.target: {machines.target} machines run, and are paid for, from `up` on, whether "
                "submissions come or not; 0 lets the runner start them"
            )
    if worker.worker_type == "dask":
        found += _unencrypted(worker, infra)
    if worker.region_name and "region" in infra.model_fields_set and infra.region != worker.region_name:
        found.append(f"infra.region is not used, because worker.region_name says {worker.region_name}; keep one")
    folder = event_file.parent
    if folder.parent.name == "events" and folder.name != ramp.event_name:
        found.append(
            f"the event is called {ramp.event_name}, but its folder {folder.name}; "
            f"commands look for events/{ramp.event_name}/config.yml"
        )
    return found


def _unencrypted(worker: Worker, infra: Infra) -> list[str]:
    reached = "whoever reaches its port runs programs on every worker"
    if worker.dask_scheduler is not None and not worker.dask_scheduler.startswith(("tls://", "wss://")):
        return [f"worker.dask_scheduler has no encryption: {reached}; give it certificates, and write tls://"]
    if infra.dask is not None and infra.dask.insecure:
        return [f"infra.dask.insecure: the cluster has no encryption: {reached}; remove the key"]
    return []


def _check_worker_type(worker_type: str, report: Report) -> None:
    if ":" in worker_type or worker_type in _BUILT_IN:
        return
    others = sorted(metadata.entry_points(group=_OWN).names)
    if worker_type in others:
        return
    known = [*_BUILT_IN, *others]
    close = difflib.get_close_matches(worker_type.lower(), known, n=1)
    report(
        ("worker", "worker_type"),
        "there is no such worker",
        f"did you mean {close[0]}?" if close else f"write one of {', '.join(known)}, or package.module:Class",
    )


def _check_quick_test(kit: Path, submission: str, report: Report) -> None:
    if _is(kit / "problem.py", Path.is_file) and not _is(kit / "submissions" / submission, Path.is_dir):
        report(
            ("infra", "image", "quick_test_submission"),
            f"the kit has no submissions/{submission}, which tests the image",
            "name a submission of the kit that runs without error",
        )


def _check_venv(folder: Path, report: Report) -> None:
    if not _is(folder, Path.is_dir):
        report(("worker", "venv_dir"), f"there is no folder {folder}", "make it: invoke env-create")
    elif not _is(folder / "bin" / "python", Path.exists):
        report(("worker", "venv_dir"), f"{folder} is not a virtual environment", "name one: it holds bin/python")


def _check_key(path: Path, report: Report) -> None:
    if not _is(path, Path.is_file):
        report(("worker", "key_path"), f"there is no file {path}", "name the private key's file, or leave the key out")
    elif stat.S_IMODE(path.stat().st_mode) & 0o077:
        report(("worker", "key_path"), f"others can read {path}", f"take that from them: chmod 600 {path}")


def _is(path: Path, question: Callable[[Path], bool]) -> bool:
    """Ask about a path; one that cannot be looked at (no permission, a name too long) is not there for us."""
    try:
        return question(path)
    except (OSError, ValueError):
        return False
