"""Documents in one DynamoDB table: hash key `kind`, range key `key`."""

from __future__ import annotations

import random
import secrets
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cloud_control.adapters.aws.calls import code_of, explained
from cloud_control.adapters.commit import checked, not_empty
from cloud_control.errors import CloudError, ConflictError
from cloud_control.ports import Delete, Put, Record

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ATTEMPTS = 8
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.02, 1.0
LAST = "\U0010ffff"  # sorts behind every key
SERVICE = "DynamoDB"
BATCH = 25
PACKED_FROM = 100_000
FILLING = ("_filling", "now")

CHANGED = "ConditionalCheckFailed"
PASSING = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})


class DynamoStore:
    """See `Store`. Reads are consistent, commits are transactions. Raises CloudError.

    lives: kinds whose documents end by themselves, and after how many seconds at the earliest.
    """

    def __init__(
        self, client: DynamoDBClient, table: str, lives: Mapping[str, int] | None = None
    ) -> None:
        self._client, self._table = client, table
        self._lives = dict(lives or {})

    def get(self, kind: str, key: str) -> Record | None:
        with explained(SERVICE):
            found = self._client.get_item(
                TableName=self._table,
                Key={"kind": {"S": kind}, "key": {"S": key}},
                ConsistentRead=True,
            )
        return _record(found["Item"]) if "Item" in found else None

    def list(
        self, kind: str, prefix: str = "", after: str = "", limit: int = 100
    ) -> Sequence[Record]:
        low, high = max(prefix, after + "\0"), prefix + LAST
        found: list[Record] = []
        start: dict[str, Any] = {}
        while low <= high and len(found) < limit:
            with explained(SERVICE):
                page = self._client.query(
                    TableName=self._table,
                    KeyConditionExpression="#kind = :kind AND #key BETWEEN :low AND :high",
                    ExpressionAttributeNames={"#kind": "kind", "#key": "key"},
                    ExpressionAttributeValues={
                        ":kind": {"S": kind}, ":low": {"S": low}, ":high": {"S": high}
                    },
                    ConsistentRead=True,
                    Limit=limit - len(found),
                    **start,
                )  # fmt: skip
            found += [_record(item) for item in page["Items"]]
            if "LastEvaluatedKey" not in page:  # a page may be short, or empty, and not the last
                break
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        return found

    def commit(self, changes: Sequence[Put | Delete]) -> None:
        if not checked(changes):
            return
        items = [self._item(change) for change in changes]
        # An attempt whose answer was lost is known again by its token, and not done twice.
        token = secrets.token_hex(16)
        for attempt in range(ATTEMPTS):
            _pause(attempt)
            if self._committed(items, token, changes):
                return
        raise CloudError(f"{SERVICE} is too busy for this change; try again.")

    def every(self) -> Iterator[Record]:
        start: dict[str, Any] = {}
        while True:
            with explained(SERVICE):
                page = self._client.scan(TableName=self._table, ConsistentRead=True, **start)
            yield from (
                _record(item) for item in page["Items"] if not item["kind"]["S"].startswith("_")
            )
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def fill(self, records: Iterable[Record]) -> None:
        """One that broke off is marked, and goes on with the same documents; others are refused."""
        wanted = {(record.kind, record.key): record for record in records}
        marked = self.get(*FILLING)
        for there in self.every():
            if marked is None or wanted.get((there.kind, there.key)) != there:
                raise not_empty(f"the table {self._table}")
        if marked is None:
            self.commit([Put(*FILLING, "{}", 0)])
        self._write({"PutRequest": {"Item": _item(record)}} for record in wanted.values())
        self.commit([Delete(*FILLING, 1)])

    def _write(self, requests: Iterable[dict[str, Any]]) -> None:
        """A batch may be done in part: what is left is asked for again, at a growing distance."""
        waiting = iter(requests)
        while batch := tuple(islice(waiting, BATCH)):
            left: Any = {self._table: batch}
            for attempt in range(ATTEMPTS):
                _pause(attempt)
                with explained(SERVICE):
                    left = self._client.batch_write_item(RequestItems=left)["UnprocessedItems"]
                if not left:
                    break
            if left:
                raise CloudError(f"{SERVICE} is too busy to take it all; import it again.")

    def _committed(
        self,
        items: Sequence[Any],
        token: str,
        changes: Sequence[Put | Delete],
    ) -> bool:
        """Whether it is done; False: try again."""
        with explained(SERVICE):
            try:
                self._client.transact_write_items(TransactItems=items, ClientRequestToken=token)
            except ClientError as problem:
                if code_of(problem) == "TransactionInProgressException":
                    return False
                if code_of(problem) != "TransactionCanceledException":
                    raise
                reasons = [
                    str(one.get("Code", ""))
                    for one in problem.response.get("CancellationReasons", [])
                ]
            else:
                return True
        for change, reason in zip(changes, reasons, strict=False):
            if reason == CHANGED:
                raise ConflictError(f"{change.kind} {change.key} was changed by somebody else")
        if PASSING & set(reasons):
            return False
        why = ", ".join(sorted(set(reasons) - {"None", ""}))
        raise CloudError(f"{SERVICE} cannot keep this change: {why or 'no reason was given'}.")

    def _item(self, change: Put | Delete) -> dict[str, Any]:
        place = {"kind": {"S": change.kind}, "key": {"S": change.key}}
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(revision)"}
        if change.expected:
            condition = {
                "ConditionExpression": "revision = :expected",
                "ExpressionAttributeValues": {":expected": {"N": str(change.expected)}},
            }
        if isinstance(change, Delete):
            return {"Delete": {"TableName": self._table, "Key": place, **condition}}
        item: dict[str, Any] = {
            **place,
            **_told(change.value),
            "revision": {"N": str(change.expected + 1)},
        }
        if change.kind in self._lives:
            item["expires"] = {"N": str(int(time.time()) + self._lives[change.kind])}
        return {"Put": {"TableName": self._table, "Item": item, **condition}}


def _pause(attempt: int) -> None:
    """None before the first."""
    pause = min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S) if attempt else 0.0
    time.sleep(random.uniform(pause / 2, pause))


def _place(record: Record) -> dict[str, Any]:
    return {"kind": {"S": record.kind}, "key": {"S": record.key}}


def _item(record: Record) -> dict[str, Any]:
    revision = {"revision": {"N": str(record.revision)}}
    return {**_place(record), **_told(record.value), **revision}


def _told(value: str) -> dict[str, Any]:
    """DynamoDB keeps 400 KB; a rollout that remembers thousands of agents is longer than that, and
    says much the same of each."""
    content = value.encode()
    if len(content) < PACKED_FROM:
        return {"value": {"S": value}}
    return {"packed": {"B": zlib.compress(content)}}


def _record(item: Mapping[str, Any]) -> Record:
    packed = item.get("packed")
    value = zlib.decompress(packed["B"]).decode() if packed else item["value"]["S"]
    return Record(item["kind"]["S"], item["key"]["S"], value, int(item["revision"]["N"]))
