"""What tells people and programs: queues with rules before them, budgets, logs; what watches over images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pulumi_aws as aws

from imagebuilder.catalogue import Component
from imagebuilder.kit_component import Upload
from infra.build_profile import BuildProfile, BuildProfileArgs
from infra.image_sources import Sources
from infra.images import Images, ImagesArgs
from infra.interruptions import Interruptions, InterruptionsArgs
from infra.retirement import Retirement, RetirementArgs, ScheduledRecipe
from infra.spending import Spending, SpendingArgs
from infra.tags import Labels
from tests.integration.localcloud.deployer.stages import Stage

BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"


def test_notices_come_through_a_rule_into_a_queue_that_takes_nothing_else(stage: Stage) -> None:
    def program() -> Mapping[str, Any]:
        queue = Interruptions("interruptions", InterruptionsArgs(Labels(stage.name, stage.name)))
        return {"url": queue.queue_url}

    url = stage.up_twice(program)["url"]

    sqs, events = stage.client("sqs"), stage.client("events")
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert (attributes["SqsManagedSseEnabled"], attributes["MessageRetentionPeriod"]) == ("true", "900")
    [rule] = events.list_rules(NamePrefix=f"rampart-{stage.name}-")["Rules"]
    assert json.loads(rule["EventPattern"])["source"] == ["aws.ec2"]
    [target] = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    assert target["Arn"] == attributes["QueueArn"]
    assert rule["Arn"] in attributes["Policy"]
    sqs.send_message(QueueUrl=url, MessageBody="a spot notice")
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "a spot notice"
    stage.leaves_nothing()
    assert events.list_rules(NamePrefix=f"rampart-{stage.name}-")["Rules"] == []


def test_a_budget_names_whom_to_tell_and_whose_money_it_counts(stage: Stage) -> None:
    def program() -> Mapping[str, Any]:
        spending = SpendingArgs(120, ("olga@example.org",), Labels(stage.name, stage.name))
        return {"name": Spending("spending", spending).budget_name}

    name = stage.up_twice(program)["name"]

    budgets = stage.client("budgets")
    asked = {"AccountId": "123456789012", "BudgetName": name}
    budget = budgets.describe_budget(**asked)["Budget"]
    assert budget["BudgetLimit"] == {"Amount": "120.00", "Unit": "USD"}
    assert budget["CostFilters"] == {"TagKeyValue": [f"user:rampart:stack${stage.name}"]}
    notifications = budgets.describe_notifications_for_budget(**asked)["Notifications"]
    assert [(each["NotificationType"], each["Threshold"]) for each in notifications] == [
        *(("ACTUAL", threshold) for threshold in (50, 80, 100)),
        ("FORECASTED", 100),
    ]
    subscribers = budgets.describe_subscribers_for_notification(**asked, Notification=notifications[0])["Subscribers"]
    assert subscribers == [{"SubscriptionType": "EMAIL", "Address": "olga@example.org"}]
    budgets.update_budget(AccountId="123456789012", NewBudget={**budget, "BudgetLimit": {"Amount": "1", "Unit": "USD"}})
    assert budgets.describe_budget(**asked)["Budget"]["BudgetLimit"]["Amount"] == "1"
    stage.leaves_nothing()


def test_a_role_is_bounded_and_its_policies_go_with_it(stage: Stage) -> None:
    def program() -> Mapping[str, Any]:
        bucket = "arn:aws:s3:::somewhere"
        secret = "arn:aws:secretsmanager:eu-west-3:123456789012:secret:osf"
        labels = Labels(stage.name, stage.name)
        elsewhere = ["s3://challenges/iris/private/"]
        args = BuildProfileArgs(bucket, [secret], elsewhere, None, "eu-west-3", BOUNDARY, labels)
        return {"role": BuildProfile("profile", args).role_arn}

    stage.client("iam").create_policy(PolicyName="boundary", PolicyDocument=_DOCUMENT)
    role = stage.up_twice(program)["role"].rpartition("/")[2]

    iam = stage.client("iam")
    boundary = iam.get_role(RoleName=role)["Role"]["PermissionsBoundary"]
    assert boundary["PermissionsBoundaryArn"] == BOUNDARY
    assert len(iam.list_role_policies(RoleName=role)["PolicyNames"]) == 3
    assert len(iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]) == 2
    stage.leaves_nothing()
    iam.delete_policy(PolicyArn=BOUNDARY)


_DOCUMENT = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]}
)


_KEY = "arn:aws:kms:eu-west-3:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
_URI = "s3://{bucket}/components/kit-1.tar.gz"
_FETCHING = """\
schemaVersion: 1.0
parameters:
  - Uri: {type: string}
phases:
  - name: build
    steps:
      - name: Fetch
        action: S3Download
        inputs:
          - {source: "{{ Uri }}", destination: /tmp/kit.tar.gz}
"""


def test_a_pipeline_keeps_its_schedule_and_its_images_are_retired(stage: Stage) -> None:
    labels = Labels(stage.name, stage.name)
    long = "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: nothing\n" + (
        "        action: ExecuteBash\n        inputs: {commands: ['true']}\n" + "# a line\n" * 2000
    )
    component = Component(
        name=f"{stage.name}-kit", version="1.0.7", data=long, description="A kit of many files", parameters={}
    )
    fetching = Component(
        name=f"{stage.name}-fetch", version="1.0.8", data=_FETCHING, description="A kit", parameters={"Uri": _URI}
    )
    upload = Upload("components/kit-1.tar.gz", b"\x1f\x8b kit", 64 * "a")

    def program() -> Mapping[str, Any]:
        bucket = aws.s3.Bucket(f"{stage.name}-documents", force_destroy=True)
        profile = BuildProfile("profile", BuildProfileArgs(bucket.arn, [], [], None, "eu-west-3", None, labels))
        vpc = aws.ec2.Vpc("vpc", cidr_block="10.80.0.0/16")
        subnet = aws.ec2.Subnet("subnet", vpc_id=vpc.id, cidr_block="10.80.1.0/24", availability_zone="eu-west-3a")
        group = aws.ec2.SecurityGroup("builder", vpc_id=vpc.id)
        images = Images(
            "images",
            ImagesArgs(
                sources=Sources((component, fetching), (upload,), "1.0.9"),
                parent_image="ami-0123456789abcdef0",
                ami_name=f"{stage.name} {{{{ imagebuilder:buildDate }}}}",
                image_parameter=f"/rampart/{stage.name}/ami",
                instance_type="t3.small",
                volume_gib=20,
                region="eu-west-3",
                subnet_id=subnet.id,
                security_group_id=group.id,
                profile_name=profile.profile_name,
                schedule="cron(0 3 ? * sun *)",
                log_retention_days=30,
                bucket=bucket.id,
                secret_arns={},
                kms_key=_KEY,
                share_with=("444455556666",),
                labels=labels,
            ),
        )
        scheduled = ScheduledRecipe(images.recipe_name, "1.0.9")
        Retirement("retirement", RetirementArgs(3, scheduled, "eu-west-3", None, labels))
        return {"pipeline": images.pipeline_arn, "logs": images.log_group, "bucket": bucket.id}

    outputs = stage.up_twice(program)

    builder = stage.client("imagebuilder")
    pipeline = builder.get_image_pipeline(imagePipelineArn=outputs["pipeline"])["imagePipeline"]
    assert pipeline["schedule"]["scheduleExpression"] == "cron(0 3 ? * sun *)"
    assert pipeline["loggingConfiguration"]["imageLogGroupName"] == outputs["logs"]
    recipe = builder.get_image_recipe(imageRecipeArn=pipeline["imageRecipeArn"])["imageRecipe"]
    built = builder.get_component(componentBuildVersionArn=recipe["components"][0]["componentArn"])["component"]
    assert built["data"] == long
    (parameter,) = recipe["components"][1]["parameters"]
    bucket, _, key = parameter["value"][0].removeprefix("s3://").partition("/")
    assert (bucket, key) == (outputs["bucket"], upload.key)
    assert stage.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read() == upload.content
    assert recipe["additionalInstanceConfiguration"] == {"systemsManagerAgent": {"uninstallAfterBuild": True}}
    assert recipe["amiTags"]["rampart:recipe"] == "1.0.9"
    assert recipe["blockDeviceMappings"][0]["ebs"]["kmsKeyId"] == _KEY
    distribution = pipeline["distributionConfigurationArn"]
    answer = builder.get_distribution_configuration(distributionConfigurationArn=distribution)
    (told,) = answer["distributionConfiguration"]["distributions"]
    assert told["amiDistributionConfiguration"]["launchPermission"] == {"userIds": ["444455556666"]}
    named = f"rampart-{stage.name}-retirement"
    policies = builder.get_paginator("list_lifecycle_policies").paginate().build_full_result()
    mine = [each for each in policies["lifecyclePolicySummaryList"] if each["name"].startswith(named)]
    assert len(mine) == 2
    [kept] = [
        policy["policyDetails"][0]["filter"]
        for policy in (builder.get_lifecycle_policy(lifecyclePolicyArn=each["arn"])["lifecyclePolicy"] for each in mine)
        if "tagMap" in policy["resourceSelection"]
    ]
    assert kept == {"type": "COUNT", "value": 3}
    stage.leaves_nothing()
    policies = builder.get_paginator("list_lifecycle_policies").paginate().build_full_result()
    assert [each for each in policies["lifecyclePolicySummaryList"] if each["name"].startswith(named)] == []
