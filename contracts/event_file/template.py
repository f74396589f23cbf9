"""Write the commented event file a new event begins with."""

from __future__ import annotations

import math
import re
from pathlib import Path

import yaml
from pydantic import TypeAdapter, ValidationError

from contracts.errors import AskedWrongly
from contracts.event_file.findings import is_plain
from contracts.event_values import Name

_NAME = TypeAdapter(Name)


def render_event(name: str, kit_dir: Path, *, problem: str | None = None, region: str = "eu-west-3") -> str:
    """Write the event file of event `name`; `kit_dir` stands in it as given, absolute or from the deployment folder.

    `problem` is the challenge's name, by default that of the kit's folder. Raises AskedWrongly for what is not a name.
    """
    problem = problem or _problem_of(kit_dir) or name
    for text in (name, problem):
        _require_name(text)
    return _TEMPLATE.format(
        name=_quoted(name), problem=_quoted(problem), kit=_quoted(str(kit_dir)), region=region, plain_name=name
    )


def _problem_of(kit_dir: Path) -> str:
    return re.sub(r"[^A-Za-z0-9_-]+", "_", kit_dir.name).lstrip("_-")[:64]


def _require_name(text: str) -> None:
    try:
        _NAME.validate_python(text)
    except ValidationError as error:
        remedy = "write 1 to 64 letters, digits, - or _, the first a letter or digit"
        raise AskedWrongly(f"{text!r} is not a name", hint=remedy) from error


def _quoted(text: str) -> str:
    """Quote a text for YAML; `$${` means a plain `${`."""
    if not is_plain(text):
        raise AskedWrongly(f"{text!r} cannot stand in an event file", hint="rename it without control characters")
    quoted: str = yaml.safe_dump(text.replace("${", "$${"), default_style='"', allow_unicode=True, width=math.inf)
    return quoted.strip()


_TEMPLATE = """\
# The event {plain_name}. docs/reference/event-file.md explains every key; those not written here have defaults.
# ${{NAME}} in a value is taken from the environment; ${{NAME:-default}} has a default.

ramp:
  problem_name: {problem}
  event_name: {name}                  # also the name of the Pulumi stack and of this file's folder
  event_title: {name}
  event_is_public: false
  kit_dir: {kit}                      # the challenge: problem.py, submissions/, data/
  # data_dir: ramp-data/...           # where the data is, if it is not in the kit

worker:
  worker_type: aws                    # an EC2 host for each submission; `conda` runs them on this machine
  instance_type: t3.medium
  use_spot_instance: false            # cheaper hosts that AWS may take back: finished folds are kept
  timeout: 7200                       # seconds a submission may run
  memory_limit_mib: 2048              # a submission that takes more is ended, and told so
  # hooks:                            # commands run on this machine after the fact; what they are told is in RAMPART_*
  #   update_leaderboards: make leaderboards
  #   failed_training: bin/tell-team
  # With worker_type: conda
  # conda_env: ramp-iris              # a conda environment by its name; for a virtual environment instead:
  # env: venv
  # venv_dir: ~/envs/ramp-iris

dispatcher:
  n_workers: 2                        # submissions at a time
  n_threads: 1                        # threads each of them may use
  hunger_policy: sleep                # wait for new submissions; `exit` ends the loop when none is left

infra:
  region: {region}
  # access: public                    # the way in; `gateway`, `eice` or `inside` for hosts without public addresses
  # network: {{subnets: private}}       # which these are then
  # Who may reach the hosts (SSH, port 22). On AWS: export RAMPART_ALLOWED_CIDR=<your address>/32.
  # The default is this machine alone, which is enough for the local cloud.
  allowed_cidrs: ["${{RAMPART_ALLOWED_CIDR:-127.0.0.0/8}}"]
  image:
    environment: "${{RAMPART_IMAGE_ENVIRONMENT:-venv}}"         # from the kit's requirements.txt; or conda
    prefix: "${{RAMPART_IMAGE_PREFIX:-/opt/rampart/env}}"       # where the environment is on the image
    quick_test_submission: starting_kit                       # tests the image before it is used
  # budget:                           # e-mails at 50, 80 and 100 % of it, and when the forecast passes it
  #   monthly_usd: 100
  #   emails: [you@example.org]
  # fleet, dask, storage, secrets, ...: docs/reference/infra.md; events/spot and events/dask show them
"""
