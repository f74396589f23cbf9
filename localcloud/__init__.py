"""An AWS one can hold in the hand: real hosts behind an AWS API on loopback."""

from localcloud.cloud import LocalCloud
from localcloud.machines import Level

__all__ = ["Level", "LocalCloud"]
