"""Load an event file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pydantic import SecretStr
from pydantic_core import PydanticCustomError

from contracts.errors import BadConfiguration, Problem
from contracts.event import Dispatcher, EventConfig, OwnWorker, Ramp, Worker
from contracts.event_file import checks, complete, database_url, deployment, faults, infra_checks, yaml_tree
from contracts.event_file.deployment import Deployment
from contracts.event_file.findings import Findings, Loc
from contracts.event_file.yaml_tree import YamlFile
from contracts.infra import Infra

STATE_DIR_VARIABLE = "RAMPART_STATE_DIR"
"""Where Rampart keeps its own files instead of `<deployment>/.rampart`; a rehearsal has its own."""

_MOST_SHOWN = 50


def load_event(
    path: Path,
    *,
    environ: Mapping[str, str],
    deployment_config: Path | None = None,
    may_lack_environment: bool = False,
) -> EventConfig:
    """Read, complete and check an event file and its deployment's `config.yml`, from local files alone.

    `${NAME}` is filled from `environ`. `may_lack_environment`: the virtual environment is yet to be made. Raises
    BadConfiguration with the problems of both files together.
    """
    here = Path.cwd()
    source = yaml_tree.read(deployment.absolute(path, here, environ), environ)
    given = deployment.absolute(deployment_config, here, environ) if deployment_config else None
    home = deployment.locate(source, environ, given=given)
    sections = _sections_of(source, home.folder, environ, may_lack_environment) if source.is_readable else None
    url = _database_of(source, home)
    problems = _problems_of(source, home.config)
    if problems or sections is None:
        raise BadConfiguration(problems)
    state_root = deployment.absolute(environ.get(STATE_DIR_VARIABLE) or ".rampart", home.folder, environ)
    return EventConfig(
        path=source.path,
        deployment=home.folder,
        state_root=state_root,
        ramp=sections.ramp,
        worker=sections.worker,
        dispatcher=sections.dispatcher,
        infra=sections.infra,
        database_url=url or database_url.embedded(state_root, sections.ramp.event_name),
        warnings=sections.warnings,
    )


def load_database(path: Path, *, environ: Mapping[str, str]) -> SecretStr:
    """Read which database a deployment's `config.yml` names. Raises BadConfiguration."""
    config = yaml_tree.read(deployment.absolute(path, Path.cwd(), environ), environ, only=deployment.KEYS)
    url = _database_of(config, Deployment(config.path.parent))
    if url is None and not config.findings.problems:
        config.findings.add((), "names no database", "write the section sqlalchemy, or database_url")
    problems = _problems_of(config)
    if url is None or problems:
        raise BadConfiguration(problems)
    return url


@dataclass(frozen=True)
class _Sections:
    ramp: Ramp
    worker: Worker
    dispatcher: Dispatcher
    infra: Infra
    warnings: tuple[str, ...]


def _sections_of(
    source: YamlFile, folder: Path, environ: Mapping[str, str], may_lack_environment: bool
) -> _Sections | None:
    """Check every section; what can be looked at is looked at although something else is wrong."""
    findings = source.findings
    _check_top_level(source)
    absolute = partial(deployment.absolute, base=folder, environ=environ)
    rehearsal = environ.get(STATE_DIR_VARIABLE)
    completed = complete.complete(
        source.data, folder, absolute, rehearsal=deployment.absolute(rehearsal, folder, environ) if rehearsal else None
    )
    check = partial(faults.checked, findings=findings, origin=completed.origin)
    ramp = check(Ramp, completed.ramp, ("ramp",))
    worker = check(OwnWorker if checks.is_own_worker(completed.worker) else Worker, completed.worker, ("worker",))
    dispatcher = check(Dispatcher, completed.dispatcher, ("dispatcher",))
    infra = check(Infra, completed.infra, ("infra",))

    def report(loc: Loc, message: str, remedy: str) -> None:
        findings.add(completed.origin.get(loc, loc), message, remedy)

    def is_written(loc: Loc) -> bool:
        return completed.origin.get(loc, loc) in findings.lines

    if worker:
        has_cluster = infra is None or infra.dask is not None
        checks.check_worker(worker, report, may_lack_environment=may_lack_environment, has_cluster=has_cluster)
    if ramp:
        is_local = worker is not None and worker.worker_type == "conda"
        checks.check_folders(ramp, is_local, is_written, report)
        if is_written(("ramp", "kit_dir")) or not findings.is_faulty(("ramp", "problem_name")):
            checks.check_kit(ramp.kit_dir, ("ramp", "kit_dir"), report)
    if infra:
        infra_checks.check_infra(infra, worker, is_written, report)
    if ramp and infra:
        checks.check_image(infra.image, ramp.kit_dir, is_written, report)
    if not (ramp and worker and dispatcher and infra):
        return None
    found = checks.warnings_for(ramp, worker, infra, source.path)
    return _Sections(ramp, worker, dispatcher, infra, (*completed.warnings, *found))


def _check_top_level(source: YamlFile) -> None:
    for section in ("ramp", "worker"):
        if source.data.get(section) is None:
            source.findings.add((section,), "this section is missing", f"write {section}: and its keys below it")
    for key in source.data:
        if key not in faults.SECTIONS:
            source.findings.add((key,), *faults.unknown_key((key,)))


def _database_of(source: YamlFile, home: Deployment) -> SecretStr | None:
    """The database named in the event file, else in the deployment's, else None."""
    for file in (source, home.config):
        if file is None:
            continue
        url, section = file.data.get("database_url"), complete.without_empty(file.data.get("sqlalchemy"))
        if url is not None and section is not None:
            file.findings.add(("database_url",), "is given together with sqlalchemy", "keep one of the two")
        if url is not None:
            return _from_url(url, home.folder, file.findings)
        if section is not None:
            checked = faults.checked(database_url.SqlAlchemy, section, ("sqlalchemy",), file.findings)
            return database_url.from_section(checked, home.folder) if checked else None
    return None


def _from_url(url: object, folder: Path, findings: Findings) -> SecretStr | None:
    if not isinstance(url, str):
        findings.add(("database_url",), "must be text", "write postgresql://USER:PASSWORD@HOST/DATABASE in quotes")
        return None
    try:
        return database_url.from_url(url, folder)
    except PydanticCustomError as error:
        told = error.context or {}
        findings.add(("database_url",), told["message"], told["remedy"])
        return None


def _problems_of(*files: YamlFile | None) -> list[Problem]:
    """All problems in reading order, the very many cut short."""
    found: list[Problem] = []
    for file in files:
        if file is not None:
            found += sorted(file.findings.problems, key=lambda problem: problem.line or 0)
    if len(found) > _MOST_SHOWN:
        rest = len(found) - _MOST_SHOWN
        found[_MOST_SHOWN:] = [Problem(found[0].path, None, "", f"and {rest} problems more", "mend these first")]
    return found
