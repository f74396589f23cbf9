"""Compose the local cloud: an AWS API with real hosts behind it, from start to end in one process."""

from __future__ import annotations

import json
import os
import resource
import secrets
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from contracts.errors import AskedWrongly, UnknownName
from contracts.infra import DEFAULT_REGION
from localcloud import addresses, control, environment, injections, small_http, state
from localcloud.api_faults import ApiFaults
from localcloud.injections import Fault, Injection, Injections
from localcloud.injector import Injector
from localcloud.loop import LoopThread
from localcloud.machines import Level, Machine, MachineRoom, strongest_level

if TYPE_CHECKING:
    from localcloud.hosts import Hosts
    from localcloud.moto_instances import Instances

SPOT_NOTICE_S = 120
_OPEN_FILES = 65_536

_one_at_a_time = threading.Lock()


class LocalCloud:
    """An AWS on loopback with one real SSH host per running instance; use it as a context manager.

    Everything it makes lies below `folder` (a temporary one unless given) and is gone when it ends. moto keeps its
    state per process, so one process holds one cloud at a time. `port` 0 takes a free one.
    """

    def __init__(
        self,
        folder: Path | None = None,
        level: Level | None = None,
        real_packages: bool = False,
        *,
        port: int = 0,
        on_stop_asked: Callable[[], None] | None = None,
    ) -> None:
        self.environment: dict[str, str] = {}
        self.folder = folder.absolute() if folder else Path()
        self._wanted_folder = folder
        self._wanted_level = level
        self._real_packages = real_packages
        self._port = port
        self._on_stop_asked = on_stop_asked or (lambda: None)
        self._ending = ExitStack()
        self._injections = Injections()
        self._api = ApiFaults(self._injections)

    def __enter__(self) -> LocalCloud:
        with ExitStack() as starting:
            self._start(starting)
            self._ending = starting.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.close()

    def machine(self, instance_id: str) -> Machine:
        """The machine behind an instance that is not terminated; raises UnknownName."""
        return self._hosts.machine(instance_id)

    def spot_notice(self, instance_id: str, *, seconds: float = SPOT_NOTICE_S) -> None:
        """Announce the end of a spot instance, as EC2 does two minutes ahead, and end it then."""
        at = datetime.now(UTC) + timedelta(seconds=seconds)
        self._hosts.announce(instance_id, interruption_at=_aws_time(at))
        self._instances.mark_for_interruption(instance_id)
        timer = threading.Timer(seconds, self._instances.interrupt, args=(instance_id,))
        timer.daemon = True
        timer.start()
        self._ending.callback(timer.cancel)

    def rebalance(self, instance_id: str) -> None:
        """Announce that a spot instance is at a higher risk of interruption."""
        self._hosts.announce(instance_id, rebalance_at=_aws_time(datetime.now(UTC)))

    def lose(self, instance_id: str) -> None:
        """End an instance without notice, as when the hardware under it fails."""
        if instance_id not in self._hosts.ids():
            raise UnknownName(f"no running instance {instance_id}", hint="aws ec2 describe-instances lists them")
        self._instances.lose(instance_id)

    def inject(self, fault: Fault, *, count: int | None = None, seconds: float | None = None) -> str:
        """Begin a fault of `localcloud.injections`, for so many times or seconds; gives the name to undo it by.

        Raises AskedWrongly where the fault cannot be bounded so, UnknownName for a host that does not run.
        """
        return self._injector.inject(fault, count=count, seconds=seconds)

    def undo(self, injection: str) -> None:
        """End a fault before its time; `all` ends every one. Raises UnknownName."""
        self._injector.undo(injection)

    def injections(self) -> list[Injection]:
        """The faults in force, oldest first."""
        return self._injections.active()

    def calls(self) -> Counter[str]:
        """How often each action of any service was asked for since the cloud started, refused calls included."""
        return self._api.calls()

    def _start(self, ending: ExitStack) -> None:
        if not _one_at_a_time.acquire(blocking=False):
            raise AskedWrongly("this process already holds a local cloud", hint="end that one first")
        ending.callback(_one_at_a_time.release)
        _raise_open_files(ending)
        self.folder = self._claimed_folder(ending)
        self.level = self._wanted_level or strongest_level()
        room = ending.enter_context(
            MachineRoom(
                self.folder / "machines",
                level=self.level,
                environment=environment.this_prefix(),
                real_packages=self._real_packages,
                masked=_private_places(self.folder),
            )
        )
        self._loop = LoopThread()
        self._loop.start()
        ending.callback(self._loop.stop)
        aws_url = self._start_aws(room, ending)
        imagebuilder_url = self._start_imagebuilder(aws_url, ending)
        self.environment = environment.environment(
            aws_url=aws_url,
            imagebuilder_url=imagebuilder_url,
            ssh_config=self.folder / "ssh_config",
            prefix=environment.this_prefix(),
            state_dir=self.folder / "state",
            outer=os.environ,
        )
        self._open_control(ending)

    def _claimed_folder(self, ending: ExitStack) -> Path:
        if self._wanted_folder is None:
            folder = Path(tempfile.mkdtemp(prefix="rampart-localcloud-"))
            ending.callback(shutil.rmtree, folder)
        else:
            folder = self._wanted_folder.absolute()
        claim = state.Claim(folder)
        ending.callback(claim.release)
        for name in ("imagebuilder", "state"):  # of a cloud that was killed here; its machines their room clears
            shutil.rmtree(folder / name, ignore_errors=True)
        for name in ("machines", "imagebuilder", "state"):
            ending.callback(shutil.rmtree, folder / name, ignore_errors=True)
        for name in ("ssh_config", "known_hosts"):
            ending.callback((folder / name).unlink, missing_ok=True)
        return folder

    def _start_aws(self, room: MachineRoom, ending: ExitStack) -> str:
        # moto and asyncssh take most of a second to import; those who only ask for the environment need neither
        from localcloud import connect_endpoints, default_network, moto_gaps, spot_requests
        from localcloud.client_tokens import ClientTokens
        from localcloud.fleets import EC2Fleets
        from localcloud.hosts import Hosts
        from localcloud.launch_templates import TemplateVersions
        from localcloud.limits import Limits
        from localcloud.moto_images import Images
        from localcloud.moto_instances import Instances
        from localcloud.moto_patches import Patches
        from localcloud.moto_server import MotoServer, forget_everything
        from localcloud.spot_fleets import SpotFleets
        from localcloud.standing_fleets import Keeper
        from localcloud.visibility import Visibility

        self._injector = Injector(self._injections, lambda: self._hosts)
        ending.callback(self._injector.close)
        self._hosts: Hosts = Hosts(
            room, self._loop, self.folder, lambda instance_id: self._instances.shut_down_inside(instance_id)
        )
        images = Images(self._hosts, self._injections)
        self._instances: Instances = Instances(self._hosts, images)
        patches = Patches()
        ending.callback(patches.undo)
        for addition in (spot_requests, connect_endpoints, default_network, moto_gaps):
            addition.install(patches)
        limits, keeper = Limits(self._injections), Keeper()
        # what is installed last is asked first: a repeated call must not reach the fleets
        for part in (
            *(self._instances, images, TemplateVersions(), Visibility(self._injections)),
            *(limits, EC2Fleets(limits, keeper), SpotFleets(limits, keeper), ClientTokens()),
        ):
            part.install(patches)
        # emptied backends fill themselves again: only while they are patched do they do it with our images
        forget_everything()
        ending.callback(forget_everything)
        ending.callback(self._hosts.close)
        ending.callback(keeper.close)
        try:
            server = MotoServer(self._port, self._api.around)
        except OSError as error:
            raise AskedWrongly(f"port {self._port} cannot be taken: {error}", hint="choose another --port") from error
        url = server.start()
        ending.callback(server.stop)
        return url

    def _start_imagebuilder(self, aws_url: str, ending: ExitStack) -> str:
        from localcloud.imagebuilder import ImageBuilderServer

        server = ImageBuilderServer(
            ec2_endpoint=aws_url,
            region=DEFAULT_REGION,
            machine_of=self.machine,
            folder=self.folder / "imagebuilder",
            meets=self._api.meets,
        )
        url = server.start()
        ending.callback(server.stop)
        return url

    def _open_control(self, ending: ExitStack) -> None:
        token = secrets.token_urlsafe(32)
        actions: dict[str, control.Action] = {
            "spot-notice": self._spot_notice_asked,
            "rebalance": self.rebalance,
            "lose": self.lose,
            "inject": self._injection_asked,
            "undo": self.undo,
            "injections": lambda _argument: self._injections.listed(),
            "calls": lambda _argument: dict(self.calls()),
            "stop": lambda _argument: self._on_stop_asked(),
        }
        door = addresses.bound("127.0.0.1", 0)
        url = f"http://127.0.0.1:{door.getsockname()[1]}"
        server = self._loop.call(small_http.serve(control.Control(token, actions).handle, door))
        ending.callback(lambda: self._loop.call(small_http.close(server)))
        state.write(self.folder, state.State(os.getpid(), self.level, self.environment, url, token))
        ending.callback(state.remove, self.folder)

    def _spot_notice_asked(self, argument: str) -> None:
        """The instance, then the seconds until its end where they are not the usual ones."""
        instance_id, _, seconds = argument.partition("/")
        self.spot_notice(instance_id, seconds=float(seconds or SPOT_NOTICE_S))

    def _injection_asked(self, argument: str) -> dict[str, str]:
        """The fault's kind, its parameters and its bounds as JSON."""
        asked = json.loads(argument)
        fault = injections.made_from(asked["kind"], asked["parameters"])
        return {"injection": self.inject(fault, count=asked["count"], seconds=asked["seconds"])}


def _private_places(folder: Path) -> tuple[Path, ...]:
    """What no machine may see besides the homes: the cloud's own state, and the checkout it was started from."""
    checkout = Path(__file__).resolve().parents[1]
    places = [folder]
    if (checkout / "pyproject.toml").is_file():
        places.append(checkout)
    return tuple(places)


def _raise_open_files(ending: ExitStack) -> None:
    """A host takes two sockets and a session four pipes: a few hundred of them pass the usual limit of 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    ending.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))


def _aws_time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
