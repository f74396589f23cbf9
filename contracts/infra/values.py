"""The kinds of value that only the section `infra` holds: what AWS would refuse, or misunderstand, is refused here."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from contracts.event_values import Count, fault, matching

RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""What CloudWatch Logs takes as the retention of a log group (PutRetentionPolicy)."""

ENDPOINT_SERVICES = (
    *("ec2", "ec2messages", "elasticfilesystem", "events", "imagebuilder", "kms", "logs", "monitoring"),
    *("secretsmanager", "sqs", "ssm", "ssmmessages", "sts"),
)
"""The services that an event's machines may call, by the last part of their endpoint's name."""

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_CRON_FIELDS = (
    ("minutes", 0, 59, ()),
    ("hours", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 1, 7, _DAYS),
    ("year", 1970, 2199, ()),
)
_CRON_FORM = "cron(MINUTES HOURS DAY-OF-MONTH MONTH DAY-OF-WEEK YEAR), like cron(0 3 ? * MON *)"


def _schedule(value: str) -> str:
    """Check a cron or rate expression as Image Builder and EventBridge read it: six fields, one day being `?`."""
    rate = re.fullmatch(r"rate\((\d+) (minutes?|hours?|days?)\)", value)
    if rate:
        count, unit = int(rate[1]), rate[2]
        if count == 0 or (count == 1) == unit.endswith("s"):
            raise fault("is not a rate that AWS takes", "write it like rate(1 day) or rate(7 days)")
        return value
    cron = re.fullmatch(r"cron\((.*)\)", value)
    fields = cron[1].split() if cron else []
    if len(fields) != len(_CRON_FIELDS):
        raise fault("is not a schedule", f"write rate(7 days), or {_CRON_FORM}")
    if (fields[2] == "?") == (fields[4] == "?"):
        raise fault("must say ? for either the day of the month or that of the week", f"write {_CRON_FORM}")
    for text, (name, low, high, words) in zip(fields, _CRON_FIELDS, strict=True):
        if not _is_cron_field(text, low, high, words, takes_any=name.startswith("day")):
            raise fault(f"has {text!r} for the {name}, which is none", f"write {_CRON_FORM}")
    return value


def _is_cron_field(text: str, low: int, high: int, words: tuple[str, ...], *, takes_any: bool) -> bool:
    if text == "?":
        return takes_any
    if takes_any and re.fullmatch(r"L|LW|[1-7]L|([1-9]|[12]\d|3[01])W|[1-7]#[1-5]", text):
        return True
    return all(_is_cron_part(part, low, high, words) for part in text.split(","))


def _is_cron_part(part: str, low: int, high: int, words: tuple[str, ...]) -> bool:
    start, slash, step = part.partition("/")
    if slash and not (step.isdigit() and 0 < int(step) <= high):
        return False
    if start == "*":
        return True
    first, dash, last = start.partition("-")
    ends = [_cron_number(first, words), _cron_number(last, words) if dash else high]
    return all(end is not None and low <= end <= high for end in ends)


def _cron_number(text: str, words: tuple[str, ...]) -> int | None:
    if text.upper() in words:
        return words.index(text.upper()) + 1
    return int(text) if text.isdigit() else None


def _retention(value: int) -> int:
    if value not in RETENTION_DAYS:
        nearest = min(RETENTION_DAYS, key=lambda days: abs(days - value))
        raise fault(
            "is not a number of days that CloudWatch Logs keeps a log", f"write {nearest}, the nearest it takes"
        )
    return value


def _parameter_name(value: str) -> str:
    """Check a parameter that Image Builder writes: its service-linked role may do so below one prefix alone."""
    if not re.fullmatch(r"/imagebuilder(/[A-Za-z0-9_.-]+){1,14}", value) or len(value) > 900:
        raise fault(
            "is not the name of a Systems Manager parameter that Image Builder can write",
            "write /imagebuilder/ and letters, digits, dots, - or _, divided by /: /imagebuilder/challenges/iris",
        )
    return value


def _e_mail(value: str) -> str:
    name, at, domain = value.rpartition("@")
    is_domain = re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", domain)
    if not at or not re.fullmatch(r"[A-Za-z0-9._%+'-]+", name) or not is_domain or len(value) > 50:
        raise fault("is not an e-mail address AWS Budgets writes to", "write at most 50 letters, like you@example.org")
    return value


def _moment(value: object) -> object:
    """Read a time as RFC 3339 has it. YAML itself makes a time of it; one without a zone is nobody's."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            value = None
    if not isinstance(value, datetime):
        raise fault("is not a moment", 'write it in quotes, like "2027-03-31T18:00:00Z"')
    if value.tzinfo is None:
        raise fault("does not say in which time zone", 'write it in quotes with Z for UTC: "2027-03-31T18:00:00Z"')
    return value.replace(microsecond=0)


def _vpc(value: str) -> str:
    if value.lower() in ("own", "default"):
        return value.lower()
    if not re.fullmatch(r"vpc-[0-9a-f]{8,17}", value):
        raise fault("is not one of the choices", "write own, default, or the id of a VPC, like vpc-0abc1234def567890")
    return value


def _endpoint(value: str) -> str:
    if value not in ENDPOINT_SERVICES:
        hint = "s3 has one always, for nothing" if value == "s3" else "write one of: " + ", ".join(ENDPOINT_SERVICES)
        raise fault("is not a service that gets an endpoint", hint)
    return value


def _port(value: int) -> int:
    if not 1 <= value <= 65535:
        raise fault("is not a port", "write a number from 1 to 65535")
    return value


Schedule = Annotated[str, AfterValidator(_schedule)]
RetentionDays = Annotated[Count, AfterValidator(_retention)]
ParameterName = Annotated[str, AfterValidator(_parameter_name)]
EMail = Annotated[str, AfterValidator(_e_mail)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
EndpointService = Annotated[str, AfterValidator(_endpoint)]
Port = Annotated[Count, AfterValidator(_port)]
Vpc = Annotated[str, AfterValidator(_vpc)]
SubnetId = Annotated[
    str, matching(r"subnet-[0-9a-f]{8,17}", "is not the id of a subnet", "write it like subnet-0abc1234def567890")
]
SecretName = Annotated[
    str,
    matching(
        r"[a-z][a-z0-9-]{0,31}", "is not the name of a secret", "write small letters, digits or -, at most 32: osf"
    ),
]
PolicyArn = Annotated[
    str,
    matching(
        r"arn:aws[a-z-]*:iam::(\d{12}|aws):policy/[A-Za-z0-9+=,.@_/-]{1,512}",
        "is not the ARN of an IAM policy",
        "write it like arn:aws:iam::111122223333:policy/boundary",
    ),
]
TagValue = Annotated[
    str,
    matching(
        r"[A-Za-z0-9 _.:/=+@-]{1,256}",
        "cannot be the value of a tag",
        "write at most 256 letters, digits, blanks or _.:/=+@-",
    ),
]
Dollars = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
AccountId = Annotated[
    str, matching(r"\d{12}", "is not the id of an AWS account", "write its twelve digits in quotes: '111122223333'")
]
KeyArn = Annotated[
    str,
    matching(
        r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]{1,64}",
        "is not the ARN of a KMS key",
        "write it like arn:aws:kms:eu-west-3:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    ),
]
ObjectAddress = Annotated[
    str,
    matching(
        r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[A-Za-z0-9!_.()/-]{1,500}(?<!/)",
        "is not the address of an object in a bucket",
        "write s3://, the bucket and the object's key: s3://challenges/iris-kit.tar.gz",
    ),
]
FolderAddress = Annotated[
    str,
    matching(
        r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/([A-Za-z0-9!_.()-]{1,200}/){1,20}",
        "is not the address of a folder in a bucket",
        "write s3://, the bucket, and a folder that ends in /: s3://challenges/iris/private/",
    ),
]
Sha256 = Annotated[
    str, matching(r"[0-9a-f]{64}", "is not a SHA-256 checksum", "write the 64 digits that sha256sum prints")
]
PackageName = Annotated[
    str,
    matching(
        r"[a-z0-9][a-z0-9+.-]{1,99}(=[A-Za-z0-9.+:~-]{1,99})?",
        "is not the name of a Debian package",
        "write small letters, digits, +, . or -, with a version after = where it matters: graphviz",
    ),
]
DriverBranch = Annotated[
    str,
    matching(
        r"\d{3}(-server)?(-open)?",
        "is not a branch of NVIDIA's driver",
        "write it as Ubuntu does: 570-server",
    ),
]
VariableName = Annotated[
    str,
    matching(
        r"[A-Za-z0-9_-]{3,128}",
        "is not the name of a document's parameter",
        "write 3 to 128 letters, digits, - or _",
    ),
]
