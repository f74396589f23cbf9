"""Run component documents on a machine that a transport reaches, without EC2 Image Builder."""

from imagebuilder.running.execution import Execution, Failure, carry_out
from imagebuilder.running.machine import Machine
from imagebuilder.running.ports import Documents, ObjectStore
from imagebuilder.running.restarting import ask_to_restart, life_of

__all__ = ["Documents", "Execution", "Failure", "Machine", "ObjectStore", "ask_to_restart", "carry_out", "life_of"]
