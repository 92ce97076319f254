"""Files that are whole or absent: written under a temporary name in the same folder, then renamed.

The temporary name is `.<name>.<16 hex digits>.draft`, or `.<name>.draft` with `sole_writer`. A process that is killed
leaves one behind; who owns the folder removes it (`stored_files`, `voices.library`, `serverless.delivery.volume`,
`batch.manifest`, the packs).
Files get the permissions that the umask leaves, not 0600: on a shared volume other workers may run as other users.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from chatterbox_worker.mounts import allow_bytes, check_wanted

DRAFT_SUFFIX = ".draft"
ORPHAN_S = 3600.0
"""A draft this old, in seconds, belongs to a worker that died."""
_RETRY_S = 0.02
LOCK_S = 10.0
"""To wait for another worker that changes voices or the lexicon: a moment, unless it hangs."""
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_NO_LOCKS = (errno.EBADF, errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""NFS answers EBADF for a folder, since its locks are those of files that can be written."""


@contextlib.contextmanager
def draft(path: Path, *, durable: bool = False, sole_writer: bool = False) -> Iterator[Path]:
    """A temporary name to write to; after the block it is renamed to `path`, or removed if the block raises.

    `durable`: content and rename are on the disk afterwards, so that they survive a power failure. For what cannot be
    made again or is promised to a caller; 15 ms a file of 0.5 MB (ext4, median of 40).
    `sole_writer`: no other thread or process writes to `path` at the same time; then a killed run leaves at most
    one draft.

    Raises:
        OSError: the file cannot be written, or its writer was given up (`mounts`); what was at `path` before is still
            there.
    """
    tag = "" if sole_writer else f".{secrets.token_hex(8)}"
    written = path.with_name(f".{path.name}{tag}{DRAFT_SUFFIX}")
    try:
        if sole_writer:  # the name can be known: a link there would be written through
            written.unlink(missing_ok=True)
        yield written
        if durable:
            _sync(written)
        check_wanted()
        written.replace(path)
    except OSError as error:
        if error.errno in _DISK_ERRORS and error.filename is None:  # a write knows no name, and its message needs one
            error.filename = str(path)
        raise
    finally:  # after a rename too, which does nothing where both names are links to one file
        with contextlib.suppress(OSError):
            written.unlink()
    if durable:
        _sync(path.parent)


def write_whole(path: Path, data: bytes, *, durable: bool = False, sole_writer: bool = False) -> None:
    """Write a file as `draft` does.

    Raises:
        OSError: as `draft`.
    """
    with draft(path, durable=durable, sole_writer=sole_writer) as written:
        allow_bytes(len(data))
        written.write_bytes(data)


def save(path: str | Path, data: bytes) -> Path:
    """Write a file as `draft` does, and its folder if it is missing; for a person's path. Raises OSError."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data)
    return path


def remove_orphans(folder: Path, name: str = "") -> None:
    """Remove the drafts of writers that were killed: those of files whose names begin with `name`. A folder that cannot
    be read or written stays as it is.
    """
    with contextlib.suppress(OSError):
        for path in folder.glob(f".{name}*{DRAFT_SUFFIX}"):
            with contextlib.suppress(OSError):  # another worker removed it
                if time.time() - path.stat().st_mtime > ORPHAN_S:
                    path.unlink()


def check_whole(data: bytes, size_bytes: int) -> None:
    """Raises OSError for fewer bytes than the file has: a network file system may return a part, and no error."""
    if len(data) < size_bytes:
        raise OSError(errno.EIO, f"only {len(data)} of the file's {size_bytes} bytes can be read")


def check_writable(path: Path) -> None:
    """Before long work for a file at `path`; its folder may be missing. Nothing is written.

    Raises:
        OSError: the file could not be written, as by `draft`.
    """
    folder = next(each for each in path.absolute().parents if each.exists())
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


@contextlib.contextmanager
def lock_folder(folder: Path, *, wait_s: float = 0.0) -> Iterator[None]:
    """Hold the folder's lock, as `lock`.

    Raises:
        BlockingIOError: another process has the lock, and had it for `wait_s` seconds.
        OSError: there is no such folder, or it cannot be opened.
    """
    opened = os.open(folder, os.O_RDONLY)
    try:
        lock(opened, wait_s=wait_s)
        yield
    finally:
        os.close(opened)


def lock(opened: int, *, wait_s: float) -> None:
    """Take the lock of an open file or folder, which one process at a time can have and which ends with the process.

    A file system without locks, as some network volumes are, cannot keep two processes apart, and does not stop one.

    Raises:
        BlockingIOError: another process has the lock, and had it for `wait_s` seconds.
    """
    deadline_s = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline_s:
                raise BlockingIOError(error.errno, "another process has its lock") from None
            time.sleep(_RETRY_S)
            continue
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        return


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
