"""Declare an event's infrastructure with Pulumi.

Import the modules by name: `program` is the whole, `ground` what it stands on, one file per component beside them,
`declared` the list of all that is declared. The modules that import neither `pulumi` nor `pulumi_aws` are pure:
`addresses`, `declared`, `fleet_settings`, `keys`, `naming`, `policies`, `tags`, `user_data`, and the packages
`preflight` (what only AWS can tell) and `permissions` (what a person must be allowed).
"""
