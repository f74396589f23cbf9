"""What a Dask cluster that a loop starts on EC2 is made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Ec2ClusterPlan(BaseModel):
    """Handed to the process that keeps the cluster; a pool is one of the types in one of the subnets.

    `cluster_id` tells this start of the cluster from every other one, by the tag of contracts.instance.LAUNCH_TAG. Each
    machine ends itself at the age of `lifetime_s`. `n_threads` bounds the threads of the libraries that submissions
    use.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cluster_id: str = ""
    stack: str
    event: str
    region: str
    scheduler_template_id: str
    worker_template_id: str
    subnet_ids: tuple[str, ...] = Field(min_length=1)
    scheduler_type: str
    worker_types: tuple[str, ...] = Field(min_length=1)
    minimum: int
    maximum: int
    spot: bool
    on_demand_base: int = 0
    max_price_usd: str = ""
    lifetime_s: float
    user: str
    prefix: str
    n_threads: int | None = None
    insecure: bool = False
