"""Every error as a problem document (RFC 9457), without a word that a log should not hold."""

from __future__ import annotations

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from cloud_control.errors import (
    BrokerError,
    CertificateError,
    CloudError,
    ControlError,
    RequestError,
    RolloutError,
)

PROBLEM = "application/problem+json"

log = structlog.get_logger()


def problem(status: int, title: str, detail: str, **headers: str) -> JSONResponse:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return JSONResponse(body, status, headers, media_type=PROBLEM)


def explain(app: FastAPI) -> None:
    """Make `app` answer every error so."""

    @app.exception_handler(RequestError)
    async def _request(_: Request, error: RequestError) -> JSONResponse:
        headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}
        if error.status == 429:
            headers["Retry-After"] = "60"
        return problem(error.status, _title(error), str(error), **headers)

    @app.exception_handler(ControlError)
    async def _control(_: Request, error: ControlError) -> JSONResponse:
        status = 409 if isinstance(error, RolloutError) else 500
        if isinstance(error, CertificateError):
            status = 400
        if isinstance(error, BrokerError | CloudError):
            status = 503
        return problem(status, _title(error), str(error))

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return problem(422, "Invalid", f"{where}: {first['msg']}")

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, str(error.detail), str(error.detail))

    @app.exception_handler(Exception)
    async def _bug(request: Request, error: Exception) -> JSONResponse:
        # No values of the request: they may hold secrets.
        log.error("request failed", path=request.url.path, error=type(error).__name__)
        return problem(500, "Internal error", "this is a fault of the control plane; see its log")


def _title(error: ControlError) -> str:
    return type(error).__name__.removesuffix("Error")
