"""FFmpeg's errors in plain words, without the address they happened at."""

from __future__ import annotations

import av
from av.error import FFmpegError

WORDS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((av.error.FileNotFoundError,), "there is no such file; check the path"),
    ((av.error.PermissionError,), "permission was denied; check who may read and write it"),
    ((av.error.IsADirectoryError,), "this is a folder, not a file"),
    ((av.error.ConnectionRefusedError,), "nothing answers there; check address and port"),
    ((av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError), "the server wants a login"),
    ((av.error.HTTPNotFoundError,), "the server knows no such stream"),
    ((av.error.ExitError, av.error.TimeoutError), "no answer in time; check that it is sending"),
    ((av.error.ProtocolNotFoundError,), "this kind of address is not supported"),
    ((av.error.InvalidDataError,), "this is not video that can be read"),
    ((av.error.EOFError,), "it ended before a picture came"),
)


def in_words(error: BaseException) -> str:
    """What went wrong and, where known, what would mend it. Never contains an address."""
    for kinds, words in WORDS:
        if isinstance(error, kinds):
            return words
    if isinstance(error, FFmpegError):
        return error.strerror or type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
