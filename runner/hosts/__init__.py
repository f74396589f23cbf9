"""Hosts on EC2, for as long as a run needs one."""

from runner.hosts.image import CurrentImage
from runner.hosts.pool import Ec2Hosts
from runner.hosts.settings import TEMPO, LaunchSettings, Tempo
from runner.hosts.way_in import WayIn

__all__ = ["TEMPO", "CurrentImage", "Ec2Hosts", "LaunchSettings", "Tempo", "WayIn"]
