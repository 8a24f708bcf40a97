"""What the repository offers, by signed metadata alone. The newest seen is remembered on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from tuf.api import exceptions
from tuf.api.metadata import TargetFile
from tuf.ngclient import Updater, UpdaterConfig

from edge_agent.fleet.home import sync_folder
from edge_agent.fleet.models.outcomes import NotNowError, RefusedError
from edge_agent.fleet.models.transfer import ModelSource, Transfer

_LIMITS = UpdaterConfig(
    root_max_length=128 * 1024,
    timestamp_max_length=16 * 1024,
    snapshot_max_length=256 * 1024,
    targets_max_length=4 * 2**20,
    max_root_rotations=64,
    max_delegations=1,
)


class Catalog:
    """One refreshed view. Every step of TUF's client workflow has passed: signatures, expiry, no
    older version than was ever seen, and all parts of one moment.

    Raises RefusedError when what is served breaks a rule, NotNowError when it cannot be had.
    """

    def __init__(self, folder: Path, source: ModelSource, transfer: Transfer) -> None:
        self._targets_url = source.targets_url.rstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        with _in_our_words():
            self._updater = Updater(
                str(folder), source.metadata_url, fetcher=transfer, config=_LIMITS,
                bootstrap=source.root.read_bytes(),
            )  # fmt: skip
            self._updater.refresh()
            _sync(folder)

    def find(self, path: str) -> TargetFile | None:
        """Length and hash of a file that the repository offers now."""
        with _in_our_words():
            return self._updater.get_targetinfo(path)

    def need(self, path: str) -> TargetFile:
        """Like `find`; raises RefusedError for what was never published, or was revoked."""
        found = self.find(path)
        if found is None:
            raise RefusedError("not_in_repository")
        return found

    def url(self, file: TargetFile) -> str:
        """Its address, which holds its hash: another content has another one."""
        return f"{self._targets_url}/{file.get_prefixed_paths()[0]}"


def _sync(folder: Path) -> None:
    """Make what was seen outlast a loss of power: else older metadata would be news again."""
    for path in folder.rglob("*.json"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    sync_folder(folder)


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except exceptions.ExpiredMetadataError:
        raise RefusedError("metadata_expired") from None
    except exceptions.BadVersionNumberError:
        raise RefusedError("metadata_older") from None
    except exceptions.UnsignedMetadataError:
        raise RefusedError("metadata_unsigned") from None
    except exceptions.DownloadLengthMismatchError:
        raise RefusedError("metadata_too_long") from None
    except exceptions.LengthOrHashMismatchError:
        raise RefusedError("metadata_mixed") from None
    except exceptions.RepositoryError:
        raise RefusedError("metadata_invalid") from None
    except (exceptions.DownloadError, httpx.HTTPError, OSError) as problem:
        raise NotNowError(
            f"the model repository cannot be read: {type(problem).__name__}"
        ) from None
