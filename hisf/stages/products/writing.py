"""Writing products so that a file is either complete or not there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from hisf.errors import FileAccessError
from hisf.settings import Settings
from hisf.stages.products.contract import Moment, Product, Result


def wanted_products(classes: Iterable[type[Product]], settings: Settings) -> list[Product]:
    """Return the products that the settings ask for."""
    return [cls() for cls in classes if cls.wanted(settings)]


def check_places(paths: Iterable[Path], overwrite: bool) -> None:
    """Make sure, before any work is done, that files can be written.

    Raises
    ------
    FileAccessError
        A folder cannot be written to, or a file is there already and must not be overwritten.
    """
    for path in paths:
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise FileAccessError(f"output.directory = {path.parent} cannot be written to; choose another folder.")
        if path.exists() and not overwrite:
            raise FileAccessError(f"{path} exists and output.overwrite is false; remove it or choose another name.")
        if path.is_dir():
            raise FileAccessError(f"{path} is a folder, where a product should go; remove it.")


def product_path(base: Path, product: Product) -> Path:
    """Return the final path of a product."""
    return base.with_name(base.name + product.suffix)


def record_path(base: Path) -> Path:
    """Return the path of the run record."""
    return base.with_name(base.name + "_run.json")


def write_products(products: Iterable[Product], moment: Moment, result: Result, base: Path) -> list[Path]:
    """Write the products of one moment; return their paths."""
    return [
        write_file(product_path(base, product), lambda path, product=product: product.write(result, path))
        for product in products
        if product.moment is moment and product.applies(result)
    ]


def write_file(path: Path, write) -> Path:  # type: ignore[no-untyped-def]  # write(temporary path)
    """Write a file beside its place and rename it when it is complete; whatever happens, no half-written file stays.

    Raises
    ------
    FileAccessError
        It cannot be written.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(beside)
        beside.replace(path)
    except OSError as error:
        raise FileAccessError(f"{path} cannot be written: {error.strerror or error}.") from None
    finally:
        beside.unlink(missing_ok=True)
    return path
