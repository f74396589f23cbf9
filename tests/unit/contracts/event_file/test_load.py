"""An event file becomes one complete value."""

from __future__ import annotations

import os
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from contracts.errors import BadConfiguration
from contracts.event import EventConfig, HungerPolicy
from contracts.event_file import load_event
from contracts.infra import FolderKit, GitKit

Load = Callable[..., EventConfig]

RAMP = "ramp: {problem_name: iris, event_name: iris}\n"
AWS = RAMP + "worker: {worker_type: aws}\n"


def test_the_shortest_event_has_every_default(load: Load, deployment: Path, event_path: Path) -> None:
    event = load(AWS)
    assert event.path == event_path
    assert event.deployment == deployment
    assert event.ramp.kit_dir == deployment / "ramp-kits" / "iris"
    assert event.ramp.submissions_dir == deployment / "events" / "iris" / "submissions"
    assert event.ramp.predictions_dir == deployment / "events" / "iris" / "predictions"
    assert event.ramp.logs_dir == deployment / "events" / "iris" / "logs"
    assert event.ramp.sandbox_dir == "starting_kit"
    assert event.worker.timeout == 7200
    assert event.dispatcher.hunger_policy is HungerPolicy.NONE
    assert event.dispatcher.n_workers == 1
    assert event.infra.image.kit == FolderKit(folder=event.ramp.kit_dir)
    assert event.database_url.get_secret_value() == f"sqlite:///{deployment}/.rampart/iris.db"
    assert event.region == "eu-west-3"
    assert event.image_name == "iris-backend"
    assert event.key_path == deployment / ".rampart" / "iris" / "id_ed25519"


@pytest.mark.parametrize(
    "parent",
    [
        "ami-0123456789abcdef0",
        "ssm:/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
        "ssm:arn:aws:ssm:eu-west-3:123456789012:parameter/images/base",
        "arn:aws:imagebuilder:eu-west-3:aws:image/ubuntu-server-24-lts-x86/x.x.x",
    ],
)
def test_a_parent_image_is_named_in_any_way_image_builder_takes(load: Load, parent: str) -> None:
    assert load(AWS + f"infra: {{image: {{parent_image: '{parent}'}}}}").infra.image.parent_image == parent


def test_an_event_of_ramp_for_conda_loads_unchanged(load: Load, deployment: Path) -> None:
    (deployment / "ramp-data" / "iris" / "data").mkdir(parents=True)
    event = load(f"""
ramp:
    problem_name: iris
    event_name: iris_ramp_test
    event_title: "Iris classification challenge"
    event_is_public: true
worker:
    worker_type: conda
    conda_env: ramp-iris
    kit_dir: {deployment}/ramp-kits/iris
    data_dir: {deployment}/ramp-data/iris/data
    submissions_dir: {deployment}/events/iris/submissions
    logs_dir: {deployment}/events/iris/logs
    predictions_dir: {deployment}/events/iris/predictions
    timeout: 14400
dispatcher:
    hunger_policy: sleep
    n_workers: 2
    n_threads: 2
    time_between_collection: 1
""")
    assert event.worker.conda_env == "ramp-iris"
    assert event.worker.timeout == 14400
    assert event.ramp.data_dir == deployment / "ramp-data" / "iris"  # ramp-test takes the folder that holds `data`
    assert event.ramp.logs_dir == deployment / "events" / "iris" / "logs"
    assert event.dispatcher.hunger_policy is HungerPolicy.SLEEP
    assert event.dispatcher.n_threads == 2


def test_an_event_of_ramp_for_aws_loads_unchanged(load: Load, deployment: Path) -> None:
    key = deployment / "iris_key.pem"
    key.touch()
    key.chmod(0o400)
    event = load(f"""
ramp:
    problem_name: iris
    event_name: iris
    event_title: "iris ramp aws test"
    event_is_public: true
    deployment_dir: {deployment}
    data_dir: ramp-data/iris
    sandbox_dir: starting_kit
worker:
    worker_type: aws
    access_key_id: AKIAIOSFODNN7EXAMPLE
    secret_access_key: wJalrXUtnFEMI/hunter2
    profile_name: organiser
    region_name: us-west-2 # oregon
    ami_image_name: iris_backend
    ami_user_name: ec2-user
    instance_type: t2.micro
    use_spot_instance: false
    key_name: iris_key
    security_group: launch-wizard-103
    key_path: {key}
    remote_ramp_kit_folder: /home/ec2-user/ramp-kits/iris
    submissions_dir: {deployment}/events/iris_aws/submissions
    predictions_dir: {deployment}/events/iris_aws/predictions
    logs_dir: {deployment}/events/iris_aws/logs
    memory_profiling: false
    check_status_interval_secs: 60
    check_finished_training_interval_secs: 60
    train_loop_interval_secs: 60
    hooks:
        after_sucessful_training: fab compute_contributivity:iris
dispatcher:
    hunger_policy: sleep
    n_workers: 5
    n_threads: 2
    time_between_collection: 60
""")
    assert event.region == "us-west-2"
    assert event.image_name == "iris_backend"
    assert event.key_path == event.worker.key_path == key
    assert event.worker.hooks.after_successful_training == "fab compute_contributivity:iris"
    assert event.ramp.submissions_dir == deployment / "events" / "iris_aws" / "submissions"
    assert event.ramp.data_dir == deployment / "ramp-data" / "iris"
    assert ["profile_name" in warning for warning in event.warnings] == [True]


def test_an_event_of_ramp_for_dask_loads_unchanged(load: Load) -> None:
    event = load(
        RAMP + 'worker: {worker_type: dask, conda_env: ramp-iris, dask_scheduler: "tcp://127.0.0.1:8786", n_workers: 4}'
    )
    assert event.worker.dask_scheduler == "tcp://127.0.0.1:8786"
    assert event.worker.n_workers == 4


def test_the_example_event_loads() -> None:
    path = Path(__file__).parents[4] / "events" / "iris" / "config.yml"
    environ = {
        "RAMPART_ALLOWED_CIDR": "127.0.0.0/8",
        "RAMPART_IMAGE_ENVIRONMENT": "existing",
        "RAMPART_IMAGE_PREFIX": "/tmp/some where/.venv",
    }
    event = load_event(path, environ=environ)
    assert event.name == "iris"
    assert event.warnings == ()
    assert event.infra.allowed_cidrs == (IPv4Network("127.0.0.0/8"),)
    assert event.infra.image.environment == "existing"
    assert event.infra.image.prefix == "/tmp/some where/.venv"
    assert event.infra.image.quick_test_submission == "starting_kit"
    on_aws = load_event(path, environ={"RAMPART_ALLOWED_CIDR": "203.0.113.7/32"})
    assert on_aws.infra.image.environment == "venv"
    assert on_aws.infra.image.prefix == "/opt/rampart/env"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("", HungerPolicy.NONE),
        ("null", HungerPolicy.NONE),
        ("None", HungerPolicy.NONE),
        ("'sleep'", HungerPolicy.SLEEP),
        ("Exit", HungerPolicy.EXIT),
    ],
)
def test_a_hunger_policy_may_be_written_as_ramp_does(written: str, meant: HungerPolicy, load: Load) -> None:
    assert load(f"{AWS}dispatcher: {{hunger_policy: {written}}}").dispatcher.hunger_policy is meant


def test_a_negative_number_of_workers_counts_from_the_cpus(load: Load) -> None:
    assert load(AWS + "dispatcher: {n_workers: -1}").dispatcher.n_workers == os.cpu_count()
    assert load(AWS + "dispatcher: {n_workers: -1000}").dispatcher.n_workers == 1


def test_a_key_with_nothing_after_it_counts_as_not_written(load: Load) -> None:
    event = load(AWS + "dispatcher:\n  n_workers:\n  n_threads:\ninfra:\n  image:\n    kit:\n")
    assert event.dispatcher.n_workers == 1
    assert event.infra.image.kit == FolderKit(folder=event.ramp.kit_dir)


def test_the_right_spelling_of_the_hook_is_read_too(load: Load) -> None:
    event = load(RAMP + "worker: {worker_type: aws, hooks: {after_successful_training: date}}")
    assert event.worker.hooks.after_successful_training == "date"


def test_a_folder_under_ramp_wins_over_one_under_worker_as_in_ramp(load: Load, deployment: Path) -> None:
    event = load("""
ramp: {problem_name: iris, event_name: iris, logs_dir: logs, predictions_dir: predictions}
worker: {worker_type: aws, logs_dir: other, predictions_dir: ./predictions, submissions_dir: submissions}
infra: {allowed_cidrs: [203.0.113.7/32]}
""")
    assert event.ramp.logs_dir == deployment / "logs"
    assert event.ramp.submissions_dir == deployment / "submissions"
    assert [warning.split()[0] for warning in event.warnings] == ["worker.logs_dir"]


def test_a_kit_outside_ramps_layout_carries_its_data(load: Load, deployment: Path) -> None:
    assert load(AWS).ramp.data_dir == deployment / "ramp-kits" / "iris"
    (deployment / "ramp-data" / "iris").mkdir(parents=True)
    assert load(AWS).ramp.data_dir == deployment / "ramp-data" / "iris"


def test_paths_start_from_the_folder_of_the_deployment_found_upwards(load: Load, deployment: Path) -> None:
    (deployment / "events" / "config.yml").write_text("unrelated: true\n")
    (deployment / "config.yml").write_text("flask: {secret_key: x}\n")
    event = load(RAMP + "worker: {worker_type: aws, submissions_dir: here, logs_dir: ../there}")
    assert event.ramp.submissions_dir == deployment / "here"
    assert event.ramp.logs_dir == deployment.parent / "there"


def test_a_given_deployment_file_decides_the_folder(load: Load, deployment: Path) -> None:
    other = deployment / "empty-kit" / "ramp.yml"
    other.write_text("sqlalchemy: {drivername: sqlite, database: board.db}\n")
    event = load(
        f"ramp: {{problem_name: iris, event_name: iris, kit_dir: {deployment}/ramp-kits/iris}}\n"
        "worker: {worker_type: aws}",
        deployment_config=other,
    )
    assert event.deployment == deployment / "empty-kit"
    assert event.database_url.get_secret_value() == f"sqlite:///{deployment}/empty-kit/board.db"


def test_a_home_folder_is_that_of_the_environment(load: Load, deployment: Path) -> None:
    venv = deployment / "home" / "envs" / "iris"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").touch()
    event = load(RAMP + "worker: {worker_type: conda, env: venv, venv_dir: ~/envs/iris}")
    assert event.worker.venv_dir == venv


def test_a_rehearsal_has_state_and_database_of_its_own(load: Load, deployment: Path) -> None:
    event = load(AWS, {"RAMPART_STATE_DIR": str(deployment / "rehearsal")})
    assert event.key_path == deployment / "rehearsal" / "iris" / "id_ed25519"
    assert event.database_url.get_secret_value() == f"sqlite:///{deployment}/rehearsal/iris.db"
    assert load(AWS).state_dir == deployment / ".rampart" / "iris"


def test_a_rehearsal_leaves_submissions_predictions_and_logs_apart_from_the_events_own(
    load: Load, deployment: Path
) -> None:
    rehearsed = load(AWS, {"RAMPART_STATE_DIR": str(deployment / "rehearsal")}).ramp
    for folder in (rehearsed.submissions_dir, rehearsed.predictions_dir, rehearsed.logs_dir):
        assert folder.parent == deployment / "rehearsal" / "iris"
    assert load(AWS).ramp.logs_dir == deployment / "events" / "iris" / "logs"


def test_a_variable_may_be_a_number_or_a_default(load: Load) -> None:
    text = RAMP + 'worker: {worker_type: aws, timeout: "${T:-60}", profile_name: "${P:-}"}'
    assert load(text, {"T": "30"}).worker.timeout == 30
    assert load(text).worker.timeout == 60
    assert load(text).worker.profile_name is None


def test_a_kit_may_be_a_git_repository(load: Load) -> None:
    event = load(AWS + 'infra: {image: {kit: {git: "https://example.org/iris", ref: v1}}}')
    assert event.infra.image.kit == GitKit(git="https://example.org/iris", ref="v1")


def test_a_bare_address_is_a_range_of_one(load: Load) -> None:
    assert load(AWS + "infra: {allowed_cidrs: [203.0.113.7]}").infra.allowed_cidrs == (IPv4Network("203.0.113.7/32"),)


def test_values_may_be_shared_by_anchors(load: Load) -> None:
    event = load("common: &c {n_threads: 2}\n".replace("common", "flask") + AWS + "dispatcher: {<<: *c, n_workers: 3}")
    assert (event.dispatcher.n_threads, event.dispatcher.n_workers) == (2, 3)


@pytest.mark.parametrize(
    ("text", "warned"),
    [
        (AWS, "infra.allowed_cidrs is empty"),
        (AWS + "infra: {allowed_cidrs: [203.0.0.0/9]}", "8,388,608 addresses"),
        (
            RAMP + "worker: {worker_type: aws, region_name: us-east-1, security_group: x}\ninfra: {region: eu-west-1}",
            "infra.region is not used",
        ),
        ("ramp: {problem_name: iris, event_name: other}\nworker: {worker_type: conda}", "events/other/config.yml"),
    ],
)
def test_what_has_a_better_way_is_warned_about(text: str, warned: str, load: Load) -> None:
    [warning] = load(text).warnings
    assert warned in warning


def test_no_secret_is_shown_by_the_event(load: Load, deployment: Path) -> None:
    (deployment / "config.yml").write_text(
        "sqlalchemy: {drivername: postgresql, username: ramp, password: hunter2, host: db, database: ramp}\n"
    )
    event = load(
        RAMP + "worker: {worker_type: aws, access_key_id: AKIAIOSFODNN7EXAMPLE, secret_access_key: hunter2/hunter2}"
    )
    assert event.worker.secret_access_key is not None
    assert event.worker.secret_access_key.get_secret_value() == "hunter2/hunter2"
    for text in (repr(event), str(event), event.model_dump_json(), str(event.model_dump()), str(event.warnings)):
        assert "hunter2" not in text
        assert "AKIA" not in text


@pytest.mark.parametrize("line", ["'tell \"the team'", '"  "'])
def test_a_hook_that_is_no_command_line_is_refused(load: Load, line: str) -> None:
    with pytest.raises(BadConfiguration, match=r"worker\.hooks\.start_training"):
        load(RAMP + f"worker: {{worker_type: aws, hooks: {{start_training: {line}}}}}")
