"""What hostile JSON meets before anything is built from it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_contract.errors import ContractError, Reason
from fleet_contract.strict_json import MAX_DEPTH, MAX_PAYLOAD, parse_object

KB = 1024

FINITE = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | FINITE | st.text()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=MAX_DEPTH - 2,
)


@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_plain_json_is_read_as_it_is(found: dict[str, object]) -> None:
    assert parse_object(json.dumps(found).encode()) == found


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", Reason.NOT_JSON),
        (b"{", Reason.NOT_JSON),
        (b'{"a":1} {}', Reason.NOT_JSON),
        (b'{"a":01}', Reason.NOT_JSON),
        (b"\xef\xbb\xbf{}", Reason.NOT_JSON),
        ('{"a":1}'.encode("utf-16"), Reason.NOT_UTF8),
        (b'{"a":"\xff"}', Reason.NOT_UTF8),
        (b"[]", Reason.NOT_AN_OBJECT),
        (b"1", Reason.NOT_AN_OBJECT),
        (b'{"a":1,"a":1}', Reason.DUPLICATE_KEY),
        (b'{"b":{"a":1,"\\u0061":2}}', Reason.DUPLICATE_KEY),
        (b'{"a":NaN}', Reason.BAD_NUMBER),
        (b'{"a":-Infinity}', Reason.BAD_NUMBER),
        (b'{"a":1e999}', Reason.BAD_NUMBER),
        (b'{"a":9007199254740992}', Reason.BAD_NUMBER),
        (b'{"a":-9007199254740992}', Reason.BAD_NUMBER),
        (b'{"a":' + b"9" * 100 * KB + b"}", Reason.BAD_NUMBER),
        (b'{"a":"' + b"x" * MAX_PAYLOAD + b'"}', Reason.TOO_LARGE),
        (b'{"a":' * 20 * KB, Reason.TOO_DEEP),
        (b"[" * 128 * KB, Reason.TOO_DEEP),
        (b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}", Reason.TOO_DEEP),
    ],
    ids=lambda value: value if isinstance(value, Reason) else f"{len(value)} bytes",
)
def test_what_is_refused_and_why(payload: bytes, reason: Reason) -> None:
    with pytest.raises(ContractError) as caught:
        parse_object(payload)
    assert caught.value.reason is reason


def test_the_limits_themselves_are_allowed() -> None:
    nested = b'{"a":' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}"
    assert parse_object(nested)["a"]
    longest = b'{"a":"' + b"x" * (MAX_PAYLOAD - 8) + b'"}'
    assert len(longest) == MAX_PAYLOAD
    assert parse_object(longest)["a"]
    assert parse_object(b'{"a":9007199254740991}') == {"a": 2**53 - 1}


def test_brackets_within_strings_are_no_depth() -> None:
    text = '"[{\\' * 50
    assert parse_object(json.dumps({"a": text}).encode()) == {"a": text}


@pytest.mark.timeout(5)
@pytest.mark.parametrize("piece", [b'"\\', b'\\"', b'"', b"\\", b'{"'])
def test_quotes_that_never_close_cost_no_more_than_others(piece: bytes) -> None:
    with pytest.raises(ContractError):
        parse_object((piece * MAX_PAYLOAD)[:MAX_PAYLOAD])


@given(st.binary() | st.text('{}[]":,\\1eE-.aNIn ').map(str.encode))
def test_any_bytes_are_an_object_or_a_contract_error(payload: bytes) -> None:
    try:
        said = type(parse_object(payload)).__name__
    except ContractError as problem:
        said = problem.detail
    assert said.isprintable()
    assert len(said) <= 200
