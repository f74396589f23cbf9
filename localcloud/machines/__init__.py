"""Emulated machines: each one a machine of its own, at one of three levels."""

from localcloud.machines.level import Level
from localcloud.machines.machine import Machine, Spawn
from localcloud.machines.probe import explain_level, strongest_level
from localcloud.machines.room import MachineRoom

__all__ = ["Level", "Machine", "MachineRoom", "Spawn", "explain_level", "strongest_level"]
