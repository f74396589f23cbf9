"""The section `infra` of the event file: what `pulumi up` declares for the event. One file for each of its parts."""

from contracts.infra.cost import Budget
from contracts.infra.dask import DaskCluster
from contracts.infra.fleet import Fleet, Requirements
from contracts.infra.image import FolderKit, GitKit, Image, OwnComponent, PrivateData, S3Kit
from contracts.infra.infra import DEFAULT_REGION, Infra
from contracts.infra.network import Access, Gateway, Network, WayOut
from contracts.infra.storage import Storage

__all__ = [
    "DEFAULT_REGION",
    "Access",
    "Budget",
    "DaskCluster",
    "Fleet",
    "FolderKit",
    "Gateway",
    "GitKit",
    "Image",
    "Infra",
    "Network",
    "OwnComponent",
    "PrivateData",
    "Requirements",
    "S3Kit",
    "Storage",
    "WayOut",
]
