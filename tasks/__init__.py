"""The commands of `invoke`: see them with invoke --list, one with invoke --help NAME."""

from invoke.collection import Collection

from tasks import databases, doctor, environments, images, local, organising, provisioning, reaping, runs

namespace = Collection()
for _module in (provisioning, images, environments, runs, organising, databases, reaping, doctor, local):
    for _task in Collection.from_module(_module).tasks.values():
        namespace.add_task(_task)
