"""Stream keys of IVS, which moto's server does not know: one a channel, as IVS allows."""

from __future__ import annotations

import json
import secrets

from tests.cloud_control.aws.front import Answer, Call, answer, fault


class StreamKeys:
    """A rule of a `Front`. channels: the key of each, by ARN; broadcasting: those with a publisher;
    stopped: those whose publisher was cut off."""

    def __init__(self) -> None:
        self.channels: dict[str, dict[str, str]] = {}
        self.broadcasting: set[str] = set()
        self.stopped: list[str] = []

    def __call__(self, call: Call) -> Answer | None:
        works = {
            "/CreateChannel": self._channel,
            "/ListStreamKeys": self._list,
            "/DeleteStreamKey": self._delete,
            "/CreateStreamKey": self._create,
            "/StopStream": self._stop,
        }
        return works[call.path](call) if call.method == "POST" and call.path in works else None

    def _channel(self, call: Call) -> Answer:
        made = call.send()
        told = json.loads(made.body)
        self.channels[told["channel"]["arn"]] = told["streamKey"]
        return made

    def _list(self, call: Call) -> Answer:
        key = self.channels.get(call.json["channelArn"])
        shown = [{"arn": key["arn"], "channelArn": key["channelArn"]}] if key else []
        return answer(streamKeys=shown)

    def _delete(self, call: Call) -> Answer:
        gone = call.json["arn"]
        self.channels = {arn: key for arn, key in self.channels.items() if key["arn"] != gone}
        return Answer(204, b"")

    def _stop(self, call: Call) -> Answer:
        arn = call.json["channelArn"]
        if arn not in self.broadcasting:
            return fault(404, "ChannelNotBroadcasting")
        self.broadcasting.discard(arn)
        self.stopped.append(arn)
        return answer()

    def _create(self, call: Call) -> Answer:
        channel = call.json["channelArn"]
        if channel in self.channels:
            return fault(402, "ServiceQuotaExceededException")
        number = secrets.token_hex(6)
        self.channels[channel] = {
            "arn": f"{channel.replace(':channel/', ':stream-key/')}-{number}",
            "channelArn": channel,
            "value": f"sk_eu-west-1_{number}",
        }
        return answer(streamKey=self.channels[channel])
