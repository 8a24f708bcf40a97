"""docs/protocol.md says what the code does: examples, topics, tables, reasons."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from fleet_contract.acceptance import Accepted, Arrival, DropReason, judge
from fleet_contract.codec import MESSAGES, decode, encode
from fleet_contract.commands import COMMANDS
from fleet_contract.desired import Desired
from fleet_contract.errors import Reason
from fleet_contract.protection import Protection
from fleet_contract.ratchet import Change, loosen, split
from fleet_contract.topics import CHANNELS, Kind, agent_reads, client_id, parse_topic
from tests.fleet_contract.field_tables import DOCUMENT, MARKED, objects, renewed, table
from tests.fleet_contract.test_codec import contains

TEXT = DOCUMENT.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^Topic: `(.+?)`\n\n```json\n(.+?)\n```$", TEXT, re.MULTILINE | re.DOTALL)

# Objects without other fields than one that is shown.
SAME = {
    "Stop": "Start", "Veil": "Start", "Unveil": "Start", "SelfTest": "SnapshotMetrics",
    "RotateKey": "SnapshotMetrics", "RollbackModel": "SnapshotMetrics",
}  # fmt: skip


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table after a heading or sentence, without its head."""
    after = TEXT.partition(heading)[2]
    lines = re.search(r"\|---.*?\n(.*?)(?:\n\n|\Z)", after, re.DOTALL)
    assert lines, heading
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1].split("\n")]


def quoted(cells: list[str]) -> list[str]:
    return [name for cell in cells for name in re.findall(r"`(.+?)`", cell)]


@pytest.mark.parametrize(("topic", "text"), EXAMPLES)
def test_every_example_is_read_and_written_as_it_stands(topic: str, text: str) -> None:
    address = parse_topic(topic)
    decoded = decode(address, text.encode())
    assert decoded.unknown_fields == ()
    assert contains(json.loads(encode(decoded.message)), json.loads(text))


def test_every_message_and_command_has_an_example() -> None:
    addresses = [parse_topic(topic) for topic, _ in EXAMPLES]
    assert {address.kind for address in addresses} == {*MESSAGES, Kind.COMMAND}
    named = {address.name for address in addresses if address.kind is Kind.COMMAND}
    assert named == set(COMMANDS)
    assert TEXT.count("```json") == len(EXAMPLES)


def test_the_example_commands_are_accepted_when_they_arrive() -> None:
    seen: set[str] = set()
    for topic, text in EXAMPLES:
        if "/cmd/" in topic:
            issued: int = json.loads(text)["issued_at"]
            found = judge(Arrival(topic, text.encode(), False), "acme", "van-7", issued, seen)
            assert isinstance(found, Accepted)
            seen.add(found.command.id)


def test_every_field_table_is_up_to_date() -> None:
    """If not: python -m tests.fleet_contract.field_tables"""
    assert renewed(TEXT) == TEXT
    shown = {found[1] for found in MARKED.finditer(TEXT)}
    assert shown | set(SAME) == set(objects())
    for name, same in SAME.items():
        assert table(name).partition("\n")[2] == table(same).partition("\n")[2]


def test_the_table_of_topics_is_the_codes() -> None:
    said = [
        [quoted([name])[0], sender, qos, retained]
        for name, sender, qos, retained, _ in rows("## Topics")
    ]
    assert said == [
        [channel.tail, channel.sender, str(channel.qos), "yes" if channel.retain else "no"]
        for channel in CHANNELS.values()
    ]
    filters = [[quoted([name])[0], qos] for name, qos in rows("An agent subscribes to")]
    assert filters == [[one.filter, str(one.qos)] for one in agent_reads("acme", "van-7")]


def test_the_client_id_is_the_codes() -> None:
    assert f"`{client_id('{fleet}', '{agent}')}`" in TEXT


def test_every_reason_is_in_the_document() -> None:
    refused = quoted([cells[0] for cells in rows("## Payloads")])
    elsewhere = {Reason.BAD_TOPIC, Reason.UNKNOWN_COMMAND, Reason.TOO_MANY_ZONES}
    assert set(refused) == set(Reason) - elsewhere
    dropped = quoted([cells[0] for cells in rows("The agent drops a command")])
    assert sorted(dropped) == sorted(DropReason)
    commands = quoted([cells[0] for cells in rows("got no answer may publish")])
    assert sorted(commands) == sorted(COMMANDS)


def test_every_field_of_the_ratchet_is_in_its_table() -> None:
    named = {name.rpartition(".")[2] for name in quoted([c[0] for c in rows("## Protection only")])}
    plain = set(Protection.model_fields) - {"classes"}
    assert named == plain | {"hide", "thresh"}


def test_the_directions_of_the_ratchets_table_are_the_codes() -> None:
    """Each row, tried with a value that the words stand for."""
    zone = (((0.0, 0.0), (1.0, 0.0), (0.0, 1.0)),)
    tried: dict[str, tuple[Any, Any]] = {
        "to `true`": (False, True), "to `false`": (True, False), "lower": (2.5, 2.0),
        "higher": (2.0, 2.5), "from `average` to another": ("average", "solid"),
        "to `average`": ("mosaic", "average"), "a polygon more": ((), zone),
        "a polygon less": (zone, ()),
    }  # fmt: skip
    for fields, tightens, loosens in rows("## Protection only"):
        for field in quoted([fields]):
            path = field.replace("{label}", "id_card")
            scale = {"thresh": 0.1, "looks_per_second": 2.0}.get(path.rpartition(".")[2], 1.0)
            for words, waits in ((tightens, False), (loosens, True)):
                before, after = (
                    loosen(Protection(), [Change(path, None, _scaled(value, scale))])
                    for value in tried[words]
                )
                assert bool(split(before, after, {}).loosened) == waits, (field, words)


def _scaled(value: Any, scale: float) -> Any:
    return value * scale if isinstance(value, float) else value


def test_the_documents_own_example_of_holding_back_is_what_the_ratchet_does() -> None:
    """Version 12 asks for 0.35 where the device's own settings say 0.3."""
    example = next(text for topic, text in EXAMPLES if topic.endswith("/desired"))
    desired = decode(parse_topic("veilcast/v1/acme/van-7/desired"), example.encode()).message
    assert isinstance(desired, Desired)
    own = loosen(Protection(), [Change("classes.license_plate.thresh", None, 0.3)])
    found = split(own, desired.protection_of(desired.streams[0]), {})
    assert [change.path for change in found.loosened] == ["classes.license_plate.thresh"]
    assert found.now.look_ahead == 0.8
