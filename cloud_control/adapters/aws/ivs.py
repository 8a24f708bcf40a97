"""Amazon IVS as the ingest: a channel for each stream, made with it and deleted with it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import ClientError
from pydantic import SecretStr

from cloud_control.adapters.aws.calls import code_of, explained
from cloud_control.domain.fleet import Kept
from cloud_control.errors import (
    CloudError,
    ConflictError,
    NotFoundError,
    RequestError,
    TakenError,
)
from cloud_control.ports import Clock, Store
from cloud_control.service.records import Held, Shelf
from fleet_contract.endpoint import Endpoint
from fleet_contract.fields import Millis

if TYPE_CHECKING:
    from mypy_boto3_ivs import IVSClient

KIND = "channel"
SERVICE = "IVS"
GONE = "ResourceNotFoundException"
IDLE = frozenset({GONE, "ChannelNotBroadcasting"})
LONGEST_NAME = 128
SETTLES_MS = 10 * 60 * 1000
"""How long a stream may take to be made after its channel."""


class Channel(Kept):
    """arn is empty while it is being made. ingest: a host; playback: the address of the playlist.
    key_arn: of its one stream key."""

    made_at: Millis
    arn: str = ""
    key_arn: str = ""
    ingest: str = ""
    playback: str = ""


class IvsEntrance:
    """See `Entrance`; of one fleet. recording: the ARN of a recording configuration, if any. kind:
    BASIC passes on what comes, STANDARD makes several sizes of it at ten times the price.

    What is made is noted before, so that nothing is left behind: see `sweep`. Raises CloudError.
    """

    def __init__(
        self,
        client: IVSClient,
        store: Store,
        fleet: str,
        clock: Clock,
        *,
        recording: str = "",
        kind: Literal["BASIC", "STANDARD"] = "BASIC",
    ) -> None:
        self._client, self._store, self._clock = client, store, clock
        self._fleet, self._recording, self._kind = fleet, recording, kind
        self._shelf = Shelf(store, KIND, Channel)

    def open(self, stream: str) -> Endpoint:
        name = channel_name(self._fleet, stream)
        if len(name) > LONGEST_NAME:
            raise RequestError(f"the stream's id is too long for a channel named {name}")
        key, noted = self._key(stream), Channel(made_at=self._clock())
        try:
            self._store.commit([self._shelf.put(key, noted)])
        except ConflictError:
            raise TakenError(f"there is a channel of the stream {stream} already") from None
        try:
            with explained(SERVICE):
                made = self._client.create_channel(
                    name=name,
                    latencyMode="LOW",
                    type=self._kind,
                    authorized=False,
                    recordingConfigurationArn=self._recording,
                    tags={"veilcast:fleet": self._fleet, "veilcast:stream": stream},
                )
        except CloudError:
            with suppress(CloudError):
                self.close(stream)
            raise
        channel, secret = made["channel"], made["streamKey"]
        noted = noted.model_copy(
            update={
                "arn": channel["arn"],
                "key_arn": secret["arn"],
                "ingest": channel["ingestEndpoint"],
                "playback": channel["playbackUrl"],
            }
        )
        self._store.commit([self._shelf.put(key, noted, 1)])
        return Endpoint(url=f"rtmps://{noted.ingest}:443/app", key=SecretStr(secret["value"]))

    def renew(self, stream: str) -> str:
        held = self._shelf.need(self._key(stream))
        arn = held.value.arn
        with explained(SERVICE):  # a channel has one key at a time: the old one goes first
            for key in self._client.list_stream_keys(channelArn=arn)["streamKeys"]:
                self._client.delete_stream_key(arn=key["arn"])
            made = self._client.create_stream_key(
                channelArn=arn, tags={"veilcast:fleet": self._fleet, "veilcast:stream": stream}
            )["streamKey"]
            self._hang_up(arn)
        changed = held.value.model_copy(update={"key_arn": made["arn"]})
        self._store.commit([self._shelf.put(held.key, changed, held.revision)])
        return made["value"]

    def close(self, stream: str) -> None:
        held = self._shelf.get(self._key(stream))
        if held is None:
            return
        for arn in [held.value.arn] if held.value.arn else self._unnoted(stream):
            with explained(SERVICE):
                self._hang_up(arn)
                try:
                    self._client.delete_channel(arn=arn)
                except ClientError as problem:
                    if code_of(problem) != GONE:
                        raise
        self._store.commit([self._shelf.delete(held.key, held.revision)])

    def playback(self, stream: str) -> str:
        """The address of a stream's playlist. Raises NotFoundError."""
        found = self._shelf.get(self._key(stream))
        if found is None or not found.value.playback:
            raise NotFoundError(f"the stream {stream} has no channel")
        return found.value.playback

    def sweep(self, known: set[str]) -> list[str]:
        """Close the channels of streams that are not known and should be: what an interruption
        left. To be called on a tick; the streams are returned."""
        over = self._clock() - SETTLES_MS
        left = [
            held.key.partition("/")[2]
            for held in self._all()
            if held.value.made_at < over and held.key.partition("/")[2] not in known
        ]
        for stream in left:
            self.close(stream)
        return left

    def _all(self) -> list[Held[Channel]]:
        after, found = "", list[Held[Channel]]()
        while page := self._shelf.page(f"{self._fleet}/", after):
            found += page
            after = page[-1].key
        return found

    def _hang_up(self, arn: str) -> None:
        try:
            self._client.stop_stream(channelArn=arn)
        except ClientError as problem:
            if code_of(problem) not in IDLE:
                raise

    def _unnoted(self, stream: str) -> list[str]:
        """Channels that were made and not noted any more."""
        with explained(SERVICE):
            found = self._client.list_channels(
                filterByName=channel_name(self._fleet, stream), maxResults=10
            )
        return [one["arn"] for one in found["channels"]]

    def _key(self, stream: str) -> str:
        return f"{self._fleet}/{stream}"


def channel_name(fleet: str, stream: str) -> str:
    return f"veilcast-{fleet}-{stream}"
