"""Request bodies: bounded, read as strictly as the fleet's own messages, described in OpenAPI."""

from __future__ import annotations

from typing import Any, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from cloud_control.errors import RequestError
from fleet_contract.errors import ContractError
from fleet_contract.strict_json import parse_object

MAX_BODY = 128 * 1024

Form = TypeVar("Form", bound=BaseModel)


class InvalidError(RequestError):
    """The body is not what is asked for."""

    status = 422


def body_of(form: type[Form]) -> Any:
    """A dependency that reads the request's body as `form`. Raises InvalidError."""

    async def read(request: Request) -> Form:
        raw = b""
        async for piece in request.stream():
            raw += piece
            if len(raw) > MAX_BODY:
                raise InvalidError(f"the body has more than {MAX_BODY} bytes")
        return parsed(form, raw or b"{}")

    return Depends(read)


def parsed(form: type[Form], raw: bytes) -> Form:
    """Raises InvalidError, which names the field but never its value."""
    try:
        parse_object(raw)
        return form.model_validate_json(raw)
    except ContractError as problem:
        raise InvalidError(f"{problem.reason}: {problem.detail}") from None
    except ValidationError as problem:
        first = problem.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidError(f"{where or 'the body'}: {first['msg']}") from None


def described(form: type[BaseModel]) -> dict[str, Any]:
    """What OpenAPI says of a body that is read by `body_of`."""
    schema = form.model_json_schema()
    return {"requestBody": {"content": {"application/json": {"schema": schema}}}}
