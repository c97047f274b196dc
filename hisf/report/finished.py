"""A finished run, read back from what it left in its folder."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hisf.data.box import Box
from hisf.data.cube import Cube
from hisf.data.header import cut_region
from hisf.data.voxels import Voxels
from hisf.errors import FileAccessError, InputError, NothingFoundError
from hisf.evaluate.layouts import RawTable, read_raw
from hisf.evaluate.outputs import CATALOGUES, MOST_NAMED
from hisf.execution.progress import Progress
from hisf.execution.workspace import SLAB_BYTES, Workspace
from hisf.plugins import PluginManager
from hisf.report.source_cube import SourceCube
from hisf.settings import COMMAND_LINE, Settings, load_settings
from hisf.stages.input.opening import open_inputs
from hisf.stages.precondition.chain import precondition, reload
from hisf.stages.products.names import image_ending
from hisf.stages.products.writing import record_path

RECORD = "_run.json"
NEEDED = ("name", "id", "x", "y", "z", *(f"{axis}_{end}" for axis in "xyz" for end in ("min", "max")))
ANGLES = ("kin_pa", "ell_pa")  # of the slit, the first that was measured


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """What there is to know of a run.

    Attributes
    ----------
    base : Path
        Folder and base name of the products.
    record : dict
        ``NAME_run.json``.
    settings : Settings
        Those of the run.
    table : RawTable
        The catalogue, every column as it stands in the file, units in a common spelling; without rows if nothing was
        found.
    manager : PluginManager
    """

    base: Path
    record: dict[str, Any]
    settings: Settings
    table: RawTable
    manager: PluginManager

    @property
    def labels(self) -> np.ndarray:
        """The ids of the sources: int, shape (n,)."""
        return self.table.columns["id"].astype(int) if self.table.n else np.empty(0, int)

    def sources(self, labels: Collection[int] = ()) -> Iterator[SourceCube]:
        """Yield sources with their surroundings, one at a time, in the order of the catalogue.

        From the folder of cubelets where it has them, otherwise cut from the cube and the mask.

        Parameters
        ----------
        labels : collection of int
            Ids of those that are wanted; empty for all.

        Raises
        ------
        FileAccessError
            The cube, or its mask, is not there any more.
        InputError
            What is there is not of this run, or there is no source of that id.
        """
        unknown = sorted(set(labels) - set(self.labels.tolist()))
        if unknown:
            raise InputError(f"The catalogue of {self.base} has no source {unknown[0]}.")
        for row, label in enumerate(self.labels):
            if labels and label not in labels:
                continue
            box = self._box(row)
            header, data, member = self._cubelet(label, box) or self._cut(label, box)
            if not member.any():
                raise InputError(f"The mask of {self.base} has no source {label}; it is not of this run.")
            x, y, z = (self._value(axis, row) - getattr(self._corner, f"{axis}0") for axis in "xyz")
            angle, named = self._angle(row)
            name = str(self.table.columns["name"][row])
            threshold = self.settings["output.thresholdMom12"] * np.nan_to_num(self._value("rms", row))
            yield SourceCube(
                int(label), name, box, header, data, member,
                x=x - box.x0, y=y - box.y0, z=z - box.z0, angle=angle, angle_name=named, threshold=float(threshold),
            )  # fmt: skip

    @cached_property
    def _written(self) -> set[str]:
        """Names of the products of the run; what else lies there may be of an earlier one."""
        return products_of(self.record)

    @property
    def _shape(self) -> tuple[int, int, int]:
        nz, ny, nx = self.record["cube"]["shape"]
        return nz, ny, nx

    @property
    def _corner(self) -> Box:
        """The lower corner of the searched region in the coordinates of the catalogue."""
        region = self.settings["input.region"]
        moved = len(region) == 6 and self.settings["parameter.offset"]
        x, y, z = region[::2] if moved else (0, 0, 0)
        return Box(z, z, y, y, x, x)

    def _value(self, column: str, row: int) -> float:
        return float(self.table.columns[column][row]) if column in self.table.columns else float("nan")

    def _angle(self, row: int) -> tuple[float, str]:
        """Return the angle of the slit and the column it is taken from; 0 where no angle was measured."""
        for name in ANGLES:
            value = self._value(name, row)
            if np.isfinite(value) and value != -1.0:  # -1: not measured
                return value, name
        return 0.0, ""

    def _box(self, row: int) -> Box:
        """Return the bounding box with the margin of cubelets, in the coordinates of the searched region."""
        low, high = ([int(self._value(f"{axis}_{end}", row)) for axis in "zyx"] for end in ("min", "max"))
        bounds = Box(low[0], high[0] + 1, low[1], high[1] + 1, low[2], high[2] + 1).inside(self._corner)
        across, along = (max(0, self.settings[f"output.marginCubelets{axis}"]) for axis in ("XY", "Z"))
        box = bounds.grow((along, across, across), self._shape)
        if not box.size:
            raise InputError(f"The catalogue of {self.base} has a source outside of the cube; it is not of this run.")
        return box

    def _cubelet(self, label: int, box: Box):  # type: ignore[no-untyped-def]  # header, data, member; or None
        """Return a source from the folder of cubelets, None where it is not there."""
        folder = self.base.with_name(f"{self.base.name}_cubelets")
        if folder.name not in self._written:
            return None
        place = folder / f"{self.base.name}_{label}"
        ending = image_ending(self.settings)
        paths = [place.with_name(f"{place.name}_{kind}{ending}") for kind in ("cube", "mask")]
        if not all(path.is_file() for path in paths):
            return None
        cube, mask = (self._open(path, ()).require_shape(box.shape) for path in paths)
        whole = Box.whole(box.shape)
        return cube.header, cube.read(whole), mask.read_labels(whole) > 0

    def _cut(self, label: int, box: Box):  # type: ignore[no-untyped-def]  # header, data, member
        cube, voxels = self._measured
        return cut_region(cube.header, box), np.array(voxels.read(box)), self._mask.read_labels(box) == label

    @cached_property
    def _mask(self) -> Cube:
        path = self.base.with_name(f"{self.base.name}_mask{image_ending(self.settings)}")
        if path.name not in self._written or not path.is_file():
            raise FileAccessError(
                f"{path}: no such file of this run, nor are there cubelets; run again with output.writeReport = true."
            )
        return self._open(path, ()).require_shape(self._shape)

    @cached_property
    def _measured(self) -> tuple[Cube, Voxels]:
        """The cube of the run, and the voxels on which its sources were measured."""
        if not Path(self.settings["input.data"]).exists():
            raise FileAccessError(
                f"{self.settings['input.data']}, the cube of {self.base}, is not there any more; name it with --cube."
            )
        cube = open_inputs(self.manager, self.settings).require_shape(self._shape)
        steps = self.manager.active("precondition", self.settings, self.settings, cube)
        if not steps:
            return cube, cube
        searched = precondition(cube, steps, Workspace(0, SLAB_BYTES), Progress(self.manager))
        return cube, reload(cube, searched, steps)

    def _open(self, path: Path, region: tuple[int, ...]) -> Cube:
        cube = self.manager.open_input(path, self.settings.replace("input.dataset", "", COMMAND_LINE), region)
        if cube is None:
            raise InputError(f"{path}: no plugin can open this file; FITS and HDF5 are known.")
        return cube


def open_run(folder: Path, name: str = "", cube: Path | None = None) -> FinishedRun:
    """Read back a run.

    Parameters
    ----------
    folder : Path
        That of its products.
    name : str
        Base name of the products; empty for the only run in the folder.
    cube : Path, optional
        Where the cube is now. Otherwise it is looked for where it was, and beside the products.

    Raises
    ------
    FileAccessError
        The folder, the record of the run or its catalogue is not there or cannot be read.
    InputError
        The folder holds no run or several, or files of different runs.
    """
    base = folder / (name or _only_run(folder))
    record, manager = _read_record(record_path(base)), PluginManager()
    given = [f"{key}={setting['value']}" for key, setting in record["settings"].items()]
    settings = load_settings(given, manager.parameters())
    place = cube or _find(Path(settings["input.data"]), folder)
    settings = settings.replace("input.data", str(place), COMMAND_LINE)
    return FinishedRun(base, record, settings, _read_table(base, record), manager)


def products_of(record: dict[str, Any]) -> set[str]:
    """Return the names of the files and folders that a run wrote."""
    return {path.replace("\\", "/").rpartition("/")[2] for path in record["products"]}


def _only_run(folder: Path) -> str:
    if not folder.is_dir():
        raise FileAccessError(f"{folder} is not a folder; hisf report takes the folder of the products of a run.")
    try:
        names = sorted(path.name.removesuffix(RECORD) for path in folder.iterdir() if path.name.endswith(RECORD))
    except OSError as error:
        raise FileAccessError(f"{folder} cannot be read: {error.strerror or error}.") from None
    if not names:
        raise InputError(f"{folder} holds no run of hisf: there is no NAME{RECORD}.")
    if len(names) > 1:
        listed = ", ".join(names[:MOST_NAMED]) + (", …" if len(names) > MOST_NAMED else "")
        raise InputError(f"{folder} holds {len(names)} runs ({listed}); choose one with --name, as --name {names[0]}.")
    return names[0]


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FileAccessError(f"{path} cannot be read: {error.strerror or error}.") from None
    except ValueError:
        raise InputError(f"{path} is not the record of a run: it is no JSON.") from None
    wanted = ("hisf", "exit", "cube", "products", "sources", "settings", "timings", "warnings")
    if not isinstance(record, dict) or any(key not in record for key in wanted):
        raise InputError(f"{path} is not the record of a run of hisf.")
    return record


def _read_table(base: Path, record: dict[str, Any]) -> RawTable:
    """Return the catalogue of a run; without rows where the record says that nothing was found."""
    if record["exit"] == NothingFoundError.exit_code:
        return RawTable({}, {}, 0)
    paths = [base.with_name(base.name + suffix) for suffix in CATALOGUES]
    path = next((path for path in paths if path.name in products_of(record) and path.is_file()), None)
    if path is None:
        raise FileAccessError(f"{paths[0]}: no such file of this run; run again with output.writeReport = true.")
    table = read_raw(path)
    missing = [name for name in NEEDED if name not in table.columns]
    if missing:
        raise InputError(f"{path} has no column {missing[0]}; run again with output.writeReport = true.")
    if table.n != record["sources"]:
        raise InputError(
            f"{path} has {table.n} sources, {record_path(base).name} {record['sources']}; they are of different runs."
        )
    return RawTable(table.columns, {name: _readable(unit) for name, unit in table.units.items()}, table.n)


def _readable(unit: str) -> str:
    return unit.replace("*", " ").replace(".", " ").replace(" / ", "/").replace("DEGREE", "deg")


def _find(cube: Path, folder: Path) -> Path:
    """Return where a cube is: at its place, or beside the products; its place where it is nowhere."""
    beside = folder / cube.name
    return beside if not cube.exists() and beside.exists() else cube
