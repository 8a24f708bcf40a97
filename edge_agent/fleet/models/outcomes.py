"""Why an attempt to update did not come to its end."""

from __future__ import annotations


class RefusedError(Exception):
    """The model, or what is signed for it, is not acceptable. `reason` is a token for the fleet."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotNowError(Exception):
    """Nothing is wrong with the model: no network, no room, a live stream. Try again later."""


class StreamIsLiveError(NotNowError):
    """The update waits until no stream is live."""


class OvertakenError(Exception):
    """Something else is wanted by now."""


# Refused for what the repository serves now: a later state of it may be sound again.
OF_THE_REPOSITORY = frozenset({
    "metadata_expired", "metadata_older", "metadata_unsigned", "metadata_mixed",
    "metadata_too_long", "metadata_invalid", "not_in_repository", "wrong_hash", "too_long",
})  # fmt: skip
