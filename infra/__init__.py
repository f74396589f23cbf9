"""Declare an event's infrastructure with Pulumi.

Import the modules by name: `program` is the whole, one file per component beside it. The modules that import neither
`pulumi` nor `pulumi_aws` are pure: `addresses`, `fleet_settings`, `keys`, `naming`, `policies`, `tags`, `user_data`.
"""
