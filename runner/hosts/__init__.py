"""Hosts on EC2, for as long as a run needs one."""

from runner.hosts.pool import Ec2Hosts
from runner.hosts.settings import TEMPO, HostKey, LaunchSettings, Tempo

__all__ = ["TEMPO", "Ec2Hosts", "HostKey", "LaunchSettings", "Tempo"]
