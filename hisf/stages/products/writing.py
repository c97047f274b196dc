"""Writing products so that a file is either complete or not there."""

from __future__ import annotations

import ctypes
import glob
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from hisf.errors import FileAccessError
from hisf.settings import Settings
from hisf.stages.products.contract import Moment, Product, Result
from hisf.stages.products.names import image_ending

AT_FDCWD, RENAME_EXCHANGE = -100, 2  # of renameat2 in Linux


def check_places(paths: Iterable[Path], overwrite: bool) -> None:
    """Make sure, before any work is done, that files can be written.

    Raises
    ------
    FileAccessError
        A folder cannot be written to, a file is there already and must not be overwritten, or a folder stands where a
        file should go or the other way round.
    """
    for path in paths:
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise FileAccessError(f"output.directory = {path.parent} cannot be written to; choose another folder.")
        if path.exists() and not overwrite:
            raise FileAccessError(f"{path} exists and output.overwrite is false; remove it or choose another name.")
        if path.is_dir() and not _is_folder(path):
            raise FileAccessError(f"{path} is a folder, where a product should go; remove it.")
        if path.exists() and not path.is_dir() and _is_folder(path):
            raise FileAccessError(f"{path} is a file, where a folder of products should go; remove it.")


def product_path(base: Path, product: Product, settings: Settings) -> Path:
    """Return the final path of a product."""
    suffix = product.suffix.removesuffix(".fits") + image_ending(settings) if product.image else product.suffix
    return base.with_name(base.name + suffix)


def record_path(base: Path) -> Path:
    """Return the path of the run record."""
    return base.with_name(base.name + "_run.json")


def log_path(base: Path) -> Path:
    """Return the path of the log of the run."""
    return base.with_name(base.name + "_run.log")


def report_path(base: Path) -> Path:
    """Return the path of the report."""
    return base.with_name(base.name + "_report.html")


def journal_path(base: Path) -> Path:
    """Return the folder of what an interrupted run leaves behind."""
    return base.with_name(base.name + "_journal")


def remove_leftovers(paths: Iterable[Path]) -> None:
    """Remove what killed runs had written beside products, and put back the folders that they were exchanging.

    What runs that are alive are writing stays.
    """
    for path in paths:
        for beside in path.parent.glob(f".{glob.escape(path.name)}.*.*"):
            process, _, kind = beside.name.removeprefix(f".{path.name}.").partition(".")
            if not process.isdigit() or kind not in ("part", "old") or _is_alive(int(process)):
                continue
            if kind == "old" and not path.exists():
                beside.rename(path)
            elif beside.is_dir():
                shutil.rmtree(beside, ignore_errors=True)
            else:
                beside.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it belongs to someone else
        return True
    return process != os.getpid()


def write_products(products: Iterable[Product], moment: Moment, result: Result, base: Path) -> list[Path]:
    """Write the products of one moment; return their paths.

    All of them are written before the first takes its place, so that they are those of one run whatever happens.
    """
    with ExitStack() as places:
        paths = []
        for product in products:
            if product.moment is moment and product.applies(result):
                path, write = product_path(base, product, result.settings), partial(product.write, result)
                if _is_folder(path):
                    stale = re.compile(re.escape(base.name) + product.files)
                    places.enter_context(_folder_beside(path, write, stale))
                else:
                    places.enter_context(_file_beside(path, write))
                paths.append(path)
    return paths


def _is_folder(path: Path) -> bool:
    """Return whether a product is a folder: one whose suffix has no dot."""
    return "." not in path.name.rpartition("_")[2]


def write_file(path: Path, write) -> Path:  # type: ignore[no-untyped-def]  # write(temporary path)
    """Write a file beside its place and rename it when it is complete; whatever happens, no half-written file stays.

    Raises
    ------
    FileAccessError
        It cannot be written.
    """
    with _file_beside(path, write):
        return path


@contextmanager
def _file_beside(path: Path, write: Callable[[Path], object]) -> Iterator[None]:
    """Write a file beside its place; rename it when all went well inside, remove it otherwise."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with _told(path):
            write(beside)
        yield
        with _told(path):
            if not _exchanged(beside, path):
                beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _exchanged(new: Path, old: Path) -> bool:
    """Let two files change their names, in one step, where the system can and both are there.

    A file that is replaced makes some file systems (ext4) wait until the new one is on the disk, which for a mask cube
    takes as long as finding its sources.
    """
    rename = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None
    if rename is None or not old.is_file() or old.is_symlink():
        return False
    names = os.fsencode(new), os.fsencode(old)
    return bool(rename(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE) == 0)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Tell an error of the system as one of a product."""
    try:
        yield
    except OSError as error:
        raise FileAccessError(f"{path} cannot be written: {error.strerror or error}.") from None


def write_folder(path: Path, write: Callable[[Path], None], stale: re.Pattern[str]) -> Path:
    """Write a folder of files beside its place and exchange it for the old one when it is complete.

    Parameters
    ----------
    path : Path
    write : callable
        ``write(folder)`` fills an empty folder.
    stale : pattern
        Files of an old folder that go, by their whole names; all others stay.

    Raises
    ------
    FileAccessError
        It cannot be written; the old folder is as it was.
    """
    with _folder_beside(path, write, stale):
        return path


@contextmanager
def _folder_beside(path: Path, write: Callable[[Path], object], stale: re.Pattern[str]) -> Iterator[None]:
    """Write a folder beside its place; exchange the two when all went well inside, remove it otherwise."""
    place = path.resolve() if path.is_symlink() else path
    beside = place.with_name(f".{place.name}.{os.getpid()}.part")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        with _told(path):
            beside.mkdir()
            write(beside)
        yield
        with _told(path):
            _exchange(place, beside, stale)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _also(path: Path, other: Path) -> None:
    """Let a file or folder be found at another place too, in the same file system."""
    if path.is_dir():
        shutil.copytree(path, other, symlinks=True, copy_function=_link)
    else:
        _link(path, other)


def _link(path: Path | str, other: Path | str) -> None:
    try:
        os.link(path, other, follow_symlinks=False)
    except OSError:  # a file system without links
        shutil.copy2(path, other, follow_symlinks=False)


def _exchange(place: Path, new: Path, stale: re.Pattern[str]) -> None:
    """Put ``new`` at ``place``, with what is not stale in the old folder."""
    if not place.exists():
        new.rename(place)
        return
    for file in place.iterdir():
        if not stale.fullmatch(file.name) and not (new / file.name).exists():
            _also(file, new / file.name)
    old = place.with_name(f".{place.name}.{os.getpid()}.old")
    place.rename(old)
    try:
        new.rename(place)
    except OSError:
        old.rename(place)
        raise
    shutil.rmtree(old)
