"""Tell what each resource of the program is for: the list that the reference page is written from.

It stands for itself and imports no component; a test holds it against what the program declares.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Row:
    """One resource of a component, or several alike: `<...>` in `purpose` is what tells these apart.

    `asked_by` is the key of the event file without which there is none.
    """

    component: str
    purpose: str
    token: str
    about: str
    asked_by: str = ""


_INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
_EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
_GROUP = "aws:ec2/securityGroup:SecurityGroup"
_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
_INSTANCE = "aws:ec2/instance:Instance"
_ROLE = "aws:iam/role:Role"
_POLICY = "aws:iam/rolePolicy:RolePolicy"
_ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
_LOGS = "aws:cloudwatch/logGroup:LogGroup"
_FLEET = "aws:ec2/fleet:Fleet"
_ENDPOINT = "aws:ec2/vpcEndpoint:VpcEndpoint"
_ROUTES = "aws:ec2/routeTable:RouteTable"
_ROUTE = "aws:ec2/route:Route"
_LIFECYCLE = "aws:imagebuilder/lifecyclePolicy:LifecyclePolicy"

_OWN = "infra.network.vpc: own"
_PRIVATE = "infra.network.subnets: private"
_NAT = "infra.network.nat"
_LOGGED = "infra.network.flow_logs"
_GATEWAY = "infra.access: gateway"
_EICE = "infra.access: eice"
_BUCKET = "infra.storage.bucket, or a kit or a document too long to be given inline"
_SPOT = "spot machines: worker.use_spot_instance, infra.fleet, infra.dask"
_LEGACY = "infra.fleet.kind: spot-fleet-request"
_DASK = "infra.dask"
_DASK_STANDS = "infra.dask, unless worker.cluster is ec2"
_EFS = "infra.storage.efs"

ROWS = (
    Row("network", "vpc", "aws:ec2/vpc:Vpc", "the event's VPC, `infra.network.cidr`", _OWN),
    Row(
        "network",
        "default-group",
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
        "the group the VPC comes with, emptied: it would let everything out",
        _OWN,
    ),
    Row("network", "gateway", "aws:ec2/internetGateway:InternetGateway", "the VPC's way out", _OWN),
    Row("network", "routes", _ROUTES, "of the public subnets", _OWN),
    Row("network", "way-out", _ROUTE, "everything beyond the VPC goes to the gateway", _OWN),
    Row("network", "private-routes", _ROUTES, "of the private subnets: no way out", _PRIVATE),
    Row("network", "private-way-out", _ROUTE, "everything beyond the VPC goes through NAT", _NAT),
    Row("network", "nat", "aws:ec2/natGateway:NatGateway", "lets private subnets out, in the public subnet", _NAT),
    Row("network", "nat-address", "aws:ec2/eip:Eip", "its address", _NAT),
    Row(
        "network",
        "subnet-<n>",
        "aws:ec2/subnet:Subnet",
        "for hosts, one per zone: the first `infra.network.availability_zones` of the region by name, each an eighth "
        "of the range",
        _OWN,
    ),
    Row(
        "network",
        "subnet-public",
        "aws:ec2/subnet:Subnet",
        "for image builds, the jump host and NAT: the last eighth, in the first zone",
        _PRIVATE,
    ),
    Row(
        "network",
        "subnet-<n>-routes",
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        "which route table a subnet uses",
        _OWN,
    ),
    Row("endpoints", "endpoint-s3", _ENDPOINT, "reaches S3 without leaving AWS's network, for nothing", _OWN),
    Row("endpoints", "endpoint-<service>", _ENDPOINT, "an interface endpoint", "infra.network.endpoints"),
    Row("endpoints", "endpoints", _GROUP, "of the interface endpoints: no way out", "infra.network.endpoints"),
    Row("endpoints", "endpoints-from-vpc", _INGRESS, "443 from the VPC", "infra.network.endpoints"),
    Row("flow_logs", "flow-log", "aws:ec2/flowLog:FlowLog", "accepted and rejected connections", _LOGGED),
    Row("flow_logs", "flow-logs", _LOGS, "kept for `infra.network.flow_log_retention_days`", _LOGGED),
    Row("flow_logs", "flow-logs-writer", _ROLE, "writes it; VPC's flow logs alone can take it", _LOGGED),
    Row("flow_logs", "flow-logs-writing", _POLICY, "into that log group", _LOGGED),
    Row(
        "access",
        "key",
        "aws:ec2/keyPair:KeyPair",
        "the public half of the event's key; not made where `worker.key_name` names a key pair",
    ),
    Row("access", "hosts", _GROUP, "the hosts': no way out"),
    Row(
        "access",
        "ssh-from-<range>",
        _INGRESS,
        "22 from one range of `infra.allowed_cidrs`; ranges that touch are joined",
        "infra.access: public or inside",
    ),
    Row("access", "ssh-from-server", _INGRESS, "22 from the server's group"),
    Row("access", "hosts-to-<range>-on-<port>", _EGRESS, "one way out of the hosts", "infra.host_egress"),
    Row("access", "server", _GROUP, "for a dispatcher in the VPC: give it to that machine; nothing in"),
    Row("access", "server-to-hosts", _EGRESS, "22 to the hosts"),
    Row("access", "server-to-<port>", _EGRESS, "80 and 443 out: AWS's own services, packages"),
    Row("access", "image-builder", _GROUP, "the build instances': nothing in"),
    Row("access", "image-builder-to-<port>", _EGRESS, "80 and 443 out: packages, the kit's repository, AWS's services"),
    Row("access", "jump-host", _GROUP, "the jump host's", _GATEWAY),
    Row("access", "jump-host-from-<range>", _INGRESS, "22 from one range of `infra.allowed_cidrs`", _GATEWAY),
    Row("access", "jump-host-to-hosts", _EGRESS, "22 to the hosts", _GATEWAY),
    Row("access", "ssh-from-jump-host", _INGRESS, "22 of the hosts from it", _GATEWAY),
    Row("access", "connect-endpoint", _GROUP, "the connect endpoint's: nothing in", _EICE),
    Row("access", "connect-endpoint-to-hosts", _EGRESS, "22 to the hosts", _EICE),
    Row("access", "ssh-from-connect-endpoint", _INGRESS, "22 of the hosts from it", _EICE),
    Row(
        "gateway",
        "jump-host",
        _INSTANCE,
        "`infra.gateway`: a public address, no profile, IMDSv2, encrypted disk, a host key of its own",
        _GATEWAY,
    ),
    Row(
        "connect_endpoint",
        "connect-endpoint",
        "aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint",
        "in the first subnet for hosts; reaches all of them",
        _EICE,
    ),
    Row("bucket", "bucket", "aws:s3/bucket:Bucket", "`data/`, `results/`, `components/`", _BUCKET),
    Row(
        "bucket",
        "bucket-closed",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "no public access of any kind",
        _BUCKET,
    ),
    Row("bucket", "bucket-owner", "aws:s3/bucketOwnershipControls:BucketOwnershipControls", "no access lists", _BUCKET),
    Row(
        "bucket",
        "bucket-encryption",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "everything is encrypted",
        _BUCKET,
    ),
    Row(
        "bucket",
        "bucket-versions",
        "aws:s3/bucketVersioning:BucketVersioning",
        "what is overwritten or deleted can be had back",
        _BUCKET,
    ),
    Row(
        "bucket",
        "bucket-lifecycle",
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "`results/` go after `infra.storage.results_days`, old versions and broken uploads before",
        _BUCKET,
    ),
    Row("bucket", "bucket-policy", "aws:s3/bucketPolicy:BucketPolicy", "TLS only", _BUCKET),
    Row("shared_files", "files", "aws:efs/fileSystem:FileSystem", "encrypted", _EFS),
    Row("shared_files", "files", "aws:efs/accessPoint:AccessPoint", "the one folder, as one user", _EFS),
    Row("shared_files", "files", "aws:efs/fileSystemPolicy:FileSystemPolicy", "TLS only, by the access point", _EFS),
    Row("shared_files", "files-<n>", "aws:efs/mountTarget:MountTarget", "one per subnet for hosts", _EFS),
    Row("shared_files", "files", _GROUP, "of the mount targets", _EFS),
    Row("shared_files", "files-from-<client>", _INGRESS, "2049 from the server and the cluster, not from hosts", _EFS),
    Row("shared_files", "<client>-to-files", _EGRESS, "the other end of it", _EFS),
    Row(
        "secrets",
        "secret-<name>",
        "aws:secretsmanager/secret:Secret",
        "one of `infra.secrets`; seven days to have it back",
        "infra.secrets",
    ),
    Row("build_profile", "image-build", _ROLE, "what build instances may do; EC2 alone can take it"),
    Row(
        "build_profile",
        "image-build-<policy>",
        _ATTACHMENT,
        "AWS's `EC2InstanceProfileForImageBuilder` and `AmazonSSMManagedInstanceCore`",
    ),
    Row("build_profile", "image-build-read-bucket", _POLICY, "read `data/` and `components/`", _BUCKET),
    Row("build_profile", "image-build-read-secrets", _POLICY, "read exactly the event's secrets", "infra.secrets"),
    Row(
        "build_profile",
        "image-build-read-elsewhere",
        _POLICY,
        "read exactly these objects of other buckets",
        "infra.image.kit.s3, infra.image.private_data.s3",
    ),
    Row(
        "build_profile",
        "image-build",
        "aws:iam/instanceProfile:InstanceProfile",
        "hands the role to build instances, never to hosts",
    ),
    Row(
        "images",
        "<component>",
        "aws:imagebuilder/component:Component",
        "a document of the catalogue; its version follows its content; kept when superseded",
    ),
    Row(
        "images",
        "recipe",
        "aws:imagebuilder/imageRecipe:ImageRecipe",
        "`infra.image.parent_image`, the components with their parameters, a gp3 root volume of "
        "`infra.image.volume_gib`, encrypted by `infra.image.kms_key` or the account's default key, no Systems Manager "
        "agent left, tag `rampart:recipe`; kept when superseded",
    ),
    Row(
        "images",
        "builds",
        "aws:imagebuilder/infrastructureConfiguration:InfrastructureConfiguration",
        "where builds run: `infra.image.instance_type`, the build subnet, IMDSv2 with hop limit 1, ended on failure",
    ),
    Row(
        "images",
        "distribution",
        "aws:imagebuilder/distributionConfiguration:DistributionConfiguration",
        "AMI name `<image name> <build date>`, tags `rampart:event`, `rampart:stack`, `rampart:recipe`, "
        "`rampart:status=tested`, the parameter `infra.image.ssm_parameter`, the accounts `infra.image.share_with` and "
        "no others",
    ),
    Row(
        "images",
        "image",
        "aws:imagebuilder/imagePipeline:ImagePipeline",
        "joins them; runs when asked (`invoke build-ami`) and by `infra.image.schedule`, tests on",
    ),
    Row("images", "image-logs", _LOGS, "of builds, kept for `infra.image.log_retention_days`"),
    Row("retirement", "retirement", _LIFECYCLE, "keeps the newest `infra.image.keep` images, and what may be in use"),
    Row(
        "retirement",
        "retirement-scheduled",
        _LIFECYCLE,
        "the same for images that the schedule built, which carry no tag of ours",
        "infra.image.schedule",
    ),
    Row("retirement", "retirement", _ROLE, "deletes them; Image Builder alone can take it"),
    Row("retirement", "retirement", _POLICY, "those of this event alone, never a verified one"),
    Row(
        "hosts",
        "host",
        _TEMPLATE,
        "IMDSv2, hop limit 1, no profile, encrypted gp3 root volume (the larger of `infra.volume_gib` and the "
        "image's), terminate on shutdown, tags for instance, volume and interface, a deadline",
    ),
    Row("fleet", "standing-host", _TEMPLATE, "the same with the image, and a deadline of its own", "infra.fleet"),
    Row(
        "fleet",
        "fleet",
        _FLEET,
        "types (or requirements) in each subnet, spot beyond `on_demand_base`, ends at `valid_until` with its machines",
        "infra.fleet",
    ),
    Row("fleet", "fleet", "aws:ec2/spotFleetRequest:SpotFleetRequest", "the same as AWS had it before", _LEGACY),
    Row("fleet", "fleet-role", _ROLE, "launches and tags for it; Spot Fleet alone can take it", _LEGACY),
    Row("fleet", "fleet-role", _ATTACHMENT, "AWS's `AmazonEC2SpotFleetTaggingRole`", _LEGACY),
    Row(
        "interruptions",
        "interruptions",
        "aws:cloudwatch/eventRule:EventRule",
        "spot notices and rebalance recommendations of the region",
        _SPOT,
    ),
    Row("interruptions", "interruptions", "aws:cloudwatch/eventTarget:EventTarget", "go to the queue", _SPOT),
    Row("interruptions", "interruptions", "aws:sqs/queue:Queue", "encrypted, forgets soon", _SPOT),
    Row("interruptions", "interruptions", "aws:sqs/queuePolicy:QueuePolicy", "that rule alone may send", _SPOT),
    Row("dask", "dask-scheduler", _INSTANCE, "the scheduler, on demand", _DASK_STANDS),
    Row("dask", "dask-scheduler", _TEMPLATE, "its machine: as a host's, with the unit that starts it", _DASK),
    Row("dask", "dask-worker", _TEMPLATE, "a worker's machine", _DASK),
    Row("dask", "dask-workers", _FLEET, "the workers: as `infra.fleet`", _DASK_STANDS),
    Row("dask", "dask", _GROUP, "SSH to all its machines", _DASK),
    Row("dask", "dask-scheduler", _GROUP, "the scheduler's", _DASK),
    Row("dask", "dask-workers", _GROUP, "the workers'", _DASK),
    Row("dask", "dask-ssh-from-<whom>", _INGRESS, "22 from the server, and the way in or `infra.allowed_cidrs`", _DASK),
    Row("dask", "dask-scheduler-from-<whom>", _INGRESS, "8786 from workers and server", _DASK),
    Row("dask", "dask-workers-from-<whom>", _INGRESS, "from the scheduler and among themselves", _DASK),
    Row("dask", "dask-scheduler-to-workers", _EGRESS, "the other end of it", _DASK),
    Row("dask", "dask-workers-to-<whom>", _EGRESS, "the other end of it", _DASK),
    Row("dask", "dask-server-to-scheduler", _EGRESS, "8786 out of the server's group", _DASK),
    Row("dask", "<whom>-to-dask", _EGRESS, "22 out of the server's and the way in's group", _DASK),
    Row(
        "spending",
        "budget",
        "aws:budgets/budget:Budget",
        "e-mails at 50, 80 and 100 % of `infra.budget.monthly_usd`, and when the forecast passes it",
        "infra.budget",
    ),
)
"""Every resource that any event declares in a stack without long documents and secrets' values."""

OCCASIONAL = (
    Row(
        "images",
        "<component>-document",
        "aws:s3/bucketObjectv2:BucketObjectv2",
        "a document that is too long for Image Builder's API, in the bucket's `components/`",
        "a kit of more than about 11 KiB",
    ),
    Row(
        "images",
        "image-upload-<number>",
        "aws:s3/bucketObjectv2:BucketObjectv2",
        "a kit that is too long for any document, in the bucket's `components/`; kept when superseded",
        "a kit of more than about 45 KiB, packed",
    ),
    Row(
        "secrets",
        "secret-<name>",
        "aws:secretsmanager/secretVersion:SecretVersion",
        "its value, where the stack's configuration has it",
        "pulumi config set --secret secret-<name>",
    ),
)


def row_of(token: str, purpose: str) -> Row:
    """Find the row of a resource by its type and what its logical name ends with. Raises KeyError."""
    rows = [row for row in (*ROWS, *OCCASIONAL) if row.token == token]
    exact = [row for row in rows if row.purpose == purpose]
    found = exact or [row for row in rows if _pattern(row.purpose).fullmatch(purpose)]
    if not found:
        raise KeyError(f"{token} {purpose}")
    return found[0]


@cache
def _pattern(purpose: str) -> re.Pattern[str]:
    parts = re.split(r"(<.*?>)", purpose)
    return re.compile("".join(".+" if part.startswith("<") else re.escape(part) for part in parts))
