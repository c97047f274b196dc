"""One run at a time for the products of one name.

The system holds the lock as long as the process lives, so that a run that was killed leaves none behind; the file only
says who it is.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hisf.errors import FileAccessError

NOT_HERE = (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK, errno.EINVAL)  # a file system without locks


@contextmanager
def locked(base: Path) -> Iterator[None]:
    """Keep other runs from writing products of this name; on a file system without locks, do nothing.

    Parameters
    ----------
    base : Path
        Folder and base name of the products.

    Raises
    ------
    FileAccessError
        Another run is writing them, or the folder cannot be written to.
    """
    path = base.with_name(f".{base.name}.lock")
    try:
        file = _lock(path)
    except BlockingIOError:
        raise FileAccessError(
            f"Another run is writing {base.name} in {base.parent} ({_holder(path)}); wait for it, or choose another "
            f"output.filename. The lock is {path}."
        ) from None
    except OSError as error:
        raise FileAccessError(f"{path} cannot be written: {error.strerror or error}.") from None
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(file)


def _lock(path: Path) -> int:
    """Return the descriptor of the locked file."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in NOT_HERE:
                os.close(file)
                raise
        if path.exists() and os.stat(path).st_ino == os.fstat(file).st_ino:  # noqa: PTH116 - a pair
            os.ftruncate(file, 0)
            os.write(file, f"process {os.getpid()} on {socket.gethostname()}".encode())
            return file
        os.close(file)  # of a run that has just ended, and removed it


def _holder(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or "not said who"
    except OSError:
        return "not said who"
