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


def check_places(products: Iterable[Product], base: Path, overwrite: bool) -> None:
    """Make sure, before any work is done, that the products can be written.

    Raises
    ------
    FileAccessError
        The folder cannot be written to, or a product is there already and must not be overwritten.
    """
    if not os.access(base.parent, os.W_OK | os.X_OK):
        raise FileAccessError(f"output.directory = {base.parent} cannot be written to; choose another folder.")
    for product in products:
        path = product_path(base, product)
        if path.exists() and not overwrite:
            raise FileAccessError(f"{path} exists and output.overwrite is false; remove it or choose another name.")
        if path.is_dir():
            raise FileAccessError(f"{path} is a folder, where the {product.name} should go; remove it.")


def product_path(base: Path, product: Product) -> Path:
    """Return the final path of a product."""
    return base.with_name(base.name + product.suffix)


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
