"""Keep one Image Builder per region."""

from __future__ import annotations

import threading
from pathlib import Path

from localcloud.imagebuilder.clients import Clients
from localcloud.imagebuilder.images import Images
from localcloud.imagebuilder.operations import Operations
from localcloud.imagebuilder.ports import MachineOf
from localcloud.imagebuilder.refusals import Refusal
from localcloud.imagebuilder.registry import Registry


class Regions:
    """The operations of each region, made when it is first asked; regions share nothing."""

    def __init__(self, home: str, *, endpoint: str, machine_of: MachineOf, folder: Path) -> None:
        self._home = home
        self._endpoint = endpoint
        self._machine_of = machine_of
        self._folder = folder
        self._lock = threading.Lock()
        self._made: dict[str, tuple[Operations, Images, Clients]] = {}
        self._closed = False

    def of(self, region: str | None) -> Operations:
        """The operations of a region, of the home region where none is said."""
        name = region or self._home
        with self._lock:
            if self._closed:
                raise Refusal("ServiceUnavailableException", "The local cloud is being stopped.")
            if name not in self._made:
                self._made[name] = self._make(name)
            return self._made[name][0]

    def close(self) -> None:
        """End the builds of all regions."""
        with self._lock:
            self._closed = True
            made = list(self._made.values())
        for _, images, clients in made:
            images.close()
            clients.close()

    def _make(self, name: str) -> tuple[Operations, Images, Clients]:
        registry = Registry(name)
        clients = Clients(self._endpoint, name)
        images = Images(registry, clients, self._machine_of, self._folder / name)
        return Operations(registry, clients, images), images, clients
