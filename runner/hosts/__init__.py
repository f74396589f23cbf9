"""Hosts on EC2, for as long as a run needs one."""

from runner.hosts.pool import Ec2Hosts
from runner.hosts.settings import HostKey, LaunchSettings, Tempo

__all__ = ["Ec2Hosts", "HostKey", "LaunchSettings", "Tempo"]
