"""Run a Pulumi program on the official mocks and keep what it registers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pulumi
from google.protobuf import empty_pb2
from pulumi.runtime import mocks, rpc, settings
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.stack import run_in_stack

ZONES = ["eu-west-3c", "eu-west-3a", "eu-west-3b"]


@dataclass(frozen=True)
class Registration:
    """One resource as the engine would see it; inputs by their wire names, secrets still wrapped."""

    type: str
    name: str
    inputs: dict[str, Any]
    parent: str
    provider: str
    retained: bool


@dataclass
class Recording:
    """Every registration, in order, with the stack's outputs."""

    registrations: list[Registration] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)

    def of(self, kind: str) -> list[Registration]:
        """The registrations whose type ends so, such as `:Subnet`, by name."""
        return sorted((each for each in self.registrations if each.type.endswith(kind)), key=lambda each: each.name)

    def only(self, kind: str) -> Registration:
        (registration,) = self.of(kind)
        return registration

    def resources(self) -> list[Registration]:
        """What AWS would be asked for: no components, no provider."""
        return [each for each in self.registrations if each.type.startswith("aws:")]


class _Answers(mocks.Mocks):
    """Ids and looked-up values that look like AWS's."""

    def call(self, args: mocks.MockCallArgs) -> Any:
        answers: dict[str, dict[str, Any]] = {
            "aws:index/getAvailabilityZones:getAvailabilityZones": {"names": ZONES},
            "aws:ec2/getVpc:getVpc": {"id": "vpc-default"},
            "aws:ec2/getSubnets:getSubnets": {"ids": ["subnet-default-b", "subnet-default-a"]},
        }
        return answers[args.token]

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        arn = f"arn:aws:test:::{args.name}"
        return f"id-{args.name}", {"arn": arn, "name": args.name, "keyName": args.name, **args.inputs}


class _Recorder(mocks.MockMonitor):
    def __init__(self) -> None:
        super().__init__(_Answers())
        self.recording = Recording()

    def GetDeploymentInfo(self, request: Any) -> Any:  # noqa: N802
        return resource_pb2.DeploymentInfo(supportedFeatures=[resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS])

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == "pulumi:pulumi:Stack":
            return resource_pb2.RegisterResourceResponse(urn=urn)
        inputs = rpc.deserialize_properties(request.object)
        self.recording.registrations.append(
            Registration(request.type, request.name, inputs, request.parent, request.provider, request.retainOnDelete)
        )
        identity, state = self.mocks.new_resource(mocks.MockResourceArgs(request.type, request.name, inputs))
        answer = resource_pb2.RegisterResourceResponse(urn=urn, id=identity or "")
        answer.object.update(state)
        return answer

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        answer = resource_pb2.ResourceInvokeResponse()
        getattr(answer, "return").update(self.mocks.call(mocks.MockCallArgs(request.tok, {}, request.provider)))
        return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        if "pulumi:pulumi:Stack::" in request.urn and "$" not in request.urn:
            self.recording.outputs = rpc.deserialize_properties(request.outputs)
        return empty_pb2.Empty()


def record(program: Callable[[], Mapping[str, Any] | None], *, stack: str = "iris") -> Recording:
    """Run the program as the stack `stack`; raises what it raises."""
    recorder = _Recorder()
    raised: list[BaseException] = []

    async def run() -> None:
        # a program that fails leaves futures behind that nobody awaits: their complaints would come at any later moment
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        settings.configure(settings.Settings(project="rampart", stack=stack))
        settings.set_root_resource(cast(pulumi.Resource, recorder))
        mocks.set_mocks(recorder.mocks, project="rampart", stack=stack, preview=False, monitor=recorder)
        settings.set_root_resource(cast(pulumi.Resource, None))

        def declare() -> None:
            for name, value in (program() or {}).items():
                pulumi.export(name, value)

        await run_in_stack(declare)

    def body() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            raised.append(error)

    # a thread starts with an empty context, so nothing of Pulumi's settings outlives the program
    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]
    return recorder.recording
