"""Know which instance types have a GPU of NVIDIA's."""

from __future__ import annotations

import re

# EC2's accelerated families; g4ad has AMD's GPUs, inf, trn, dl, vt and f have none.
_NVIDIA = re.compile(r"(p[2-6][a-z0-9-]*|g[3-7][a-z0-9]*|gr6[a-z]?)")


def has_nvidia_gpu(instance_type: str) -> bool:
    """Whether machines of the type have a GPU of NVIDIA's, by the name of its family."""
    family = instance_type.partition(".")[0]
    return family != "g4ad" and _NVIDIA.fullmatch(family) is not None
