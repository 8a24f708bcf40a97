"""A folder of segments as its uploader sees it: what waits, its verified bytes, what is done."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import structlog

from edge_agent.errors import SpoolError
from edge_agent.spool.draft import sync_folder
from edge_agent.spool.index import NAME, Index
from edge_agent.spool.key import SpoolKey, load_key
from edge_agent.spool.seal import WrongKeyError, unseal
from edge_agent.spool.segment import WAITING, Segment, State

KEY_FILE, KEEPS, LOST = "key_file", "keeps", "segments_lost"
PIECE = 1 << 20

log = structlog.get_logger()


class Store:
    """Used by one thread. Raises SpoolError when the folder cannot be used.

    A folder made with `keeps` (recordings) keeps its files once they are acknowledged; a spool
    deletes them. `key_file` is remembered in the index, where an uploader finds it.
    """

    def __init__(
        self, folder: Path, *, key_file: Path | None = None, keeps: bool | None = None
    ) -> None:
        self.folder = folder
        try:
            folder.mkdir(0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SpoolError(f"cannot make the folder {folder}: {error.strerror}") from None
        self.key: SpoolKey | None = None
        self.index = Index(folder)
        try:
            if keeps is not None:
                self.index.keep(KEEPS, int(keeps))
            if key_file is not None:
                self.key = load_key(key_file)
                self.index.keep(KEY_FILE, str(key_file.absolute()))
            elif known := self.index.fact(KEY_FILE):
                self.key = load_key(Path(str(known)))
        except SpoolError:
            self.index.close()
            raise

    def close(self) -> None:
        self.index.close()

    def waiting(self) -> list[Segment]:
        """What is to be uploaded, oldest first."""
        return self.index.of(*WAITING)

    def check(self, segment: Segment) -> bool:
        """Whether the file is what the index says, read from end to end before a byte of it leaves.

        One that is not is kept for its owner and never uploaded; one that is gone is forgotten.
        Raises SpoolError when the key is another one: that can be mended.
        """
        if segment.sealed and self.key is None:
            raise SpoolError(f"{segment.name} is encrypted: name its key")
        digest, size = hashlib.sha256(), 0
        try:
            for piece in self.pieces(segment):
                digest.update(piece)
                size += len(piece)
        except FileNotFoundError:
            self.index.remove(segment.number)
            self.index.count(LOST, 1)
            log.warning("segment is gone", segment=segment.name)
            return False
        except OSError as error:
            raise SpoolError(f"cannot read {segment.name}: {error.strerror}") from None
        except WrongKeyError:
            raise
        except SpoolError:
            size = -1
        if size == segment.size and digest.hexdigest() == segment.sha256:
            return True
        self.index.put(replace(segment, state=State.DAMAGED))
        log.error("segment is damaged: it is kept and not uploaded", segment=segment.name)
        return False

    def pieces(self, segment: Segment) -> Iterator[bytes]:
        """The plain bytes, as they come from the disk. Raises OSError, and SpoolError for a seal
        that is broken."""
        with (self.folder / segment.file).open("rb") as file:
            if segment.sealed:
                assert self.key is not None
                yield from unseal(file, self.key, segment.name)
            else:
                while piece := file.read(PIECE):
                    yield piece

    def begun(self, segment: Segment) -> None:
        """Note that it is being uploaded."""
        self.index.put(replace(segment, state=State.UPLOADING))

    def acknowledged(self, segment: Segment) -> None:
        """The receiver has it: delete it, unless this folder keeps its files."""
        if not self.index.put(replace(segment, state=State.ACKNOWLEDGED)):
            return  # given up meanwhile
        self.clean()

    def clean(self) -> None:
        """Delete what was acknowledged before a crash."""
        if self.index.fact(KEEPS):
            return
        for segment in self.index.of(State.ACKNOWLEDGED):
            (self.folder / segment.file).unlink(missing_ok=True)
            self.index.remove(segment.number)

    def register(self, path: Path, *, started_at: int) -> Segment | None:
        """List a finished recording below the folder for upload, with the checksum that it has now.

        None when it is listed already. Only what Veilcast itself has protected may be listed.
        """
        name = path.relative_to(self.folder).as_posix()
        if self.index.named(name) is not None:
            return None
        digest, size = hashlib.sha256(), 0
        try:
            with path.open("rb") as file:
                while piece := file.read(PIECE):
                    digest.update(piece)
                    size += len(piece)
            sync_folder(path.parent)
        except OSError as error:
            raise SpoolError(f"cannot read {path}: {error.strerror}") from None
        return self.index.add(
            Segment(
                0, name, State.SEALED, size=size, sha256=digest.hexdigest(), started_at=started_at
            )
        )


def folders_in(root: Path) -> list[Path]:
    """`root` itself if it has an index, otherwise the folders directly in it that have one."""
    if (root / NAME).is_file():
        return [root]
    return sorted(path.parent for path in root.glob(f"*/{NAME}"))
