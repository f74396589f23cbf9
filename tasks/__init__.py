"""The commands of `invoke`: see them with invoke --list, one with invoke --help NAME."""

from invoke.collection import Collection

from tasks import (
    canary,
    dask,
    databases,
    doctor,
    environments,
    iam_policy,
    image_choice,
    images,
    keys,
    linting,
    local,
    organising,
    preflight,
    provisioning,
    reaping,
    runs,
    verifying,
)

namespace = Collection()
for _module in (
    preflight,
    provisioning,
    iam_policy,
    keys,
    images,
    verifying,
    image_choice,
    linting,
    environments,
    canary,
    dask,
    runs,
    organising,
    databases,
    reaping,
    doctor,
    local,
):
    for _task in Collection.from_module(_module).tasks.values():
        namespace.add_task(_task)
