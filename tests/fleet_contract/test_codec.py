"""Every message: there and back, and nothing but a contract error from any bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from fleet_contract.codec import MESSAGES, command_address, decode, encode, message_type
from fleet_contract.commands import COMMANDS, Command
from fleet_contract.desired import Desired
from fleet_contract.endpoint import Endpoint
from fleet_contract.errors import ContractError, Reason
from fleet_contract.protection import Protection
from fleet_contract.topics import CHANNELS, Address, Kind
from tests.fleet_contract.from_schema import FILES, payloads, schema_of

DESIRED = FILES["desired.json"]
TELEMETRY = FILES["telemetry.json"]
FEW = settings(max_examples=20, deadline=None, suppress_health_check=[*HealthCheck])
MANY = settings(max_examples=150, deadline=None, suppress_health_check=[*HealthCheck])

FROM_CLOUD = [file for file, address in FILES.items() if address.channel.sender == "cloud"]
FROM_DEVICE = [file for file in FILES if file not in FROM_CLOUD]


def objects_in(found: Any) -> list[dict[str, Any]]:
    """Every JSON object within a value, itself too, except maps from names to numbers."""
    if isinstance(found, list):
        return [inner for item in found for inner in objects_in(item)]
    if not isinstance(found, dict):
        return []
    inner = [one for name, item in found.items() if name != "numbers" for one in objects_in(item)]
    return [found, *inner]


def outcome(address: Address, payload: bytes) -> str:
    """The type read, or what the contract says against it; any other exception escapes."""
    try:
        return type(decode(address, payload).message).__name__
    except ContractError as problem:
        return str(problem)


@pytest.mark.parametrize("file", FILES)
@given(data=st.data())
@FEW
def test_what_the_schema_allows_is_read_and_comes_back_unchanged(
    file: str, data: st.DataObject
) -> None:
    found = data.draw(payloads(file))
    decoded = decode(FILES[file], json.dumps(found).encode())
    assert decoded.unknown_fields == ()
    again = decode(FILES[file], encode(decoded.message))
    assert again.message == decoded.message
    assert contains(json.loads(encode(decoded.message)), found)


def contains(whole: Any, part: Any) -> bool:
    """Whether `whole` is `part`, but for fields that `part` left to their defaults."""
    if isinstance(part, dict):
        return all(name in whole and contains(whole[name], part[name]) for name in part)
    if isinstance(part, list):
        return len(whole) == len(part) and all(map(contains, whole, part))
    return bool(whole == part)


@pytest.mark.parametrize("file", FROM_CLOUD)
@given(data=st.data())
@FEW
def test_a_newer_cloud_is_understood_and_its_news_are_named(file: str, data: st.DataObject) -> None:
    found = data.draw(payloads(file))
    plain = decode(FILES[file], json.dumps(found).encode()).message
    places = data.draw(st.lists(st.sampled_from(objects_in(found)), min_size=1, max_size=3))
    name = data.draw(st.text(min_size=1).filter(lambda text: text not in KNOWN))
    for place in places:
        place[name] = data.draw(st.sampled_from([None, 1, "x", {"a": [{}]}]))
    if "\ud800" <= max(name) <= "\udfff":
        return
    decoded = decode(FILES[file], json.dumps(found).encode())
    assert decoded.message == plain
    assert len(decoded.unknown_fields) == len({id(place) for place in places})
    assert all(path.isascii() and 0 < len(path) <= 128 for path in decoded.unknown_fields)


KNOWN = {
    name
    for file in FILES
    for part in [schema_of(file), *schema_of(file).get("$defs", {}).values()]
    for name in part["properties"]
}


@pytest.mark.parametrize("file", FROM_DEVICE)
@given(data=st.data())
@FEW
def test_an_unknown_field_from_a_device_is_refused(file: str, data: st.DataObject) -> None:
    found = data.draw(payloads(file))
    data.draw(st.sampled_from(objects_in(found)))["plate_text"] = "12 ABC 34"
    with pytest.raises(ContractError) as caught:
        decode(FILES[file], json.dumps(found).encode())
    assert caught.value.reason is Reason.UNKNOWN_FIELD
    assert "12 ABC" not in str(caught.value)


@pytest.mark.parametrize("file", FILES)
@given(data=st.data())
@FEW
def test_a_damaged_message_is_read_or_refused_but_never_breaks_the_reader(
    file: str, data: st.DataObject
) -> None:
    payload = bytearray(json.dumps(data.draw(payloads(file))).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(payload) - 1))
        payload[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    assert outcome(FILES[file], bytes(payload)).isprintable()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(sorted(KNOWN)) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(
    st.sampled_from(sorted(FILES)), st.binary() | JSON.map(lambda value: json.dumps(value).encode())
)
@MANY
def test_any_bytes_on_any_topic_are_a_message_or_a_contract_error(
    file: str, payload: bytes
) -> None:
    assert outcome(FILES[file], payload).isprintable()


@given(st.sampled_from(sorted(FILES)), st.dictionaries(st.sampled_from(sorted(KNOWN)), JSON))
@MANY
def test_right_names_with_wrong_values_are_a_message_or_a_contract_error(
    file: str, found: dict[str, object]
) -> None:
    assert outcome(FILES[file], json.dumps({**found, "v": 1}).encode()).isprintable()


@pytest.mark.parametrize("v", ["2", "0", "1.0", "true", '"1"', "null", "[1]"])
def test_another_version_of_the_contract_is_refused_as_such(v: str) -> None:
    with pytest.raises(ContractError) as caught:
        decode(TELEMETRY, b'{"v":' + v.encode() + b"}")
    assert caught.value.reason is Reason.UNSUPPORTED_VERSION


def test_a_missing_version_is_refused() -> None:
    with pytest.raises(ContractError) as caught:
        decode(DESIRED, b'{"version":1,"issued_at":0}')
    assert caught.value.reason is Reason.UNSUPPORTED_VERSION


@pytest.mark.parametrize(
    "fields",
    [
        '"version":"1"', '"version":1.0', '"version":true', '"version":0', '"issued_at":-1',
        '"telemetry_seconds":0', '"telemetry_seconds":3601', '"streams":{}', '"model":1',
        '"protection":{"mask_scale":0.9}', '"protection":{"look_ahead":3.1}',
        '"protection":{"mosaic":1}', '"protection":{"mosaic":"true"}',
        '"protection":{"classes":{"id_card":{"thresh":1.1}}}',
        '"protection":{"replacewith":"blur"}',
        '"protection":{"zones":[[[0,0],[1,1]]]}', '"protection":{"zones":[[[0,0],[1,1],[9,9]]]}',
        '"protection":{"zones":[[[0,0],[1,1],[1,0,1]]]}', '"protection":null',
    ],
)  # fmt: skip
def test_values_out_of_type_or_range_are_refused_not_bent(fields: str) -> None:
    named = fields.split('"')[1]
    others = "".join(f',"{name}":1' for name in ("version", "issued_at") if name != named)
    with pytest.raises(ContractError) as caught:
        decode(DESIRED, f'{{"v":1{others},{fields}}}'.encode())
    assert caught.value.reason is Reason.INVALID


def test_a_message_above_the_limit_is_not_sent() -> None:
    corners = tuple((i / 1e7 + 0.1234567, 0.7654321) for i in range(32))
    protection = Protection(zones=(corners,) * 16)
    streams = tuple(
        {"id": f"cam-{i}", "source": {"ref": "a"}, "sinks": [{"ref": "b"}]} for i in range(32)
    )
    plain = json.dumps({"v": 1, "version": 1, "issued_at": 0, "streams": streams}).encode()
    small = decode(DESIRED, plain).message
    assert isinstance(small, Desired)
    large = Desired(
        version=1,
        issued_at=0,
        streams=tuple(
            stream.model_copy(update={"protection": protection}) for stream in small.streams
        ),
    )
    with pytest.raises(ContractError) as caught:
        encode(large)
    assert caught.value.reason is Reason.TOO_LARGE


def test_every_topic_has_a_message_and_every_command_a_topic() -> None:
    assert {*MESSAGES, Kind.COMMAND} == set(CHANNELS)
    for name, kind in COMMANDS.items():
        address = Address(Kind.COMMAND, "acme", "van-7", name)
        assert message_type(address) is kind
        command = kind.model_construct()
        assert isinstance(command, Command)
        assert command_address("acme", "van-7", command) == address


def test_a_stream_key_travels_and_shows_nowhere_else() -> None:
    endpoint = Endpoint.model_validate({"url": "rtmp://ingest.example/app", "key": "s3cret-key"})
    assert b"s3cret-key" in encode_endpoint(endpoint)
    assert "s3cret" not in repr(endpoint) + str(endpoint) + str(endpoint.model_dump())
    with pytest.raises(ValidationError) as caught:
        Endpoint.model_validate({"url": "rtmp://ingest.example/app", "key": "s3cret key"})
    assert "s3cret" not in str(caught.value)


def encode_endpoint(endpoint: Endpoint) -> bytes:
    return encode(
        Desired.model_validate(
            {
                "version": 1,
                "issued_at": 0,
                "streams": ({"id": "a", "source": {"ref": "x"}, "sinks": (endpoint,)},),
            }
        )
    )


@pytest.mark.parametrize(
    "endpoint",
    [
        {}, {"ref": "a", "url": "rtmp://a/b"}, {"ref": "a", "key": "k"},
        {"url": "rtmp://user:s3cret@host/app"}, {"url": "https://host/x?token=s3cret"},
        {"url": "https://host/x#s3cret"}, {"url": "file:///etc/passwd"}, {"url": "/etc/passwd"},
        {"url": "camera:0"}, {"url": "screen:"}, {"url": "rtmp://host/a b"},
        {"url": "rtmp://host/a\n"}, {"url": "rtmp://h/a", "key": "a/../s3cret"},
        {"url": "rtmp://h/a", "key": ""}, {"url": "rtmp://h/a", "key": "s3cret?x"},
        {"url": "rtmp://h/a", "key": "s" * 257},
    ],
)  # fmt: skip
def test_an_endpoint_holds_no_credential_and_reaches_no_file_or_camera(
    endpoint: dict[str, str],
) -> None:
    stream = {"id": "a", "source": {"ref": "x"}, "sinks": [endpoint]}
    found = {"v": 1, "version": 1, "issued_at": 0, "streams": [stream]}
    with pytest.raises(ContractError) as caught:
        decode(DESIRED, json.dumps(found).encode())
    assert caught.value.reason is Reason.INVALID
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
