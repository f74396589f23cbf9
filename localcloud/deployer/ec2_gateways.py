"""Make the doors of a VPC: addresses, NAT gateways, endpoints of AWS's services and of EC2 Instance Connect."""

from __future__ import annotations

from localcloud.deployer.handler import Created, Handler, Made, Wanted
from localcloud.deployer.shapes import arn_of, chosen, tag_specifications

_ENDED = ("deleted", "deleting")
_OF_AN_ENDPOINT = ("vpcEndpointType", "routeTableIds", "subnetIds", "securityGroupIds", "privateDnsEnabled")


def _create_address(wanted: Wanted) -> Created:
    answer = wanted.client("ec2").allocate_address(
        Domain=wanted.inputs.get("domain", "vpc"), TagSpecifications=tag_specifications(wanted, "elastic-ip")
    )
    address = answer["AllocationId"]
    return Created(address, {"allocationId": address, "publicIp": answer["PublicIp"]})


def _create_nat_gateway(wanted: Wanted) -> Created:
    answer = wanted.client("ec2").create_nat_gateway(
        SubnetId=wanted.inputs["subnetId"],
        ConnectivityType=wanted.inputs.get("connectivityType", "public"),
        TagSpecifications=tag_specifications(wanted, "natgateway"),
        **chosen(wanted.inputs, "allocationId"),
    )["NatGateway"]
    [place] = answer["NatGatewayAddresses"]
    outputs = {"networkInterfaceId": place["NetworkInterfaceId"], "privateIp": place["PrivateIp"]}
    return Created(answer["NatGatewayId"], {**outputs, "publicIp": place.get("PublicIp", "")})


def _find_nat_gateway(made: Made) -> bool:
    found = made.client("ec2").describe_nat_gateways(NatGatewayIds=[made.id])["NatGateways"]
    return any(gateway["State"] not in _ENDED for gateway in found)


def _create_endpoint(wanted: Wanted) -> Created:
    endpoint = wanted.client("ec2").create_vpc_endpoint(
        VpcId=wanted.inputs["vpcId"],
        ServiceName=wanted.inputs["serviceName"],
        TagSpecifications=tag_specifications(wanted, "vpc-endpoint"),
        **{"VpcEndpointType": "Gateway", **chosen(wanted.inputs, *_OF_AN_ENDPOINT, policy="PolicyDocument")},
    )["VpcEndpoint"]
    identity = endpoint["VpcEndpointId"]
    outputs = {"networkInterfaceIds": endpoint.get("NetworkInterfaceIds", []), "state": endpoint["State"]}
    return Created(identity, {**outputs, "arn": arn_of(wanted, "ec2", f"vpc-endpoint/{identity}")})


def _find_endpoint(made: Made) -> bool:
    found = made.client("ec2").describe_vpc_endpoints(VpcEndpointIds=[made.id])["VpcEndpoints"]
    return any(endpoint["State"] not in _ENDED for endpoint in found)


def _create_connect_endpoint(wanted: Wanted) -> Created:
    endpoint = wanted.client("ec2").create_instance_connect_endpoint(
        SubnetId=wanted.inputs["subnetId"],
        SecurityGroupIds=wanted.inputs.get("securityGroupIds", []),
        TagSpecifications=tag_specifications(wanted, "instance-connect-endpoint"),
        **chosen(wanted.inputs, "preserveClientIp"),
    )["InstanceConnectEndpoint"]
    outputs = {
        "arn": endpoint["InstanceConnectEndpointArn"],
        "availabilityZone": endpoint["AvailabilityZone"],
        "dnsName": endpoint["DnsName"],
        "networkInterfaceIds": endpoint["NetworkInterfaceIds"],
        "ownerId": endpoint["OwnerId"],
        "vpcId": endpoint["VpcId"],
    }
    return Created(endpoint["InstanceConnectEndpointId"], outputs)


HANDLERS = {
    "aws:ec2/eip:Eip": Handler(
        _create_address,
        lambda made: made.client("ec2").describe_addresses(AllocationIds=[made.id]),
        lambda made: made.client("ec2").release_address(AllocationId=made.id),
    ),
    "aws:ec2/natGateway:NatGateway": Handler(
        _create_nat_gateway,
        _find_nat_gateway,
        lambda made: made.client("ec2").delete_nat_gateway(NatGatewayId=made.id),
        joins=True,  # its address cannot serve two
    ),
    "aws:ec2/vpcEndpoint:VpcEndpoint": Handler(
        _create_endpoint,
        _find_endpoint,
        lambda made: made.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[made.id]),
        joins=True,  # its private name cannot mean two
    ),
    "aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint": Handler(
        _create_connect_endpoint,
        lambda made: made.client("ec2").describe_instance_connect_endpoints(InstanceConnectEndpointIds=[made.id]),
        lambda made: made.client("ec2").delete_instance_connect_endpoint(InstanceConnectEndpointId=made.id),
    ),
}
