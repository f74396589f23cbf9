"""What is journaled is read again, whichever version wrote it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from contracts.work import Claimed, HostAddress, HostLayout, Launched, Provisioned, Pushed, Spread, Work, provisioned_of
from runner.store import journal

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
WORK = Work(7, "iris", "blue", "trees", 1, Path("/s"), Path("/l"), Path("/p"), 60.0, lease_token="new")
HOST = HostAddress("i-1", "10.20.0.9", "ubuntu", host_key="ssh-ed25519 AAAA", key_path=Path("/keys/id"))
LAYOUT = HostLayout("/kit", "/data", "/py", "/ramp-test")
GATEWAY = HostAddress("i-gate", "203.0.113.1", "ubuntu", host_key="ssh-ed25519 G", key_path=Path("/keys/id"))
TUNNEL = ("aws", "ec2-instance-connect", "open-tunnel", "--instance-id", "i-1")

# as the version before hosts had a way in wrote it
BEFORE = """{"kind": "Launched", "value": {"pushed": {"provisioned": {
  "claimed": {"work": {"submission_id": 7, "event": "iris", "team": "blue", "submission": "trees", "attempt": 1,
    "submission_dir": "/s", "logs_dir": "/l", "predictions_dir": "/p", "timeout_s": 60.0, "n_threads": null,
    "memory_limit_bytes": null, "generation": 1, "folds": 0, "score_types": [], "lease_token": "old",
    "on_demand": false, "salvage_dir": null, "salvaged": []}, "claimed_at": "2026-11-20T12:00:00Z"},
  "host": {"host_id": "i-1", "address": "10.20.0.9", "user": "ubuntu", "port": 22, "host_key": "ssh-ed25519 AAAA",
    "key_path": "/keys/id"},
  "layout": {"kit_dir": "/kit", "data_dir": "/data", "python": "/py", "ramp_test": "/ramp-test"},
  "image_id": "ami-1", "is_standing": false}, "job_dir": "/job"}, "launched_at": "2026-11-20T12:00:00Z"}}"""


def launched(host: HostAddress) -> Launched:
    return Launched(Pushed(Provisioned(Claimed(WORK, AT), host, LAYOUT, "ami-1"), "/job"), AT)


def test_a_run_journaled_before_hosts_had_a_way_in_is_adopted() -> None:
    assert journal.loaded(json.loads(BEFORE), "new") == launched(HOST)


def test_a_host_behind_a_gateway_is_found_again_with_both_keys() -> None:
    value = launched(replace(HOST, via=GATEWAY))
    entry = json.loads(json.dumps(journal.dumped(value)))
    assert journal.loaded(entry, "new") == value


def test_a_tunnels_program_is_found_again_word_for_word() -> None:
    value = launched(replace(HOST, proxy_command=TUNNEL))
    found = journal.loaded(json.loads(json.dumps(journal.dumped(value))), "new")
    assert found is not None
    provisioned = provisioned_of(found)
    assert provisioned is not None
    assert provisioned.host.proxy_command == TUNNEL


def test_jobs_that_share_the_folds_of_a_run_are_found_again_under_its_new_lease() -> None:
    run = Provisioned(Claimed(WORK, AT), HOST, LAYOUT)
    helper = Provisioned(Claimed(replace(WORK, share=(1, 3)), AT), replace(HOST, host_id="i-2"), LAYOUT)
    old = Provisioned(Claimed(replace(helper.claimed.work, lease_token="old"), AT), helper.host, LAYOUT)
    entry = json.loads(json.dumps(journal.dumped(Spread(run, (0, 2), (old,), AT, labels="one"))))
    assert journal.loaded(entry, "new") == Spread(run, (0, 2), (helper,), AT, labels="one")


def test_a_host_that_is_dialled_is_written_so_that_the_version_before_reads_it() -> None:
    host = journal.dumped(launched(HOST))["value"]["pushed"]["provisioned"]["host"]
    before = json.loads(BEFORE)["value"]["pushed"]["provisioned"]["host"]
    assert {name: host[name] for name in before} == before
