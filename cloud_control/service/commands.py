"""Commands: asked once, answered by acknowledgements."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from cloud_control.domain.fleet import agent_key
from cloud_control.errors import RequestError
from cloud_control.ports import Bus, Clock, Store
from cloud_control.service.answers import Answers, Asked
from cloud_control.service.audit import Audit
from cloud_control.service.documents import Documents
from cloud_control.service.events import Events
from cloud_control.service.live import Live
from fleet_contract.ack import Ack
from fleet_contract.codec import command_address, encode
from fleet_contract.commands import COMMANDS
from fleet_contract.topics import Address

LIFE_SECONDS = 30


class Commands:
    """Issues commands and keeps their newest answers for a while. Callable from any thread."""

    def __init__(
        self,
        store: Store,
        documents: Documents,
        bus: Bus,
        audit: Audit,
        live: Live,
        events: Events,
        clock: Clock,
        answers: Answers,
    ) -> None:
        self._store, self._documents, self._bus = store, documents, bus
        self._audit, self._events, self._clock = audit, events, clock
        self._answers = answers
        live.on_ack(self._answered)

    def issue(
        self,
        who: str,
        fleet: str,
        agent: str,
        name: str,
        fields: Mapping[str, Any],
        life_seconds: int = LIFE_SECONDS,
    ) -> str:
        """Publish a command; its id is returned. Raises NotFoundError without the agent,
        RequestError for an unknown command or wrong fields, BrokerError."""
        self._documents.agents.need(agent_key(fleet, agent))
        if name not in COMMANDS:
            raise RequestError(f"there is no command {name}; known are {', '.join(COMMANDS)}")
        now_ms = self._clock()
        command_id = secrets.token_hex(16)
        life = {"issued_at": now_ms, "expires_at": now_ms + life_seconds * 1000}
        try:
            command = COMMANDS[name].model_validate({**fields, "id": command_id, **life})
        except ValidationError as problem:
            first = problem.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise RequestError(f"{where}: {first['msg']}") from None
        self._answers.expect(Asked(fleet, agent, command_id))
        told = command.model_dump(mode="json", exclude={"v", "issued_at", "expires_at"})
        self._store.commit(
            [self._audit.entry(who, f"command.{name}", agent_key(fleet, agent), None, told)]
        )
        self._bus.publish(command_address(fleet, agent, command), encode(command))
        return command_id

    def answer(self, fleet: str, agent: str, command_id: str, seconds: float = 0.0) -> Ack | None:
        """The newest answer; waits so long for a final one."""
        return self._answers.newest(Asked(fleet, agent, command_id), seconds)

    def _answered(self, address: Address, ack: Ack) -> None:
        if not self._answers.take(Asked(address.fleet, address.agent, address.name), ack):
            return
        self._events.publish(
            "ack",
            {
                "fleet": address.fleet,
                "agent": address.agent,
                "id": address.name,
                **ack.model_dump(mode="json", exclude_none=True),
            },
        )
