"""The errors that an operator can meet. Each message says what happened and what would mend it."""

from __future__ import annotations


class ControlError(Exception):
    """Root of all errors that the control plane raises on purpose. `exit_code` is the status."""

    exit_code = 1


class CertificateError(ControlError):
    """A key, certificate or request is missing, damaged or not acceptable."""

    exit_code = 7


class BrokerError(ControlError):
    """The broker cannot be started or reached."""

    exit_code = 8


class ModelsError(ControlError):
    """The model repository, its keys or a model to publish are missing, damaged or refused."""

    exit_code = 9


class RolloutError(ControlError):
    """A rollout's plan contradicts itself, or it is not in a state for what was asked."""

    exit_code = 10


class DataFolderError(ControlError):
    """The folder of the control plane is not made yet, made already or damaged."""

    exit_code = 2


class IngestError(ControlError):
    """The ingest cannot be started or configured."""

    exit_code = 12


class ApiError(ControlError):
    """A command could not reach the control plane, or was refused by it."""

    exit_code = 11


class CloudError(ControlError):
    """A service of the cloud provider does not answer, or refuses what was asked of it."""

    exit_code = 13


class RequestError(ControlError):
    """A request cannot be granted. `status` is the HTTP status that says the same."""

    status = 400


class NotFoundError(RequestError):
    """What was named does not exist."""

    status = 404


class ConflictError(RequestError):
    """It exists already, or somebody changed it in the meantime."""

    status = 409


class TakenError(RequestError):
    """The name is in use, or there is no room for more."""

    status = 409


class ForbiddenError(RequestError):
    """Who asks may not do that."""

    status = 403


class UnauthorizedError(RequestError):
    """Nobody known asks: a token is missing, wrong or used up."""

    status = 401


class TooManyRequestsError(RequestError):
    """The same address tried too often."""

    status = 429


class ServeError(ControlError):
    """The API cannot be served as asked."""

    exit_code = 8
