"""Write the IAM policies that a person needs to run an event, and no more."""

from infra.permissions.documents import LONGEST
from infra.permissions.parts import policies_for

__all__ = ["LONGEST", "policies_for"]
