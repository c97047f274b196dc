"""Sources in a file, with every voxel: what jobs on parts of a cube hand to `hisf merge`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from hisf.data.box import Box, Shape
from hisf.data.hdf5_file import open_hdf5, read_all
from hisf.data.source import Source, SourceList
from hisf.errors import FileAccessError, HisfError, InputError

FORMAT = "hisf sources 1"
SCALARS = tuple(f.name for f in fields(Source) if f.name not in ("voxels", "box", "undilated", "finders", "estimates"))


@dataclass(frozen=True, eq=False)
class Part:
    """The sources that a job found in its part of a cube.

    Attributes
    ----------
    name : str
        Of its file, for messages.
    settings : mapping of str to str
        The settings of the job that were given, as they were written.
    region : Box
        The part, in the coordinates of the whole cube.
    rms : float
        Global noise of the searched part, in data units.
    sources : SourceList
        In the coordinates of the part.
    """

    name: str
    settings: Mapping[str, str]
    region: Box
    rms: float
    sources: SourceList


def write_part(path: Path, part: Part) -> None:
    """Write a part as an HDF5 file.

    Parameters
    ----------
    path : Path
    part : Part
    """
    import h5py

    sources = list(part.sources)
    names = sorted({name for source in sources for name in source.estimates})
    with h5py.File(path, "w") as file:
        about = file.attrs
        about["format"], about["settings"] = FORMAT, json.dumps(dict(part.settings))
        about["shape"], about["rms"] = part.sources.shape, part.rms
        about["region"] = part.region.z0, part.region.z1, part.region.y0, part.region.y1, part.region.x0, part.region.x1
        for name in SCALARS:
            file[f"sources/{name}"] = np.array([getattr(source, name) for source in sources])
        corners = [(s.box.z0, s.box.z1, s.box.y0, s.box.y1, s.box.x0, s.box.x1) for s in sources]
        file["sources/box"] = np.array(corners, np.int64).reshape(-1, 6)
        file["sources/dilated"] = np.array([source.undilated is not None for source in sources], bool)
        file["sources/finders"] = np.array(["+".join(s.finders) for s in sources], h5py.string_dtype())
        file["sources/estimates"] = np.array(
            [[source.estimates.get(name, np.nan) for name in names] for source in sources]
        ).reshape(len(sources), len(names))
        file["sources/estimates"].attrs["names"] = json.dumps(names)
        for which, arrays in (("voxels", [s.voxels for s in sources]), ("core", [s.core for s in sources])):
            file[f"{which}/count"] = np.array([len(a) for a in arrays], np.int64)
            joined = np.concatenate([np.empty(0, np.int64), *(np.diff(a, prepend=0) for a in arrays)])
            options = {"compression": "gzip", "shuffle": True} if joined.size else {}
            file.create_dataset(f"{which}/steps", data=joined, **options)


def read_part(path: Path) -> Part:
    """Read what `write_part` wrote.

    Parameters
    ----------
    path : Path

    Raises
    ------
    FileAccessError
        The file is missing or unreadable.
    InputError
        It is another kind of file.
    """
    if not path.is_file():
        raise FileAccessError(f"{path}: no such file; output.writeSources = true in every job makes one.")
    try:
        with open_hdf5(path) as file:
            if file.attrs.get("format") != FORMAT:
                raise InputError(f"{path} holds no sources for hisf merge; give the NAME_sources.h5 of every job.")
            shape = tuple(int(n) for n in file.attrs["shape"])
            region = Box(*(int(n) for n in file.attrs["region"]))
            settings = json.loads(file.attrs["settings"])
            sources = SourceList((shape[0], shape[1], shape[2]), _sources(file))
            return _sound(Part(path.name, settings, region, float(file.attrs["rms"]), sources))
    except HisfError:
        raise
    except Exception as error:  # noqa: BLE001 - libhdf5 raises unrelated classes
        raise InputError(f"{path} is no sources file or a damaged one ({error}); run its job again.") from None


def _sound(part: Part) -> Part:
    """Return the part, if what it says of its sources fits together; a ValueError otherwise."""
    shape = part.sources.shape
    if part.region.shape != shape or not all(isinstance(text, str) for text in part.settings.values()):
        raise ValueError("its region or its settings are none")
    for source in part.sources:
        numbers = [getattr(source, name) for name in SCALARS]
        if not all(isinstance(number, (int, float)) for number in numbers):
            raise ValueError(f"source {source.label} has values that are no numbers")
        for voxels in (source.voxels, source.core):
            if voxels.dtype.kind != "i" or not len(voxels) or not (np.diff(voxels, prepend=-1) > 0).all():
                raise ValueError(f"source {source.label} has no voxels")
        places = source.coordinates(shape)
        box = Box(*(int(edge) for axis in places for edge in (axis.min(), axis.max() + 1)))
        if box != source.box or box.z1 > shape[0]:
            raise ValueError(f"source {source.label} is not where it says")
    return part


def _sources(file):  # type: ignore[no-untyped-def]  # h5py.File -> list of Source
    table = file["sources"]
    scalars = {name: read_all(table[name]).tolist() for name in SCALARS}
    names = json.loads(table["estimates"].attrs["names"])
    estimates, boxes = read_all(table["estimates"]), read_all(table["box"]).tolist()
    finders = [text.decode() for text in read_all(table["finders"])]
    dilated, voxels, core = read_all(table["dilated"]), _arrays(file["voxels"]), _arrays(file["core"])
    return [
        Source(
            **{name: values[i] for name, values in scalars.items()}, voxels=voxels[i], box=Box(*box),
            undilated=core[i] if dilated[i] else None, finders=tuple(filter(None, finders[i].split("+"))),
            estimates={n: float(v) for n, v in zip(names, estimates[i], strict=True) if not np.isnan(v)},
        )
        for i, box in enumerate(boxes)
    ]  # fmt: skip


def _arrays(group):  # type: ignore[no-untyped-def]  # h5py.Group -> list of ndarray
    return [np.cumsum(steps) for steps in np.split(read_all(group["steps"]), np.cumsum(read_all(group["count"]))[:-1])]


def moved(voxels: np.ndarray, part: Box, whole: Shape) -> np.ndarray:
    """Return raster indices of a part as those of the whole cube.

    Parameters
    ----------
    voxels : ndarray of int64
        Indices in the part, ascending.
    part : Box
        Where the part lies in the whole cube.
    whole : tuple of int
        (z, y, x) of the whole cube.
    """
    _, ny, nx = part.shape
    rest, x = np.divmod(voxels, nx)
    z, y = np.divmod(rest, ny)
    return (x + part.x0) + whole[2] * ((y + part.y0) + whole[1] * (z + part.z0))
