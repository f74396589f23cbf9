"""Look at everything an event needs, and report all findings at once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from contracts.errors import BadConfiguration, RampartError
from contracts.event import EventConfig
from contracts.findings import Finding, Level
from contracts.stack import StackOutputs
from contracts.work import Isolation

_GIB = 2**30
_LOGIN_KEYS = ("id_dsa", "id_ecdsa", "id_ed25519", "id_rsa")  # what ssh takes where nothing else is said
_SCARCE_BYTES = 5 * _GIB
_TOO_LITTLE_BYTES = _GIB // 4


def check(name: str | None, *, config: str | None, local: bool) -> list[Finding]:
    """Check one event, from its file to the machine it runs on."""
    from runner.workers.environments import is_here
    from tasks.events import read_event

    try:
        event = read_event(name, config=config, local=local, may_lack_environment=True)
    except BadConfiguration as error:
        return [Finding(Level.ERROR, "event file", str(problem)) for problem in error.problems]
    findings = [Finding(Level.OK, "event file", str(event.path))]
    findings += [Finding(Level.WARNING, "event file", warning) for warning in event.warnings]
    findings += _guarded("database", lambda: _database(event))
    findings += _guarded("disk", lambda: _disk(event))
    if is_here(event.worker):
        findings += _guarded("environment", lambda: _environment(event))
        findings += _guarded("containment", lambda: _containment(event))
    if event.is_on_ec2:
        findings += _aws(event)
    if event.worker.worker_type == "dask":
        findings += _guarded("Dask cluster", lambda: _dask(event))
    return findings


def _guarded(about: str, look: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """What one check finds; where it cannot go on, that is its last finding."""
    found: list[Finding] = []
    try:
        found.extend(look())
    except RampartError as error:
        found.append(Finding(Level.ERROR, about, error.message, error.hint))
    except OSError as error:
        found.append(Finding(Level.ERROR, about, str(error)))
    return found


def _database(event: EventConfig) -> Iterator[Finding]:
    from runner.store import Database
    from runner.store.schema import Schema, schema_of

    database = Database(event.database_url.get_secret_value())
    try:
        schema = schema_of(database)
    finally:
        database.close()
    upgrade = f"invoke db-upgrade --event {event.name}"
    told = {
        Schema.CURRENT: Finding(Level.OK, "database", f"{database} is up to date"),
        Schema.NOT_MADE: Finding(Level.OK, "database", f"{database} is made with the first submission"),
        Schema.BEHIND: Finding(Level.WARNING, "database", f"{database} lacks tables of this version", upgrade),
        Schema.UNKNOWN: Finding(
            Level.ERROR, "database", f"{database} was made by a newer Rampart", "use that version here too"
        ),
        Schema.WITHOUT_RAMP: Finding(
            Level.ERROR,
            "database",
            f"{database} has no RAMP tables",
            "make them with ramp-database, or name another one",
        ),
    }
    yield told[schema]


def _disk(event: EventConfig) -> Iterator[Finding]:
    ramp = event.ramp
    folders = (event.state_root, ramp.submissions_dir, ramp.predictions_dir, ramp.logs_dir)
    disks: set[int] = set()
    for place in dict.fromkeys(_existing(folder) for folder in folders):
        if not os.access(place, os.W_OK | os.X_OK):
            yield Finding(Level.ERROR, "disk", f"{place} is not ours to write", "run as its owner, or change its mode")
            continue
        if place.stat().st_dev in disks:
            continue
        disks.add(place.stat().st_dev)
        free = shutil.disk_usage(place).free
        level = Level.ERROR if free < _TOO_LITTLE_BYTES else Level.WARNING if free < _SCARCE_BYTES else Level.OK
        hint = "" if level is Level.OK else "make room: every submission leaves predictions and a log"
        yield Finding(level, "disk", f"{free / _GIB:.1f} GiB free at {place}", hint)


def _existing(folder: Path) -> Path:
    return next(one for one in (folder, *folder.parents) if one.exists())


def _environment(event: EventConfig) -> Iterator[Finding]:
    from runner.workers.environments import environment_prefix

    yield Finding(Level.OK, "environment", f"{environment_prefix(event.worker)} has ramp-test")


def _containment(event: EventConfig) -> Iterator[Finding]:
    """Try what a submission would be contained by on this machine."""
    from runner.job import probing

    found = probing.strongest_here()
    reasons = "; ".join(found.reasons)
    if found.containment.is_strict:
        told = f"submissions run in {found.containment}" + (f" ({reasons})" if reasons else "")
        yield Finding(Level.OK, "containment", told)
        return
    weak = f"submissions run with no more around them than {found.containment}: {reasons}"
    level = Level.ERROR if event.worker.isolation is Isolation.STRICT else Level.WARNING
    yield Finding(level, "containment", weak, "run as root, or use worker_type: aws for strangers' code")


def _aws(event: EventConfig) -> list[Finding]:
    found = _guarded("credentials", lambda: _credentials(event))
    found += _guarded("key", lambda: _key_file(event))
    if any(one.level is Level.ERROR and one.about == "credentials" for one in found):
        skipped = "image, security group and key pair were not looked for: AWS does not know us"
        return [*found, Finding(Level.WARNING, "AWS", skipped)]
    outputs: list[StackOutputs] = []
    found += _guarded("stack", lambda: _stack(event, outputs))
    found += _guarded("image", lambda: _image(event))
    found += _guarded("security group", lambda: _security_group(event, outputs))
    found += _guarded("key", lambda: _key_pair(event, outputs))
    return found


def _dask(event: EventConfig) -> Iterator[Finding]:
    from contracts.errors import HostUnreachable
    from tasks import dask_operations

    if event.worker.cluster is not None and dask_operations.workers_of_loop(event) is None:
        yield Finding(Level.OK, "Dask cluster", f"{event.worker.cluster}: it lives as long as a train-loop")
        return
    try:
        found = dask_operations.workers(event)
    except HostUnreachable as error:
        yield Finding(Level.WARNING, "Dask cluster", error.message, error.hint)
        return
    yield Finding(Level.OK, "Dask cluster", dask_operations.told(found))


def _credentials(event: EventConfig) -> Iterator[Finding]:
    from clients.aws.account import identity
    from clients.aws.session import session_for

    yield Finding(Level.OK, "credentials", f"{identity(session_for(event))} in {event.region}")


def _key_file(event: EventConfig) -> Iterator[Finding]:
    from clients.keys import check_key_file

    path = event.key_path
    check_key_file(path)
    if path.name in _LOGIN_KEYS and path.parent == Path.home() / ".ssh":
        hint = f"give the event one of its own: invoke keys-create --event {event.name} --path FILE"
        yield Finding(Level.WARNING, "key", f"{path} is the key you log in with elsewhere", hint)
    else:
        yield Finding(Level.OK, "key", str(path))


def _stack(event: EventConfig, kept: list[StackOutputs]) -> Iterator[Finding]:
    """Keeps the stack's outputs for the checks that follow."""
    from tasks import stack

    outputs = stack.outputs_of(event)
    if outputs is not None:
        kept.append(outputs)
        yield Finding(Level.OK, "stack", f"{outputs.stack} is deployed in {outputs.region}")
    else:
        is_needed = not (event.worker.key_name and event.worker.security_group)
        hint = f"invoke up --event {event.name}"
        yield Finding(Level.ERROR if is_needed else Level.WARNING, "stack", f"{event.name} is not deployed", hint)
    if shutil.which("pulumi") is None and "AWS_ENDPOINT_URL" not in os.environ:
        hint = "pulumi.com/docs/install; only up, preview and destroy need it"
        yield Finding(Level.WARNING, "stack", "the pulumi command is not on PATH", hint)


def _image(event: EventConfig) -> Iterator[Finding]:
    from clients.aws.images import Images
    from clients.aws.session import session_for
    from contracts.image import ImageStatus
    from imagebuilder import images
    from runner.app import now

    choice = images.choose(event, Images(session_for(event)), now=now(), pinned=_pinned_image(event))
    image = choice.image
    told = f"{image.image_id} ({image.name}), {image.status}, {choice.why}"
    if image.status is ImageStatus.VERIFIED:
        yield Finding(Level.OK, "image", told)
    else:
        hint = f"invoke verify-ami --event {event.name} --image {image.image_id} looks whether it is fit for runs"
        yield Finding(Level.WARNING, "image", told, hint)


def _pinned_image(event: EventConfig) -> str:
    """The image the event is pinned to; empty where it is not, or where its database has no place for that yet."""
    from runner.store import Database, ImageRecords
    from runner.store.schema import Schema, schema_of

    database = Database(event.database_url.get_secret_value())
    try:
        return ImageRecords(database).pinned(event.name) if schema_of(database) is Schema.CURRENT else ""
    finally:
        database.close()


def _security_group(event: EventConfig, outputs: list[StackOutputs]) -> Iterator[Finding]:
    from clients.aws.ec2 import Ec2
    from clients.aws.session import session_for

    named = event.worker.security_group or next((one.security_group_id for one in outputs), "")
    if named:
        yield Finding(Level.OK, "security group", Ec2(session_for(event)).security_group_id(named))


def _key_pair(event: EventConfig, outputs: list[StackOutputs]) -> Iterator[Finding]:
    from clients.aws.account import has_key_pair
    from clients.aws.session import session_for

    named = event.worker.key_name or next((one.key_name for one in outputs), "")
    if not named:
        return
    if has_key_pair(session_for(event), named):
        yield Finding(Level.OK, "key", f"key pair {named}")
    else:
        hint = f"invoke up --event {event.name} makes it"
        yield Finding(Level.ERROR, "key", f"{event.region} has no key pair {named}", hint)
