"""What AWS does on bad days: nothing may be lost, nothing done twice, and errors say what helps."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.config import Config

from cloud_control.adapters.aws import store as module
from cloud_control.adapters.aws.bus import IotBus
from cloud_control.adapters.aws.calls import CONFIG
from cloud_control.adapters.aws.store import DynamoStore
from cloud_control.errors import BrokerError, CloudError, ConflictError, DataFolderError
from cloud_control.ports import Delete, Put, Record
from fleet_contract.topics import Address, Kind
from tests.cloud_control.aws.front import Answer, Call, Front, fault

WRITE, READ, QUERY, BATCH = "TransactWriteItems", "GetItem", "Query", "BatchWriteItem"
FEW = CONFIG.merge(Config(retries={"mode": "standard", "max_attempts": 2}))
"""As in earnest, but sooner at its end."""
HASTY = FEW.merge(Config(read_timeout=1.0))
SLOW_S = 1.5


@dataclass
class Bench:
    """A store behind the front, and one that goes straight to moto."""

    front: Front
    table: str
    store: DynamoStore
    straight: DynamoStore

    @property
    def hasty(self) -> DynamoStore:
        """Waits for no answer longer than a second."""
        return DynamoStore(self.front.cloud.client("dynamodb", config=HASTY), self.table)

    def asked(self, action: str) -> list[Call]:
        return [call for call in self.front.calls if call.action == action]


@pytest.fixture
def bench(front: Front, cloud: Any) -> Bench:
    table = cloud.table()
    client = front.cloud.client("dynamodb", config=FEW)
    return Bench(front, table, DynamoStore(client, table), cloud.store(table))


def cancelled(*codes: str) -> Answer:
    reasons = [{"Code": code} for code in codes]
    return fault(400, "TransactionCanceledException", CancellationReasons=reasons)


THROTTLED = [
    fault(400, "ProvisionedThroughputExceededException"),
    fault(400, "ThrottlingException"),
    fault(400, "RequestLimitExceeded"),
    fault(500, "InternalServerError"),
    fault(503, "ServiceUnavailable"),
]


class TestThrottling:
    @pytest.mark.parametrize("answer", THROTTLED, ids=lambda one: one.headers["x-amzn-ErrorType"])
    def test_what_passes_is_waited_for(self, bench: Bench, answer: Answer) -> None:
        bench.front.faults(1, WRITE, answer)
        bench.front.faults(1, READ, answer)
        bench.front.faults(1, QUERY, answer)
        bench.store.commit([Put("agent", "a", "1", 0)])
        assert bench.store.get("agent", "a") == Record("agent", "a", "1", 1)
        assert len(bench.store.list("agent")) == 1
        assert len(bench.asked(WRITE)) == 2

    @pytest.mark.parametrize(
        "code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]
    )
    def test_a_transaction_that_met_another_is_tried_again(self, bench: Bench, code: str) -> None:
        bench.front.faults(3, WRITE, cancelled("None", code))
        bench.store.commit([Put("agent", "a", "1", 0), Put("agent", "b", "1", 0)])
        assert len(bench.store.list("agent")) == 2
        tokens = {call.json["ClientRequestToken"] for call in bench.asked(WRITE)}
        assert len(tokens) == 1  # all tries are one change

    def test_what_does_not_pass_is_an_error_and_nothing_was_done(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0.02)
        hit = bench.front.faults(99, WRITE, cancelled("TransactionConflict"))
        with pytest.raises(CloudError, match="too busy"):
            bench.store.commit([Put("agent", "a", "1", 0)])
        assert len(hit) == module.ATTEMPTS
        assert bench.straight.get("agent", "a") is None

    def test_what_another_changed_is_a_conflict_at_once(self, bench: Bench) -> None:
        hit = bench.front.faults(9, WRITE, cancelled("ConditionalCheckFailed", "None"))
        with pytest.raises(ConflictError, match="agent a"):
            bench.store.commit([Put("agent", "a", "1", 0), Put("agent", "b", "1", 0)])
        assert len(hit) == 1

    def test_what_a_table_cannot_keep_is_said(self, bench: Bench) -> None:
        bench.front.faults(1, WRITE, cancelled("ValidationError"))
        with pytest.raises(CloudError, match="ValidationError"):
            bench.store.commit([Put("agent", "a", "1", 0)])

    def test_many_writers_through_a_busy_table_lose_nothing(self, bench: Bench) -> None:
        """Every third write is refused for a reason that passes."""
        turn, counted = iter(range(10_000)), 0
        lock = threading.Lock()

        def busy(call: Call) -> Answer | None:
            if call.action != WRITE:
                return None
            with lock:
                third = next(turn) % 3 == 0
            return cancelled("TransactionConflict") if third else None

        bench.front.rules.append(busy)
        bench.store.commit([Put("agent", "count", "0", 0)])

        def count() -> None:
            nonlocal counted
            for _ in range(8):
                while True:
                    there = bench.store.get("agent", "count")
                    assert there is not None
                    more = str(int(there.value) + 1)
                    try:
                        bench.store.commit([Put("agent", "count", more, there.revision)])
                    except ConflictError:
                        continue
                    break

        threads = [threading.Thread(target=count) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert bench.straight.get("agent", "count") == Record("agent", "count", "24", 25)


class Remembers:
    """DynamoDB knows a transaction again by its token for ten minutes; moto's server does not."""

    def __init__(self) -> None:
        self.done: dict[str, Answer] = {}

    def __call__(self, call: Call) -> Answer | None:
        if call.action != WRITE:
            return None
        token = call.json["ClientRequestToken"]
        if token not in self.done:
            answer = call.send()
            if answer.status != 200:
                return answer
            self.done[token] = answer
        return self.done[token]


def lost(count: int, behind: Callable[[Call], Answer | None], how: str) -> Any:
    """The first answers are lost on their way, after what was asked was done."""
    left = iter(range(count))

    def rule(call: Call) -> Answer | None:
        if call.action != WRITE:
            return None
        found = behind(call)
        if next(left, None) is None:
            return found
        if how == "timeout":
            time.sleep(SLOW_S)
        return fault(500, "InternalServerError")

    return rule


class TestLostAnswers:
    @pytest.mark.parametrize("how", ["error", "timeout"])
    def test_a_change_whose_answer_was_lost_is_done_once(self, bench: Bench, how: str) -> None:
        bench.front.rules.append(lost(1, Remembers(), how))
        bench.hasty.commit([Put("agent", "a", "1", 0)])
        assert bench.straight.get("agent", "a") == Record("agent", "a", "1", 1)
        bench.store.commit([Delete("agent", "a", 1)])
        assert bench.straight.get("agent", "a") is None

    def test_a_table_that_never_answers_is_an_error(self, bench: Bench) -> None:
        def silent(_: Call) -> Answer:
            time.sleep(SLOW_S)
            return fault(500, "InternalServerError")

        bench.front.rules.append(silent)
        with pytest.raises(CloudError, match="does not answer: ReadTimeoutError"):
            bench.hasty.get("agent", "a")

    def test_a_place_where_nobody_answers_is_an_error(self, bench: Bench) -> None:
        from tests.cloud_control.aws.moto_server import Cloud
        from tests.cloud_control.brokers import HOST, free_port

        nowhere = Cloud(f"http://{HOST}:{free_port()}").client("dynamodb", config=FEW)
        with pytest.raises(CloudError, match="does not answer: EndpointConnectionError"):
            DynamoStore(nowhere, bench.table).list("agent")


class TestConsistency:
    def test_nothing_is_read_that_may_be_old(self, bench: Bench) -> None:
        """A read that does not ask for the newest gets what was there before the last change."""
        bench.store.commit([Put("agent", "a", "1", 0)])
        old: dict[bytes, Answer] = {}

        def stale(call: Call) -> Answer | None:
            if call.action not in {READ, QUERY, "Scan"} or call.json.get("ConsistentRead"):
                return None
            return old.setdefault(call.body, call.send())

        bench.front.rules.append(stale)
        for revision in (1, 2):
            bench.store.commit([Put("agent", "a", str(revision + 1), revision)])
            now = Record("agent", "a", str(revision + 1), revision + 1)
            assert bench.store.get("agent", "a") == now
            assert bench.store.list("agent") == [now]
            assert list(bench.store.every()) == [now]

    @pytest.mark.parametrize("most", [1, 2, 3])
    def test_short_and_empty_pages_are_not_the_end(self, bench: Bench, most: int) -> None:
        """DynamoDB ends a page at 1 MB, wherever that is."""
        names = [f"{number:02}" for number in range(7)]
        bench.store.commit([Put("agent", name, "1", 0) for name in names])

        def short(call: Call) -> Answer | None:
            if call.action not in {QUERY, "Scan"}:
                return None
            asked = call.json
            limit = min(asked.get("Limit", most), most)
            return call.send_as({**asked, "Limit": limit})

        bench.front.rules.append(short)
        assert [one.key for one in bench.store.list("agent", limit=5)] == names[:5]
        assert [one.key for one in bench.store.list("agent", after="03")] == names[4:]
        assert sorted(one.key for one in bench.store.every()) == names


class TestBatches:
    RECORDS = tuple(
        Record("agent", f"a{number:03}", str(number), number) for number in range(1, 61)
    )

    def test_what_a_batch_leaves_undone_is_done_later(self, bench: Bench) -> None:
        """Of each batch, only some of it is taken at a time."""

        def some(call: Call) -> Answer | None:
            if call.action != BATCH:
                return None
            asked = call.json
            requests = asked["RequestItems"][bench.table]
            taken, left = requests[:9], requests[9:]
            call.send_as({"RequestItems": {bench.table: taken}})
            told = {"UnprocessedItems": {bench.table: left} if left else {}}
            return Answer(200, json.dumps(told).encode())

        bench.front.rules.append(some)
        bench.store.fill(self.RECORDS)
        assert sorted(bench.straight.every(), key=lambda one: one.key) == list(self.RECORDS)

    def test_an_import_that_broke_off_goes_on_and_no_other_takes_its_place(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "LONGEST_PAUSE_S", 0.02)

        def full(call: Call) -> Answer | None:
            if call.action != BATCH or len(bench.asked(BATCH)) < 2:
                return None
            return Answer(200, json.dumps({"UnprocessedItems": call.json["RequestItems"]}).encode())

        bench.front.rules.append(full)
        with pytest.raises(CloudError, match="import it again"):
            bench.store.fill(self.RECORDS)
        assert len(list(bench.straight.every())) == 25
        bench.front.rules.clear()
        with pytest.raises(DataFolderError, match="empty"):
            bench.store.fill(self.RECORDS[30:])
        bench.store.fill(self.RECORDS)
        assert sorted(bench.straight.every(), key=lambda one: one.key) == list(self.RECORDS)
        with pytest.raises(DataFolderError, match="empty"):
            bench.store.fill(self.RECORDS)  # it is done


STALE = ["ExpiredTokenException", "UnrecognizedClientException", "InvalidSignatureException"]


class TestCredentials:
    @pytest.mark.parametrize("code", STALE)
    def test_old_credentials_are_named_as_the_cause(self, bench: Bench, code: str) -> None:
        bench.front.rules.append(lambda _: fault(400, code))
        for work in (
            lambda: bench.store.get("agent", "a"),
            lambda: bench.store.list("agent"),
            lambda: bench.store.commit([Put("agent", "a", "1", 0)]),
        ):
            with pytest.raises(CloudError, match=f"credentials.*{code}.*renew"):
                work()
        assert bench.straight.get("agent", "a") is None

    def test_none_at_all_are_missed(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
        import boto3

        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        client = boto3.Session().client("dynamodb", region_name="eu-west-1", config=FEW)
        with pytest.raises(CloudError, match="no AWS credentials"):
            DynamoStore(client, "table").get("agent", "a")

    def test_a_missing_table_is_said(self, bench: Bench) -> None:
        client = bench.front.cloud.client("dynamodb", config=FEW)
        with pytest.raises(CloudError, match="ResourceNotFoundException"):
            DynamoStore(client, "no-such-table").get("agent", "a")


class TestBus:
    def test_a_throttled_message_is_sent_once_it_may(self, front: Front) -> None:
        left = iter(range(2))

        def busy(_: Call) -> Answer | None:
            return None if next(left, None) is None else fault(429, "ThrottlingException")

        front.rules.append(busy)
        IotBus(front.cloud.client("iot-data")).publish(Address(Kind.DESIRED, "acme", "a"), b"{}")
        assert len(front.calls) == 3

    def test_a_broker_that_stays_away_is_said(self, front: Front) -> None:
        front.rules.append(lambda _: fault(500, "InternalFailureException"))
        bus = IotBus(front.cloud.client("iot-data", config=FEW))
        with pytest.raises(BrokerError, match="InternalFailure"):
            bus.publish(Address(Kind.DESIRED, "acme", "a"), b"{}")
