"""Do with a connected Dask client what frames ask for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from clients.dask.frames import Frame

_HOLD = "rampart-hold-"  # before a run's key: the task that takes its place
_LOOK_S = 0.5
_ANSWER_S = 20.0
_CALL_S = 40.0  # longer than any command's output is waited for at a time
_REMEMBERED = 10_000
_MOST_TRIES = 20
_NOBODY = "no worker is on that machine"
_ANOTHER = "another scheduler answers there now"


class Session:
    """One connected client, with the runs it keeps a place for."""

    def __init__(self, client: Any, module: Any) -> None:
        """`module` is what workers run, as they have it."""
        self._client = client
        self._module = module
        self._scheduler = ""  # which one it is: another one has not been told what workers run
        self._places: dict[str, dict[str, str]] = {}  # the last place of each run, by its key
        self._wanted: dict[str, asyncio.Future[dict[str, str]]] = {}
        self._kept: dict[str, str] = {}  # the machine that a run has settled on
        self._machines: dict[str, str] = {}  # by address
        self._futures: dict[str, Any] = {}
        self._calls: dict[str, set[asyncio.Future[Any]]] = {}  # on each worker, by its address
        self._given_back: deque[str] = deque(maxlen=_REMEMBERED)  # runs that have given their place back
        self._leaving: set[asyncio.Future[None]] = set()

    async def begin_listening(self) -> None:
        """Hear of every place that is taken, those of the past too."""
        self._scheduler = str((await self._client.scheduler.identity())["id"])
        self._client.subscribe_topic(self._module.TOPIC, self._heard)
        for _, event in await self._client.get_events(self._module.TOPIC) or ():
            self._note(event)

    async def answer(self, frame: Frame) -> Frame:
        """Do what one frame asks for."""
        asked = frame.header
        match asked.get("verb"):
            case "hold":
                return Frame(await self._hold(str(asked["key"]), float(asked["limit_s"])))
            case "keep":
                return Frame(await self._keep(str(asked["key"]), str(asked["machine"]), float(asked["limit_s"])))
            case "release":
                return Frame(await self._release(str(asked["key"])))
            case "workers":
                return Frame(await self._workers())
            case "begin":
                argv = [str(word) for word in asked["argv"]]
                address = await self._address(str(asked["machine"]), str(asked.get("key")))
                first = (argv, frame.payload, bool(asked["ends"]), float(asked["wait_s"]))
                return _output(await self._on(address, self._module.begin, str(asked["command"]), *first), address)
            case "write":
                piece = (frame.payload, bool(asked["ends"]))
                takes = await self._on(asked["address"], self._module.write, str(asked["command"]), *piece)
                return Frame({"takes": takes})
            case "read":
                wait_s = float(asked["wait_s"])
                told = await self._on(asked["address"], self._module.read, str(asked["command"]), wait_s)
                return _output(told, asked["address"])
            case "kill":
                await self._kill(str(asked["machine"]), str(asked["command"]))
                return Frame({})
        raise ValueError("nobody knows this verb")

    async def watch(self) -> None:
        """Have new workers ready while somebody waits for a place; returns when the scheduler is silent.

        Raises ConnectionError when it was started anew: Dask's client goes on with the next one without a word.
        """
        while self._client.status == "running":
            await asyncio.wait_for(self._look(), _ANSWER_S)
            await asyncio.sleep(_LOOK_S)

    async def _look(self) -> None:
        scheduler = await self._client.scheduler.identity()
        if scheduler["id"] != self._scheduler:
            raise ConnectionError(_ANOTHER)
        present = set(scheduler["workers"])
        for address in set(self._machines) - present:
            del self._machines[address]
            for call in self._calls.pop(address, ()):
                call.cancel()
        new = present - set(self._machines)
        if new:
            await self._greet(sorted(new))

    async def _greet(self, addresses: list[str]) -> None:
        """Learn which machines new workers are on; one that is gone again, or not ready yet, is asked another time."""
        told = await self._client.run(self._module.machine, workers=addresses, on_error="ignore")
        ready = await self._client.run(self._module.offer, workers=list(told), on_error="ignore") if told else {}
        self._machines.update({address: str(told[address]) for address in ready})
        if any(ready.values()):
            # a scheduler looks for places when a worker comes, and not when that has something more to offer
            given = {key for keys in (await self._client.processing()).values() for key in keys}
            for key in [key for key in self._wanted if _HOLD + key not in given]:
                await self._withdraw(key)

    async def _hold(self, key: str, limit_s: float) -> dict[str, Any]:
        """Wait for a place for a run; one that it has, from an earlier life of ours, is its place still."""
        with suppress(ValueError):
            self._given_back.remove(key)
        self._futures[key] = await self._published(key) or await self._submitted(key, limit_s)
        wanted = self._wanted[key] = asyncio.get_running_loop().create_future()
        tries = 0
        try:
            while key not in self._places:
                over = asyncio.ensure_future(self._over(self._futures[key]))
                await asyncio.wait([wanted, over], return_when=asyncio.FIRST_COMPLETED)
                over.cancel()
                if wanted.cancelled():
                    raise asyncio.CancelledError
                if not wanted.done():  # its worker ended before it began, or there are places where there were none
                    tries += 1
                    if tries > _MOST_TRIES:
                        raise ConnectionError("no worker begins what it is given")
                    await asyncio.sleep(_LOOK_S)
                if not wanted.done():
                    self._futures[key] = await self._submitted(key, limit_s)
        finally:
            self._wanted.pop(key, None)
        place = self._places[key]
        self._kept[key] = place["machine"]
        self._machines[place["address"]] = place["machine"]
        return {"machine": place["machine"], "address": place["address"]}

    async def _keep(self, key: str, machine: str, limit_s: float) -> dict[str, Any]:
        """Have a run's place on its machine taken still, or again where worker or scheduler had to be started anew."""
        place = self._places.get(key, {})
        if machine not in self._machines.values():
            await self._look()
        addresses = [address for address, name in self._machines.items() if name == machine]
        if not addresses:
            raise ConnectionError(_NOBODY)
        is_there = place.get("machine") == machine
        if not (is_there and (place["address"] in addresses or await self._published(key) is not None)):
            await self._release(key)
            self._given_back.remove(key)
            self._futures[key] = await self._submitted(key, limit_s, addresses)
        self._kept[key] = machine
        return {}

    async def _release(self, key: str) -> dict[str, Any]:
        self._kept.pop(key, None)
        self._given_back.append(key)
        if (wanted := self._wanted.get(key)) is not None:
            wanted.cancel()
        address = self._places.get(key, {}).get("address") or await self._holder(key)
        await self._forget(key)
        if address is not None:
            await self._let_go_at(address, key)
        return {}

    async def _workers(self) -> dict[str, Any]:
        await self._look()
        processing = await self._client.processing()
        return {
            "workers": [
                {"address": address, "machine": machine, "runs": [
                    key.removeprefix(_HOLD) for key in processing.get(address, ()) if str(key).startswith(_HOLD)
                ]}
                for address, machine in sorted(self._machines.items())
            ]
        }  # fmt: skip

    async def _holder(self, key: str) -> str | None:
        """The worker whose place a run has, where the scheduler has forgotten that it was told."""
        processing = await self._client.processing()
        return next((address for address, keys in processing.items() if _HOLD + key in keys), None)

    async def _kill(self, machine: str, command: str) -> None:
        """Wherever it was begun; other workers know nothing of it."""
        addresses = [address for address, name in self._machines.items() if name == machine]
        if addresses:
            await self._client.run(self._module.kill, command, workers=addresses, on_error="ignore")

    async def _submitted(self, key: str, limit_s: float, addresses: list[str] | None = None) -> Any:
        self._places.pop(key, None)
        pinned = {"workers": addresses, "allow_other_workers": False, "priority": 1} if addresses else {}
        place = {self._module.RESOURCE: 1}
        future = self._client.submit(
            self._module.hold, key, limit_s, key=_HOLD + key, resources=place, retries=0, pure=False, **pinned
        )
        await self._client.publish_dataset(future, name=_HOLD + key, override=True)
        return future

    async def _published(self, key: str) -> Any:
        if _HOLD + key not in await self._client.list_datasets():
            return None
        future = await self._client.get_dataset(_HOLD + key)
        return future if future.status == "pending" else None

    async def _forget(self, key: str) -> None:
        self._places.pop(key, None)
        await self._withdraw(key)
        self._futures.pop(key, None)

    async def _withdraw(self, key: str) -> None:
        with suppress(KeyError):
            await self._client.unpublish_dataset(_HOLD + key)
        if key in self._futures:
            with suppress(Exception):  # what is over is over
                await self._client.cancel([self._futures[key]], force=True)

    async def _over(self, future: Any) -> None:
        with suppress(Exception, asyncio.CancelledError):  # why is no matter: the place is not there
            await future

    def _heard(self, event: Any) -> None:
        told = event[1] if isinstance(event, tuple) else event
        self._note(told)
        key = told.get("key") if isinstance(told, dict) else None
        if not isinstance(key, str):
            return
        if (wanted := self._wanted.get(key)) is not None and not wanted.done():
            wanted.set_result(told)
        elif self._kept.get(key, told.get("machine")) != told.get("machine") or key in self._given_back:
            # Dask has moved the task; the run itself is where it was, or over
            task = asyncio.ensure_future(self._let_go_at(str(told.get("address")), key))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)

    async def _let_go_at(self, address: str, key: str) -> None:
        with suppress(Exception):  # a worker that is gone keeps no place
            await self._on(address, self._module.let_go, key)

    def _note(self, event: Any) -> None:
        if isinstance(event, dict) and all(isinstance(event.get(name), str) for name in ("key", "machine", "address")):
            self._places[event["key"]] = {name: event[name] for name in ("machine", "address")}
            if len(self._places) > _REMEMBERED:  # other loops' runs are told of, too
                del self._places[next(key for key in self._places if key not in self._kept)]

    async def _address(self, machine: str, key: str) -> str:
        """A worker of the machine: the one whose place the run has is not ended before the run is."""
        place = self._places.get(key, {}).get("address", "")
        for again in (False, True):
            for address in (place, *self._machines):
                if self._machines.get(address) == machine:
                    return address
            if not again:
                await self._look()
        raise ConnectionError(_NOBODY)

    async def _on(self, address: str, function: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """Call a function on a worker, for as long as the scheduler knows that one: else it dials it for long."""
        if address not in self._machines:
            raise ConnectionError("the worker is gone")
        call = asyncio.ensure_future(self._client.run(function, *arguments, workers=[address]))
        calls = self._calls.setdefault(address, set())
        calls.add(call)
        try:
            return (await asyncio.wait_for(call, _CALL_S))[address]
        except asyncio.CancelledError as error:
            if address in self._machines:
                raise
            raise ConnectionError("the worker has ended") from error
        except OSError as error:  # Dask's own errors of a broken connection among them
            raise ConnectionError("the worker does not answer") from error
        finally:
            calls.discard(call)


def _output(told: dict[str, Any], address: str) -> Frame:
    out, err = told["out"], told["err"]
    return Frame({"out": len(out), "code": told["code"], "address": address}, out + err)
