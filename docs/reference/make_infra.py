"""Write docs/reference/infra.md from the models of the event file and the list of what is declared.

python docs/reference/make_infra.py
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))  # a script's own folder is all that Python looks in

from contracts.infra import (  # noqa: E402
    Budget,
    DaskCluster,
    Fleet,
    FolderKit,
    Gateway,
    GitKit,
    Image,
    Infra,
    Network,
    OwnComponent,
    PrivateData,
    Requirements,
    S3Kit,
    Storage,
    WayOut,
)
from contracts.stack import StackOutputs  # noqa: E402
from infra import declared  # noqa: E402
from infra.declared import Row  # noqa: E402
from localcloud.deployer.lookups import LOOKUPS  # noqa: E402
from localcloud.deployer.rehearsed import NOT_ACTED_ON  # noqa: E402

SECTIONS: tuple[tuple[str, tuple[type[BaseModel], ...]], ...] = (
    ("infra", (Infra,)),
    ("infra.network", (Network,)),
    ("infra.host_egress[]", (WayOut,)),
    ("infra.gateway", (Gateway,)),
    ("infra.image", (Image,)),
    ("infra.image.kit", (FolderKit, GitKit, S3Kit)),
    ("infra.image.private_data", (PrivateData,)),
    ("infra.image.components[]", (OwnComponent,)),
    ("infra.fleet", (Fleet,)),
    ("infra.fleet.requirements", (Requirements,)),
    ("infra.dask", (DaskCluster,)),
    ("infra.storage", (Storage,)),
    ("infra.budget", (Budget,)),
)
PARTS = {
    "network": "Network (`infra/network.py`)",
    "endpoints": "Endpoints (`infra/endpoints.py`)",
    "flow_logs": "Flow logs (`infra/flow_logs.py`)",
    "access": "Who gets in (`infra/access.py`)",
    "gateway": "Jump host (`infra/gateway.py`)",
    "connect_endpoint": "Connect endpoint (`infra/connect_endpoint.py`)",
    "images": "Images (`infra/images.py`)",
    "build_profile": "What image builds may do (`infra/build_profile.py`)",
    "retirement": "Old images (`infra/retirement.py`)",
    "hosts": "Hosts of single runs (`infra/hosts.py`)",
    "fleet": "Standing fleet (`infra/fleet.py`)",
    "interruptions": "Notices of interruptions (`infra/interruptions.py`)",
    "dask": "Dask cluster (`infra/dask.py`)",
    "bucket": "Bucket (`infra/bucket.py`)",
    "shared_files": "Shared files (`infra/shared_files.py`)",
    "secrets": "Secrets (`infra/secrets.py`)",
    "spending": "Budget (`infra/spending.py`)",
}


def page() -> str:
    """The whole page."""
    text = [_HEAD, "## Options\n"]
    for name, models in SECTIONS:
        text.append(f"### `{name}`\n")
        text.append(_table(("key", "meaning", "default", "example"), _options(models)))
    text.append("## Resources\n")
    text.append(_ABOUT_RESOURCES)
    for part, title in PARTS.items():
        rows = [row for row in (*declared.ROWS, *declared.OCCASIONAL) if row.component == part]
        text.append(f"### {title}\n")
        text.append(_table(("resource", "Pulumi type", "what it is", "only with"), map(_resource, rows)))
    text.append("## Outputs\n")
    text.append(_outputs())
    text.append(_LOCAL.format(functions=", ".join(f"`{token}`" for token in sorted(LOOKUPS))))
    text.append(_table(("Pulumi type", "what the local cloud does not do with it"), _rehearsed()))
    return "\n".join(text)


def _options(models: Iterable[type[BaseModel]]) -> Iterator[tuple[str, ...]]:
    for model in models:
        for key, field in model.model_fields.items():
            example = " ".join(f"`{each}`" for each in field.examples or ())
            yield f"`{key}`", field.description or "", _default(key, field), example


def _default(key: str, field: FieldInfo) -> str:
    value: Any = field.default
    if field.is_required():
        filled_in = {"image": "see below", "kit": "the folder `ramp.kit_dir`", "folder": "`ramp.kit_dir`"}
        return filled_in.get(key, "required")
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value is None or value in ((), {}):
        return "none"
    return "see below" if isinstance(value, BaseModel) else f"`{value}`"


def _resource(row: Row) -> tuple[str, ...]:
    return f"`{row.purpose}`", f"`{row.token}`", row.about, row.asked_by


def _outputs() -> str:
    names = ", ".join(f"`{name}`" for name in StackOutputs.model_fields)
    return _OUTPUTS.format(names=names)


def _rehearsed() -> Iterator[tuple[str, ...]]:
    for token, sentence in sorted(NOT_ACTED_ON.items()):
        yield f"`{token}`", sentence


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


_HEAD = """\
# The infrastructure of an event

Written by `docs/reference/make_infra.py` from the event file's models and the program's list of what it declares.

One event is one Pulumi stack of the same name. `pulumi up --stack iris` declares, in the region of the event file and in no other, what
the tables below list; it needs `events/iris/config.yml` (another file: `RAMPART_EVENT_FILE`) and the public half of the event's SSH key
(`worker.key_path` + `.pub`; without that key, the one `invoke up` or `invoke keys-create` makes). `invoke up --event iris` asks
[preflight](../how-to/run-on-aws.md#before-the-first-event) first, makes stack and key where they are missing, and keeps the outputs. With
`--local` the same program is deployed into the local cloud.

Ready events: `events/iris` (on demand, small), `events/spot` (a spot fleet in private subnets behind a jump host, a budget),
`events/dask` (a cluster, a bucket, a shared file system, a secret). [What they cost](../how-to/costs.md).
[What a changed key changes](../how-to/change-an-event.md).
"""

_ABOUT_RESOURCES = """\
Every resource that takes tags has `Name`, `rampart:event`, `rampart:stack`, `rampart:managed-by`, and `rampart:cost-center` where the
event gives one. Names are `rampart-<event>-<resource>`; Pulumi's provider appends a suffix of its own, so that a replacement can stand
beside what it replaces. A name too long for AWS is cut and told apart by a hash.

What holds for all of them, and is tested over every option: no rule lets the world in; IMDSv2 with hop limit 1; disks, files, objects and
queues encrypted; no instance profile but the build's; no secret in outputs, user data or documents; user data under 16 KB; every
machine ends itself, the jump host aside, which ends with the stack.

Fleet and cluster are made from the event's newest verified image, so they come with the first `up` after the first `invoke build-ami` and
`invoke verify-ami`; until then the output `waits_for_image` names them. A standing fleet's number of machines (`target`) is the event file's at the first `up` and left
alone afterwards.
"""

_OUTPUTS = """\
{names}.

None is a secret (of a secret, its ARN). They are kept in `.rampart/<event>/outputs.json` by `invoke up`, and asked of `pulumi stack
output` otherwise. A key written in the event file (`worker.security_group`, `key_name`, `ami_image_name`, ...) wins over an output.
"""

_LOCAL = """\
## On AWS and on the local cloud

`--local` runs the program in this process, on Pulumi's hook for tests, with a handler for each type above and an answer for each function
the program calls ({functions}). It is a rehearsal of the program, not Pulumi's engine:

| | `pulumi up` | `--local` |
|---|---|---|
| nothing changed | nothing happens | the same; each resource is looked for in the cloud, and made again if it is gone |
| a property changed | updated in place where AWS can, else replaced | always replaced, and with it what uses its id |
| a resource that cannot stand beside its successor (subnet, rule, route, attachment) | replaced as the provider knows | the old one goes first, and before it what depends on it |
| no longer declared | deleted | deleted |
| superseded components and recipes, storage that is to be kept | kept | kept |
| interrupted or failed | the engine's state knows what was made | the state file knows: `up` goes on from there, `destroy` removes it |
| `preview` | what would change | the same; an id that does not exist yet is a placeholder |
| `refresh` | the state is brought in line with the cloud | what is gone is forgotten, and made by the next `up` |
| `destroy` | reverse order of dependency | the same |
| `protect`, imports, aliases, policy packs | yes | no |

The local deployer talks to endpoints on this machine only and never reads AWS's own files or profiles. Its state file has mode 0600 and
holds no secret: of a secret property only a keyed fingerprint is kept, to see whether it changed. A type it cannot make ends the
deployment with a list of those it can.

What is made, found again and deleted there like everything else, but not acted upon:
"""


if __name__ == "__main__":
    (HERE / "infra.md").write_text(page(), encoding="utf-8")
