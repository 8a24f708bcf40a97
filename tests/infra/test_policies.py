"""What the functions and the devices may do on AWS, read from a plan of the whole."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Any

import pytest
from cloudsplaining.scan.policy_document import PolicyDocument
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from policy_sentry.querying.actions import get_action_data

from fleet_contract.fields import ID_PATTERN
from fleet_contract.topics import CHANNELS, Address, Kind, agent_reads, agent_writes, client_id
from tests.infra.iot_policy import Connection, Policy
from tests.infra.moto_server import aws
from tests.infra.terraform import Terraform, planned

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it leaves files open and imports what is deprecated
    import parliament

FLEET = "acme"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/veilcast-acme-ingest:1"
VARIANTS: dict[str, dict[str, str]] = {
    "ivs": {"record": "true"},
    "self-hosted": {"ingest": "self-hosted", "ingest_image": IMAGE},
}

pytestmark = pytest.mark.timeout(300)
Resources = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def plans(terraform: Terraform) -> Iterator[dict[str, Resources]]:
    with aws() as endpoint:
        yield {name: planned(terraform.plan(endpoint, **more)) for name, more in VARIANTS.items()}


@pytest.fixture(scope="module")
def documents(plans: dict[str, Resources]) -> dict[str, dict[str, Any]]:
    """Every policy of a role that Terraform would make, by its address."""
    found = {
        f"{variant} {address}": json.loads(values["policy"])
        for variant, resources in plans.items()
        for address, values in resources.items()
        if ".aws_iam_role_policy." in address
    }
    assert len(found) == 2 * (5 + 3) + 1  # functions; rules, templates, schedules; and Fargate
    return found


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_no_action_is_a_wildcard(documents: dict[str, dict[str, Any]]) -> None:
    for address, document in documents.items():
        for statement in document["Statement"]:
            assert "NotAction" not in statement
            assert not any("*" in action for action in listed(statement["Action"])), address


def test_a_resource_is_named_wherever_aws_can_name_one(
    documents: dict[str, dict[str, Any]],
) -> None:
    for address, document in documents.items():
        for statement in document["Statement"]:
            for action in listed(statement["Action"]):
                none = resources_of(action) == {"*"}
                assert none == (listed(statement["Resource"]) == ["*"]), (address, action)


def resources_of(action: str) -> set[str]:
    service, name = action.split(":")
    known = get_action_data(service, name)
    assert known, f"AWS has no action {action}"
    return {each["resource_arn_format"] for each in known[service]}


def test_every_action_is_one_of_aws(documents: dict[str, dict[str, Any]]) -> None:
    for document in documents.values():
        for statement in document["Statement"]:
            assert all(resources_of(action) for action in listed(statement["Action"]))


def test_cloudsplaining_finds_nothing_high(documents: dict[str, dict[str, Any]]) -> None:
    found = {address: high(document) for address, document in documents.items()}
    assert {address: what for address, what in found.items() if what} == {}


def high(document: dict[str, Any]) -> list[Any]:
    judged = PolicyDocument(document)
    return [
        *judged.allows_privilege_escalation,
        *judged.allows_data_exfiltration_actions,
        *judged.permissions_management_without_constraints,
        *judged.service_wildcard,
    ]


def test_parliament_finds_nothing(documents: dict[str, dict[str, Any]]) -> None:
    found = {address: findings(document) for address, document in documents.items()}
    assert {address: what for address, what in found.items() if what} == {}


def findings(document: dict[str, Any]) -> list[Any]:
    """What parliament finds, but for what AWS's newer list of actions (policy_sentry's) settles."""
    found = parliament.analyze_policy_string(json.dumps(document)).findings
    return [each for each in found if not settled(each, document)]


def settled(finding: Any, document: dict[str, Any]) -> bool:
    """A star where nothing can be named; a name where nothing could be named before, or one of the
    right form that parliament takes apart at its colon."""
    if finding.issue == "RESOURCE_STAR":
        return all(resources_of(action) == {"*"} for action in finding.detail)
    return finding.issue == "RESOURCE_MISMATCH" and all(
        resources_of(each["action"]) != {"*"}
        and any(
            fnmatch(resource, each["required_format"])
            for statement in document["Statement"]
            if each["action"] in listed(statement["Action"])
            for resource in listed(statement["Resource"])
        )
        for each in finding.detail
    )


def test_the_tools_find_what_they_are_for() -> None:
    bad = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["iam:PutUserPolicy", "s3:GetObject"], "Resource": "*"}
        ],
    }
    assert high(bad)
    assert findings(bad)
    assert resources_of("s3:GetObject") != {"*"}


def test_roles_are_taken_by_one_service_each(plans: dict[str, Resources]) -> None:
    for resources in plans.values():
        for address, values in resources.items():
            if ".aws_iam_role." in address:
                (statement,) = json.loads(values["assume_role_policy"])["Statement"]
                assert statement["Action"] == "sts:AssumeRole"
                (service,) = statement["Principal"].values()
                assert service.endswith(".amazonaws.com"), address


# What a device may do.

IDS = st.from_regex(ID_PATTERN.removesuffix("$") + r"\Z")
PAIRS = st.one_of(
    st.tuples(IDS, IDS),
    st.tuples(IDS, st.sampled_from(["-", "_", "0", "a", "-2"])).map(lambda p: (p[0], p[0] + p[1])),
)
WORDS = st.sampled_from(
    ["+", "#", "*", "?", "veilcast", "v1", FLEET, "status", "desired", "reported", "streams",
     "state", "telemetry", "cmd", "ack", "start", "$aws", "$share", ""]
)  # fmt: skip
many = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def device(agent: str, fleet: str = FLEET) -> Connection:
    return Connection(f"{fleet}:{agent}", {"fleet": fleet, "agent": agent})


@pytest.fixture(scope="module")
def policy(plans: dict[str, Resources]) -> Policy:
    values = plans["ivs"]["module.fleet.aws_iot_policy.device"]
    assert len(values["policy"]) <= 2048
    return Policy(json.loads(values["policy"]))


@pytest.fixture(scope="module")
def claim(plans: dict[str, Resources]) -> Policy:
    return Policy(json.loads(plans["ivs"]["module.fleet.aws_iot_policy.claim"]["policy"]))


@st.composite
def topics_of(draw: st.DrawFn, agent: str) -> str:
    """Any topic of the contract below an agent's prefix, or anything else there."""
    kind = draw(st.sampled_from(list(Kind)))
    name = draw(IDS) if "{name}" in CHANNELS[kind].tail else ""
    other = "/".join(draw(st.lists(WORDS, min_size=1, max_size=4)))
    known = str(Address(kind, FLEET, agent, name))
    return draw(st.sampled_from([known, f"veilcast/v1/{FLEET}/{agent}/{other}"]))


@st.composite
def filters(draw: st.DrawFn, one: str, other: str) -> str:
    """What somebody may try to subscribe to: made of two agents' names, words and wildcards."""
    tail = draw(st.lists(st.one_of(WORDS, st.sampled_from([one, other])), min_size=1, max_size=5))
    root = f"veilcast/v1/{FLEET}/"
    heads = ["", "veilcast/v1/", root, f"{root}{other}/", f"{root}{one}/"]
    head = draw(st.sampled_from(heads))
    return head + "/".join(tail)


@many
@given(agent=IDS, name=IDS)
def test_a_device_may_do_all_that_the_contract_asks_of_it(
    policy: Policy, agent: str, name: str
) -> None:
    who = device(agent)
    assert policy.connects(who, client_id(FLEET, agent))
    for wanted in agent_reads(FLEET, agent):
        assert policy.hears(who, wanted.filter, wanted.filter.replace("+", name))
    for wanted in agent_writes(FLEET, agent):
        topic = wanted.filter.replace("+", name)
        kept = any(
            channel.retain and topic.endswith("/" + channel.tail.format(name=name))
            for channel in CHANNELS.values()
        )
        assert policy.publishes(who, topic, retained=kept)


@many
@given(data=st.data(), pair=PAIRS)
def test_a_device_cannot_write_to_another(
    policy: Policy, data: st.DataObject, pair: tuple[str, str]
) -> None:
    one, other = pair
    assume(one != other)
    assert not policy.publishes(device(one), data.draw(topics_of(other)))
    assert not policy.connects(device(one), client_id(FLEET, other))
    assert not policy.connects(device(one), f"{FLEET}:{other}")


@many
@given(data=st.data(), pair=PAIRS)
def test_a_device_hears_nothing_of_another_whatever_it_subscribes_to(
    policy: Policy, data: st.DataObject, pair: tuple[str, str]
) -> None:
    one, other = pair
    assume(one != other)
    wanted = data.draw(filters(one, other))
    assert not policy.hears(device(one), wanted, data.draw(topics_of(other)))


@many
@given(agent=IDS, command=IDS)
@example(agent="a", command="start")
def test_a_device_steers_not_even_itself(policy: Policy, agent: str, command: str) -> None:
    for kind, name in ((Kind.DESIRED, ""), (Kind.COMMAND, command)):
        assert not policy.publishes(device(agent), str(Address(kind, FLEET, agent, name)))


@many
@given(agent=IDS, fleet=IDS)
def test_a_device_of_another_fleet_gets_nothing_there(
    policy: Policy, agent: str, fleet: str
) -> None:
    assume(fleet != FLEET)
    for wanted in (*agent_reads(fleet, agent), *agent_writes(fleet, agent)):
        assert not policy.subscribes(device(agent), wanted.filter)
        assert not policy.publishes(device(agent), wanted.filter)


@many
@given(agent=IDS)
def test_a_certificate_without_its_thing_gets_nothing(policy: Policy, agent: str) -> None:
    nobody = Connection()
    assert not policy.connects(nobody, client_id(FLEET, agent))
    for wanted in (*agent_reads(FLEET, agent), *agent_writes(FLEET, agent)):
        assert not policy.subscribes(nobody, wanted.filter)
        assert not policy.publishes(nobody, wanted.filter)


@many
@given(data=st.data(), agent=IDS)
def test_a_claim_reaches_no_device(claim: Policy, data: st.DataObject, agent: str) -> None:
    nobody = Connection()
    assert claim.connects(nobody, f"{FLEET}.claim-1")
    assert claim.publishes(nobody, "$aws/certificates/create-from-csr/json")
    assert not claim.connects(nobody, client_id(FLEET, agent)) or agent.startswith("claim-")
    topic = data.draw(topics_of(agent))
    assert not claim.publishes(nobody, topic)
    assert not claim.hears(nobody, data.draw(filters(agent, "claim")), topic)


def test_the_evaluator_finds_what_is_too_wide() -> None:
    wide = Policy({"Statement": [
        {"Effect": "Allow", "Action": ["iot:Subscribe", "iot:Receive", "iot:Publish"],
         "Resource": "arn:aws:iot:eu-west-1:123456789012:topic*/veilcast/v1/acme/*"},
    ]})  # fmt: skip
    assert wide.hears(device("a"), "veilcast/v1/acme/+/status", "veilcast/v1/acme/b/status")
    assert wide.publishes(device("a"), "veilcast/v1/acme/b/desired")
