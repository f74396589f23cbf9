"""Compose the runner: which store, hosts and transport an event's dispatcher gets."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from clients.keepalive import KEEPALIVE, Keepalive
from contracts.errors import AskedWrongly, HostKeyRefused, HostUnreachable, ToolMissing
from contracts.event import EventConfig, HungerPolicy
from contracts.event_secrets import secrets_of
from contracts.host_boot import HostKey
from contracts.image import ImageReference
from contracts.redaction import Redactor
from contracts.stack import StackOutputs
from contracts.work import HostAddress, Provisioned
from runner import process_name
from runner.carrying.patience import PATIENCE, Patience
from runner.dask.pool import DASK_TEMPO, DaskTempo
from runner.dispatcher import LEASE_RENEWAL_S, Dispatcher, MakeRun, Pace
from runner.hosts import TEMPO, CurrentImage, Ec2Hosts, Tempo, WayIn
from runner.interruption import Interruption
from runner.own_run import OwnRun
from runner.ports import Hosts, Launches, Limited, Scorer, Sweep, Transport
from runner.progress import CloudAsked, Observer
from runner.spread.dividing import Dividing
from runner.spread.run import SpreadRun
from runner.store import (
    LEASE_S,
    CanaryRecords,
    Catalogue,
    Database,
    ImageRecords,
    SqlStore,
    Wishes,
    copy_event,
    upgrade,
)
from runner.workers.own import OwnWorkers, own_workers
from runner.workers.standing import Standing, StandingHost, running_instance

if TYPE_CHECKING:  # most events have no cluster
    from runner.dask.making import Ways

_log = logging.getLogger(__name__)
SSH_CONFIG_VARIABLE = "RAMPART_SSH_CONFIG"
"""Names an ssh config file that tells host names, ports and gateways; the local cloud sets it."""


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def open_store(event: EventConfig, *, lease_s: float = LEASE_S) -> SqlStore:
    """Open the event's database, to claim for `lease_s` at a time; the embedded SQLite one is made where missing."""
    url = event.database_url.get_secret_value()
    store = SqlStore(url, event, now, owner=process_name.own_name(), is_dead=process_name.is_dead, lease_s=lease_s)
    upgrade(store.database)
    return store


def open_catalogue(event: EventConfig) -> Catalogue:
    """Open what the commands ask of the event's database."""
    return Catalogue(_open_database(event), now)


def open_wishes(event: EventConfig) -> Wishes:
    """Open what an organiser may ask of the event's queue."""
    return Wishes(_open_database(event), now)


def open_image_records(event: EventConfig) -> ImageRecords:
    """Open what is known of the event's machine images."""
    return ImageRecords(_open_database(event))


def open_canary_records(event: EventConfig) -> CanaryRecords:
    """Open what came of the event's canaries."""
    return CanaryRecords(_open_database(event))


def copy_database(event: EventConfig, to: SecretStr) -> dict[str, int]:
    """Copy the event from its embedded database into another; gives the number of rows by table."""
    source, target = Database(event.database_url.get_secret_value()), Database(to.get_secret_value())
    upgrade(source)
    try:
        return copy_event(source, target, event.name)
    finally:
        source.close()
        target.close()


def make_dispatcher(
    event: EventConfig,
    *,
    store: SqlStore,
    hosts: Hosts,
    interruption: Interruption,
    observe: Observer,
    hunger_policy: HungerPolicy | None = None,
    scorer: Scorer | None = None,
    sweep: Sweep | None = None,
    is_closed: Callable[[], bool] = lambda: False,
    lease_renewal_s: float = LEASE_RENEWAL_S,
    patience: Patience = PATIENCE,
) -> Dispatcher:
    """Make the event's dispatcher; `hunger_policy` given here wins over the event file."""
    settings = event.dispatcher
    pace = Pace(
        n_workers=event.n_workers,
        hunger_policy=hunger_policy or settings.hunger_policy,
        time_between_collection_s=settings.time_between_collection,
        lease_renewal_s=lease_renewal_s,
    )
    return Dispatcher(
        event.name,
        pace=pace,
        store=store,
        hosts=hosts,
        interruption=interruption,
        now=now,
        observe=observe,
        patience=patience,
        scorer=scorer,
        sweep=sweep,
        is_closed=is_closed,
        limit=hosts.limit if isinstance(hosts, Limited) else lambda: None,
        make_run=_run_by(event, hosts),
        redact=Redactor(secrets_of(event, os.environ)),
    )


def make_sweep(
    event: EventConfig,
    *,
    outputs: StackOutputs | None,
    interruption: Interruption,
    observe: Observer = lambda _: None,
) -> Sweep | None:
    """Make what ends instances of the event's stack that outlived their time; None where nothing is launched."""
    if not event.is_on_ec2:
        return None
    from clients.aws.ec2 import Ec2
    from clients.aws.session import session_for
    from runner.reaping.reaper import Reaper
    from runner.reaping.sweeping import Sweeper

    stack = outputs.stack if outputs else event.name
    instances = Ec2(session_for(event), heard=_heard(event, observe))
    return Sweeper(Reaper(instances, stack=stack, now=now, sleep=interruption.sleep))


def make_hosts(
    event: EventConfig,
    *,
    outputs: StackOutputs | None,
    image: Callable[[], ImageReference],
    interruption: Interruption,
    observe: Observer = lambda _: None,
    launches: Launches | None = None,
    gateway_key: str = "",
    tempo: Tempo = TEMPO,
    keepalive: Keepalive = KEEPALIVE,
    dask_tempo: DaskTempo = DASK_TEMPO,
) -> Hosts:
    """Make the host pool of the event's worker type.

    `image` tells which image hosts are launched from; it is asked now and, from any thread, again before launches, and
    only where hosts are launched from one.

    `gateway_key` is the host key of the stack's gateway, where it has one. `launches` keeps what EC2 is asked for;
    without it a launch that is broken off cannot be found again. `tempo` says how often EC2 is asked, `keepalive` how
    soon a silent host is noticed, `dask_tempo` how soon a Dask worker's machine counts as lost.

    A type that is not built in is an organiser's own worker. Raises AskedWrongly for one that does not exist, and what
    the pool itself refuses before any work.
    """
    makers: dict[str, Callable[[], Hosts]] = {
        "aws": lambda: _ec2_hosts(
            event,
            outputs,
            image,
            interruption=interruption,
            observe=observe,
            launches=launches,
            gateway_key=gateway_key,
            tempo=tempo,
            keepalive=keepalive,
        ),
        "conda": lambda: _this_machine(event),
        "dask": lambda: _dask_hosts(
            event, outputs, gateway_key, interruption=interruption, keepalive=keepalive, tempo=dask_tempo
        ),
    }
    make = makers.get(event.worker.worker_type)
    if make is not None:
        return make()
    own = own_workers(event)
    if own is None:
        hint = f"there are: {', '.join(sorted(makers))}, and package.module:Class"
        raise AskedWrongly(f"worker type {event.worker.worker_type!r} does not exist", hint=hint)
    return own


def standing_host(
    event: EventConfig, instance_id: str, host_key: str, *, outputs: StackOutputs | None = None, gateway_key: str = ""
) -> StandingHost:
    """Make the host pool of one instance that is up; it stays up. Raises AskedWrongly unless it runs."""
    from clients.aws.ec2 import Ec2
    from clients.aws.session import session_for
    from clients.keys import check_key_file
    from runner.workers.aws import way_in

    check_key_file(event.key_path)
    way = way_in(event, outputs, gateway_key)
    _check_tunnel(way)
    instances = Ec2(session_for(event))
    found = running_instance(instances, instance_id, region=event.region, way_in=way)
    host = way.host(found, user=event.worker.ami_user_name, host_key=host_key, key_path=event.key_path)
    standing = Standing(host, event.ramp.problem_name, found.image_id, event.worker.remote_ramp_kit_folder)
    return StandingHost(standing, instances, connect=dialler(event))


def connect_to(event: EventConfig, provisioned: Provisioned) -> Transport:
    """Open a connection of one's own to the host of a run. Raises HostUnreachable."""
    from runner.workers.conda import THIS_MACHINE

    if provisioned.host.host_id == THIS_MACHINE:
        from clients.local import LocalTransport

        return LocalTransport(event.state_dir / "host")
    if event.worker.worker_type == "dask":
        from runner.dask.making import open_machine

        return open_machine(event, provisioned)
    from clients import ssh

    return ssh.connect(provisioned.host, ssh_config=_ssh_config(), environment=_tunnel_environment(event))


def _heard(event: EventConfig, observe: Observer) -> Callable[[str, str], object]:
    return lambda action, code: observe(CloudAsked(event.name, action, code))


def dialler(event: EventConfig, keepalive: Keepalive = KEEPALIVE) -> Callable[[HostAddress], Transport]:
    """How the event's hosts are connected to: those behind a gateway share one connection to it."""
    from clients import ssh

    return partial(
        ssh.connect,
        ssh_config=_ssh_config(),
        keepalive=keepalive,
        gateways=ssh.Gateways(),
        environment=_tunnel_environment(event),
    )


def _tunnel_environment(event: EventConfig) -> dict[str, str]:
    """Credentials that only the event file knows; every other kind a tunnel's program finds by itself, as we do."""
    key, secret = event.worker.access_key_id, event.worker.secret_access_key
    if not key or not secret:
        return {}
    return {"AWS_ACCESS_KEY_ID": key.get_secret_value(), "AWS_SECRET_ACCESS_KEY": secret.get_secret_value()}


def _check_gateway(way: WayIn, connect: Callable[[HostAddress], Transport]) -> None:
    """Refuse one that answers with another key before a host is launched behind it; one that is silent may come back.

    Raises HostKeyRefused.
    """
    if way.gateway is None:
        return
    try:
        connect(way.gateway).close()
    except HostKeyRefused:
        raise
    except HostUnreachable as error:
        _log.warning("the gateway does not answer yet: %s", error.message, extra={"action": "gateway-silent"})


def _check_tunnel(way_in: WayIn) -> None:
    """Raise ToolMissing before anything is launched, unless an ssh config may tell another way."""
    if way_in.tunnel and _ssh_config() is None and shutil.which(way_in.tunnel[0]) is None:
        hint = "install the AWS CLI, version 2 (docs.aws.amazon.com/cli), or set another infra.access"
        raise ToolMissing(f"infra.access: {way_in.access} needs the program {way_in.tunnel[0]} on PATH", hint=hint)


def _ssh_config() -> Path | None:
    named = os.environ.get(SSH_CONFIG_VARIABLE)
    return Path(named) if named else None


def _run_by(event: EventConfig, hosts: Hosts) -> MakeRun:
    if not isinstance(hosts, OwnWorkers):
        return partial(SpreadRun, dividing=Dividing(event.worker.folds_at_a_time))
    interval_s = event.worker.check_finished_training_interval_secs or event.dispatcher.time_between_collection
    return partial(OwnRun, workers=hosts, interval_s=interval_s)


def _open_database(event: EventConfig) -> Database:
    database = Database(event.database_url.get_secret_value())
    upgrade(database)
    return database


def _this_machine(event: EventConfig) -> Hosts:
    from clients.local import LocalTransport
    from runner.workers.conda import ThisMachine

    return ThisMachine(event, open_transport=LocalTransport)


def _dask_hosts(
    event: EventConfig,
    outputs: StackOutputs | None,
    gateway_key: str,
    *,
    interruption: Interruption,
    keepalive: Keepalive,
    tempo: DaskTempo,
) -> Hosts:
    from runner.dask.making import dask_hosts

    ways = dask_ways(event, gateway_key, keepalive)
    return dask_hosts(event, outputs, ways, interruption=interruption, tempo=tempo, now=now)


def dask_ways(event: EventConfig, gateway_key: str = "", keepalive: Keepalive = KEEPALIVE) -> Ways:
    """How the machines of the event's Dask cluster are reached."""
    from clients.ssh_forward import open_forward
    from runner.dask.making import Ways

    forward = partial(
        open_forward, ssh_config=_ssh_config(), keepalive=keepalive, environment=_tunnel_environment(event)
    )
    return Ways(dialler(event, keepalive), forward, gateway_key)


def _ec2_hosts(
    event: EventConfig,
    outputs: StackOutputs | None,
    image: Callable[[], ImageReference],
    *,
    interruption: Interruption,
    observe: Observer,
    launches: Launches | None,
    gateway_key: str,
    tempo: Tempo,
    keepalive: Keepalive,
) -> Hosts:
    from clients.aws.ec2 import Ec2
    from clients.aws.session import session_for
    from clients.keys import check_key_file, new_host_key
    from runner.workers.aws import launch_settings

    current = CurrentImage(image, first=image(), clock=time.monotonic, fresh_s=tempo.image)
    check_key_file(event.key_path)
    instances = Ec2(session_for(event), heard=_heard(event, observe))
    named = event.worker.security_group
    settings = launch_settings(
        event,
        outputs=outputs,
        security_group_id=instances.security_group_id(named) if named else None,
        gateway_key=gateway_key,
    )
    _check_tunnel(settings.way_in)
    connect = dialler(event, keepalive)
    _check_gateway(settings.way_in, connect)
    return Ec2Hosts(
        settings,
        instances,
        image=current,
        connect=connect,
        new_host_key=lambda: HostKey(*new_host_key()),
        now=now,
        interruption=interruption,
        launches=launches,
        observe=observe,
        tempo=tempo,
    )
