"""Answer Image Builder's operations."""

from __future__ import annotations

import copy
from collections.abc import Callable

from localcloud.imagebuilder.clients import Clients
from localcloud.imagebuilder.components import Components
from localcloud.imagebuilder.configurations import KINDS, Configurations
from localcloud.imagebuilder.images import Images
from localcloud.imagebuilder.refusals import Refusal
from localcloud.imagebuilder.registry import Record, Registry

Operation = Callable[[Record], Record]


class Operations:
    """The table of what the emulator can do."""

    def __init__(self, registry: Registry, clients: Clients, images: Images) -> None:
        self._registry = registry
        self._table = {
            **_component_operations(Components(registry, clients)),
            **_configuration_operations(registry),
            **_image_operations(images),
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "ListTagsForResource": self._tags,
        }

    def answer(self, operation: str, arguments: Record) -> Record:
        """Do an operation; raises Refusal. One at a time; the answer is a copy nobody changes any more."""
        act = self._table.get(operation)
        if act is None:
            raise Refusal("NotImplementedException", f"The local cloud's Image Builder does not have {operation}.")
        with self._registry.lock:
            return copy.deepcopy(self._registry.once(operation, arguments, lambda: act(arguments)))

    def _tag(self, arguments: Record) -> Record:
        self._registry.get(arguments["resourceArn"])["tags"].update(arguments["tags"])
        return {}

    def _untag(self, arguments: Record) -> Record:
        tags = self._registry.get(arguments["resourceArn"])["tags"]
        for key in arguments["tagKeys"]:
            tags.pop(key, None)
        return {}

    def _tags(self, arguments: Record) -> Record:
        return {"tags": self._registry.get(arguments["resourceArn"])["tags"]}


def _component_operations(components: Components) -> dict[str, Operation]:
    return {
        "CreateComponent": components.create,
        "GetComponent": components.get,
        "ListComponents": components.list,
        "ListComponentBuildVersions": components.list_build_versions,
        "DeleteComponent": components.delete,
    }


def _configuration_operations(registry: Registry) -> dict[str, Operation]:
    table: dict[str, Operation] = {}
    for name, kind in KINDS.items():
        resource = Configurations(registry, kind)
        table |= {
            f"Create{name}": resource.create,
            f"Get{name}": resource.get,
            f"List{kind.plural}": resource.list,
            f"Delete{name}": resource.delete,
        }
        if name != "ImageRecipe":
            table[f"Update{name}"] = resource.update
    return table


def _image_operations(images: Images) -> dict[str, Operation]:
    return {
        "StartImagePipelineExecution": images.start_pipeline,
        "CreateImage": images.create,
        "GetImage": images.get,
        "ListImages": images.list,
        "ListImageBuildVersions": images.list_build_versions,
        "ListImagePipelineImages": images.list_of_pipeline,
        "CancelImageCreation": images.cancel,
        "DeleteImage": images.delete,
        "ListWorkflowExecutions": images.list_workflows,
        "ListWorkflowStepExecutions": images.list_steps,
        "GetWorkflowExecution": images.get_workflow,
        "GetWorkflowStepExecution": images.get_step,
    }
