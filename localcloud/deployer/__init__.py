"""Rehearse a Pulumi program on the local cloud, in this process."""

from localcloud.deployer.deployer import Deployer
from localcloud.deployer.progress import Action, Change, Deployment

__all__ = ["Action", "Change", "Deployer", "Deployment"]
