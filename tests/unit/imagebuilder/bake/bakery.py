"""An account with machines and images in memory, for bakes; everything that happens is noted in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from contracts.errors import CloudError
from contracts.image import MachineImage
from contracts.instance import Instance
from contracts.remote import CommandResult
from imagebuilder.bake import Order
from imagebuilder.catalogue import Component
from imagebuilder.ports import Rented, Transport
from imagebuilder.renting import Clockwork

START = datetime(2026, 11, 20, 10, 30, 15, 250_000, tzinfo=UTC)
BASE = Component("base", "1.0.1", "", {}, "")
ORDER = Order(
    image_name="flowers-backend",
    parent_image="ami-parent",
    components=(BASE,),
    event="flowers",
    tags={"rampart:event": "flowers", "rampart:recipe": "1.0.7"},
    instance_type="t3.medium",
    profile="builds",
    build_timeout_s=600,
    test_timeout_s=60,
    image_timeout_s=300,
)


class MemoryTransport:
    """A connection to one machine of the bakery: it reads host keys from its disk, and is cleaned."""

    def __init__(self, bakery: Bakery, name: str, keys: str) -> None:
        self.bakery = bakery
        self.name = name
        self.keys = keys

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float | None = 60.0) -> CommandResult:
        assert argv[0] == "sh"
        return CommandResult(0, self.keys.encode(), b"")

    def send(self, argv: Sequence[str], chunks: Iterable[bytes], *, timeout_s: float = 600.0) -> CommandResult:
        assert argv[:4] == ("sudo", "-n", "sh", "-s")
        verb = argv[5]
        self.bakery.note(f"{verb} {self.name}")
        return CommandResult(0, self.bakery.left[verb].encode(), b"")

    def receive(self, argv: Sequence[str], *, timeout_s: float = 600.0) -> AbstractContextManager[Iterator[bytes]]:
        return nullcontext(iter(()))

    def close(self) -> None:
        self.bakery.note(f"close {self.name}")


class Bakery:
    """Machines, images and documents in one; `fails` maps what happens to the error that comes of it."""

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.fails: dict[str, BaseException] = {}
        self.left = {"clean": "", "look": ""}
        self.keys = {"build": "ssh-ed25519 AAAAbuild root@build\nssh-rsa AAAAb", "test": "ssh-ed25519 AAAAtest"}
        self.images: dict[str, MachineImage] = {}
        self.states = ["pending", "available"]
        self.encrypts = True
        self.up: set[str] = set()
        self.elapsed_s = 0.0
        self.lines: Mapping[str, Sequence[str]] = {}
        self.rented_as: dict[str, dict[str, object]] = {}

    @property
    def clockwork(self) -> Clockwork:
        return Clockwork(
            now=lambda: START + timedelta(seconds=self.elapsed_s), clock=lambda: self.elapsed_s, sleep=self.sleep
        )

    def sleep(self, seconds: float) -> None:
        self.elapsed_s += seconds

    def note(self, what: str) -> None:
        self.happened.append(what)
        if what in self.fails:
            raise self.fails[what]

    # the machines

    @contextmanager
    def rented(
        self, image_id: str, *, instance_type: str, purpose: str, lifetime_s: float, profile: str = ""
    ) -> Iterator[Rented]:
        name = purpose.rpartition("-")[2]
        self.rented_as[name] = {"type": instance_type, "lifetime_s": lifetime_s, "profile": profile, "purpose": purpose}
        instance = Instance(f"i-{name}", "running", "192.0.2.1", image_id, instance_type, START)
        try:
            self.note(f"launch {name} from {image_id}")
            transport = MemoryTransport(self, name, self.keys[name])
            yield Rented(instance, f"ssh-ed25519 AAAA{name}", transport, 1.0)
        finally:
            self.note(f"terminate {name}")

    def reconnected(self, rented: Rented, *, has_restarted: Callable[[Transport], bool]) -> Rented:
        return rented

    # the documents

    def run_documents(
        self,
        rented: Rented,
        components: Sequence[Component],
        phases: Sequence[str],
        *,
        log: Callable[[str], None],
        timeout_s: float,
    ) -> Rented:
        assert components == ORDER.components
        for phase in phases:
            log("Document base")
            log(f"Phase {phase}")
            for line in self.lines.get(phase, ()):
                log(line)
            self.note(f"{phase} on {rented.instance.instance_id}")
        return rented

    # the images

    def create(self, instance_id: str, *, name: str, description: str, tags: Mapping[str, str]) -> str:
        self.note(f"create of {instance_id}")
        return self._add(name, tags, is_encrypted=self.encrypts)

    def copy_encrypted(
        self, image_id: str, *, name: str, description: str, tags: Mapping[str, str], kms_key: str
    ) -> str:
        self.note(f"copy {image_id} with the key {kms_key!r}")
        assert all(image.name != name for image in self.images.values())
        return self._add(name, tags, is_encrypted=True)

    def by_id(self, image_id: str) -> MachineImage | None:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return replace(self.images[image_id], state=state) if state else None

    def tagged(self, tags: Mapping[str, str]) -> tuple[MachineImage, ...]:
        return tuple(image for image in self.images.values() if tags.items() <= image.tags.items())

    def tag(self, image_id: str, tags: Mapping[str, str]) -> None:
        self.note(f"tag {image_id} {' '.join(tags.values())}")
        self.images[image_id] = replace(self.images[image_id], tags={**self.images[image_id].tags, **tags})

    def share(self, image_id: str, accounts: Sequence[str]) -> None:
        self.note(f"share {image_id} with {' '.join(accounts)}")

    def deregister(self, image: MachineImage) -> None:
        self.note(f"deregister {image.image_id}")
        del self.images[image.image_id]

    def discard(self, tags: Mapping[str, str]) -> None:
        self.note("discard")
        for image in self.tagged(tags):
            del self.images[image.image_id]

    def _add(self, name: str, tags: Mapping[str, str], *, is_encrypted: bool) -> str:
        image_id = f"ami-{len(self.images) + 1}"
        self.images[image_id] = MachineImage(
            image_id, name, self.clockwork.now(), "pending", dict(tags), is_encrypted=is_encrypted
        )
        return image_id


def refused(code: str = "Whatever") -> CloudError:
    """What the API may answer to anything."""
    return CloudError("EC2 does not want to", code=code, hint="ask it nicely")
