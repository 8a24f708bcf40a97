"""The errors a user can meet. Each message says what happened and what would mend it."""

from __future__ import annotations


class VeilcastError(Exception):
    """Root of all errors that Veilcast raises on purpose. `exit_code` is the command's status."""

    exit_code = 1


class SettingsError(VeilcastError):
    """A setting is unknown, out of range or contradicts another."""

    exit_code = 2


class ModelError(VeilcastError):
    """A model or its card is missing, damaged or fails its self-test."""

    exit_code = 3


class DetectError(VeilcastError):
    """A look failed or could not prove itself; its frame counts as not looked at."""

    exit_code = 4


class SourceError(VeilcastError):
    """The input cannot be opened, read or shown correctly."""

    exit_code = 5


class SinkError(VeilcastError):
    """An output cannot be opened or written."""

    exit_code = 6


class SpoolError(SinkError):
    """A spool, one of its segments or its key cannot be read or written."""


class UploadError(VeilcastError):
    """Something could not be uploaded, or what it would go to cannot be used."""

    exit_code = 7


class FleetError(VeilcastError):
    """The device's home, its identity or its enrolment is missing, spoilt or refused."""

    exit_code = 8
