"""Settings of SoFiA 1 made into settings of hisf (spec sofia1 §2)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hisf.errors import InputError
from hisf.settings.origin import Origin
from hisf.settings.parfile import Assignment
from hisf.settings.sofia1.table import OLD_PARAMETERS, SWITCHES, OldParameter
from hisf.settings.sofia1.values import read_value

_LAST = 2**31 - 1  # an upper bound that is cut to the cube
_WORDS = {
    "snr_max": "peak",
    "snr_sum": "sum",
    "snr_mean": "mean",
    "n_pix": "pix",
    "n_chan": "chan",
    "n_los": "",
    "snr_min": "",
}


@dataclass(frozen=True)
class Translation:
    """A parameter file of SoFiA 1 in the words of hisf.

    Parameters
    ----------
    assignments
        A setting for every parameter that SoFiA 1 has a value for, its defaults included; behind them the settings of
        the file that SoFiA 1 does not know, unchanged, so that a file may hold both.
    notes
        What has no exact counterpart, one sentence for each parameter.
    complaints
        Parameters that are written twice; as in SoFiA 1 the first counts, and a pedantic run stops.
    """

    assignments: tuple[Assignment, ...]
    notes: tuple[str, ...]
    complaints: tuple[str, ...]


def translate(path: str, assignments: Iterable[Assignment]) -> Translation:
    """Translate the settings of a parameter file of SoFiA 1.

    Parameters
    ----------
    path
        The file, as the user named it.
    assignments
        All of its settings, in order.

    Raises
    ------
    InputError
        A value is not of the type that SoFiA 1 requires, or cannot be translated without looking at the cube.
    """
    old = _OldSettings(path)
    for assignment in assignments:
        old.take(assignment)
    for parameter in OLD_PARAMETERS.values():
        _RULES.get(parameter.name, _as_declared)(old, parameter, old[parameter.name])
    note = f"{path} is a parameter file of SoFiA 1, which is translated (docs/sofia1.md says how)."
    return Translation((*old.made, *old.others), (note, *old.notes), tuple(old.complaints))


class _OldSettings:
    """The values of a file of SoFiA 1, and what has been made of them so far."""

    def __init__(self, path: str) -> None:
        self.made: list[Assignment] = []
        self.others: list[Assignment] = []
        self.notes: list[str] = []
        self.complaints: list[str] = []
        self._path = path
        self._given: dict[str, Assignment] = {}
        self._values = {name: read_value(old.kind, old.default) for name, old in OLD_PARAMETERS.items()}

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def take(self, assignment: Assignment) -> None:
        """Take in one setting."""
        parameter = OLD_PARAMETERS.get(assignment.key)
        if parameter is None:
            self.others.append(assignment)
        elif assignment.key in self._given:
            line = self._given[assignment.key].origin.line
            self.complaints.append(
                f"{assignment.origin}: {assignment.key} is written again; SoFiA 1 takes the first one, of line {line}"
            )
        else:
            try:
                self._values[assignment.key] = read_value(parameter.kind, assignment.value)
            except ValueError as error:
                raise InputError(f"{assignment.origin}: {assignment.key} = {assignment.value!r}: {error}.") from None
            self._given[assignment.key] = assignment

    def is_on(self, section: str) -> bool:
        """Tell whether the step to which a section belongs is on."""
        return section not in SWITCHES or self[SWITCHES[section]]

    def origin(self, name: str) -> Origin:
        """Return where a value was written; a default of SoFiA 1 has the file without a line."""
        line = self._given[name].origin.line if name in self._given else 0
        return Origin("file", self._path, line, name)

    def set(self, target: str, text: str, name: str) -> None:
        """Set a parameter of hisf by that of SoFiA 1."""
        self.made.append(Assignment(target, text, self.origin(name)))

    def lose(self, name: str) -> None:
        """Say what happens instead of what a parameter asks for, if it matters."""
        parameter = OLD_PARAMETERS[name]
        if self.is_on(parameter.section):
            value = self._given[name].value if name in self._given else parameter.default
            self.notes.append(f"{self.origin(name)}, value {value!r}: hisf has no exact counterpart; {parameter.loss}.")

    def refuse(self, name: str, sentence: str) -> InputError:
        """Return the error for a value that cannot be translated."""
        value = self._given[name].value if name in self._given else OLD_PARAMETERS[name].default
        return InputError(f"{self.origin(name)}, value {value!r}: {sentence}.")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(_text(element) for element in value) if isinstance(value, list | tuple) else str(value)


def _as_declared(old: _OldSettings, parameter: OldParameter, value: Any) -> None:
    """Take a value over as the table says."""
    if parameter.words:
        if value not in parameter.words:
            raise old.refuse(parameter.name, f"SoFiA 1 takes {', '.join(parameter.words)}")
        if value in parameter.lossy:
            old.lose(parameter.name)
        value = parameter.words[value]
    for target in parameter.targets:
        old.set(target, _text(value), parameter.name)
    if not parameter.targets and parameter.loss and value != read_value(parameter.kind, parameter.default):
        old.lose(parameter.name)


def _taken_but_not_the_same(old: _OldSettings, parameter: OldParameter, value: Any) -> None:
    """Take a value over, and say that its meaning is not quite the same, if there is one."""
    old.set(parameter.targets[0], _text(value), parameter.name)
    if value:
        old.lose(parameter.name)


def _merge(old: _OldSettings, parameter: OldParameter, value: bool) -> None:
    old.set("linker.enable", _text(value), parameter.name)
    old.set("linker.method", "cylinder", parameter.name)
    if not value:
        old.lose(parameter.name)


def _artefacts(old: _OldSettings, parameter: OldParameter, value: bool) -> None:
    old.set("flag.auto", "pixels" if value else "false", parameter.name)
    if value:
        old.lose(parameter.name)


def _catalogue(old: _OldSettings, parameter: OldParameter, value: bool) -> None:
    old.set(parameter.targets[0], _text(value and old["steps.doWriteCat"]), parameter.name)


def _moments(old: _OldSettings, parameter: OldParameter, value: bool) -> None:
    if value or not old["steps.doMom0"]:  # either of the two asks for the maps
        old.set(parameter.targets[0], _text(value), parameter.name)


def _mask(old: _OldSettings, parameter: OldParameter, value: str) -> None:
    old.set(parameter.targets[0], value, parameter.name)
    if value and not (old["steps.doSCfind"] or old["steps.doThreshold"] or old["steps.doCNHI"]):
        old.lose(parameter.name)


def _subcube(old: _OldSettings, parameter: OldParameter, value: list[Any]) -> None:
    if not (old["steps.doSubcube"] and value):
        return
    if old["import.subcubeMode"] == "world":
        raise old.refuse(
            parameter.name,
            "a part of the cube in world coordinates cannot be taken over; write it as input.region in pixels "
            "(xmin, xmax, ymin, ymax, zmin, zmax, both ends included) and set steps.doSubcube to false",
        )
    old.set(parameter.targets[0], _text(_inclusive(old, parameter.name, value)), parameter.name)


def _flags(old: _OldSettings, parameter: OldParameter, value: list[Any]) -> None:
    if not old["steps.doFlag"]:
        return
    boxes = [_inclusive(old, parameter.name, box) for box in value]
    old.set(parameter.targets[0], _text([bound for box in boxes for bound in box]), parameter.name)


def _flag_file(old: _OldSettings, parameter: OldParameter, value: str) -> None:
    if old["steps.doFlag"]:
        old.set(parameter.targets[0], value, parameter.name)


def _inclusive(old: _OldSettings, name: str, bounds: Any) -> list[int]:
    """Turn [x1, x2, y1, y2(, z1, z2)], upper bounds not included and '' for the end, into six inclusive bounds."""
    if not isinstance(bounds, list | tuple) or len(bounds) not in (4, 6):
        raise old.refuse(name, "a part of the cube is written [x1, x2, y1, y2, z1, z2], or without z1 and z2")
    lower, upper = list(bounds[::2]), [bound if bound != "" else _LAST + 1 for bound in bounds[1::2]]
    if len(bounds) == 4:
        lower, upper = [*lower, 0], [*upper, _LAST + 1]
    if not all(isinstance(bound, int) and bound >= 0 for bound in (*lower, *upper)):
        raise old.refuse(name, "bounds are whole numbers, counted from 0")
    return [bound for low, high in zip(lower, upper, strict=True) for bound in (low, high - 1)]


def _method(old: _OldSettings, parameter: OldParameter, value: str) -> None:
    _as_declared(old, parameter, value)
    if value == "global" and not old["scaleNoise.scaleZ"]:  # no channels to scale
        old.set("scaleNoise.enable", "false", "scaleNoise.scaleZ")


def _flux_range(old: _OldSettings, parameter: OldParameter, value: str) -> None:
    _as_declared(old, parameter, value)
    statistic = "statistic" if parameter.section == "scaleNoise" else "rmsMode"
    if old[f"{parameter.section}.{statistic}"] == "negative":  # a Gaussian fitted to the negative side
        old.set(parameter.targets[0], "negative", f"{parameter.section}.{statistic}")


def _kernels(old: _OldSettings, parameter: OldParameter, value: list[Any]) -> None:
    for kernel in value:
        if not (isinstance(kernel, list | tuple) and len(kernel) == 4 and kernel[3] in ("b", "g")) or not all(
            isinstance(width, int | float) for width in kernel[:3]
        ):
            raise old.refuse(parameter.name, "a kernel is written [kx, ky, kz, 'b'], or 'g' for a Gaussian spectrum")
    if old["SCfind.kernelUnit"] == "world" and old["steps.doSCfind"]:
        raise old.refuse(
            "SCfind.kernelUnit", "kernels in world coordinates cannot be taken over; write them in pixels and channels"
        )
    plane = sorted({max(kernel[0], kernel[1]) for kernel in value})
    channels = sorted({round(kernel[2]) for kernel in value})
    old.set("scfind.kernelsXY", _text(plane), parameter.name)
    old.set("scfind.kernelsZ", _text(channels), parameter.name)
    exact = [[xy, xy, z, "b"] for xy in plane for z in channels]
    if [[*kernel[:3], "b" if not kernel[2] else kernel[3]] for kernel in value] != exact:
        old.lose(parameter.name)


def _sky_limit(old: _OldSettings, parameter: OldParameter, value: int) -> None:
    """Set one limit for both sky axes from that of x; the wider one, and a size below 1 is no upper limit."""
    if parameter.name.endswith("Y"):
        return
    other = old[f"{parameter.name[:-1]}Y"]
    if "max" in parameter.name:
        limit = 0 if min(value, other) < 1 else max(value, other)
        differ = max(value, 0) != max(other, 0)
    else:
        limit = max(0, max(value, other) if "radius" in parameter.name else min(value, other))
        differ = value != other
    old.set(parameter.targets[0], str(limit), parameter.name)
    if differ:
        old.lose(parameter.name)


def _limit(old: _OldSettings, parameter: OldParameter, value: int) -> None:
    """Set a limit, of which anything below 1 means none."""
    old.set(parameter.targets[0], str(max(0, value)), parameter.name)


def _fill_limit(old: _OldSettings, parameter: OldParameter, value: int) -> None:
    """Set the upper limit on the fraction filled: a whole number, which no fraction exceeds."""
    old.set(parameter.targets[0], "0", parameter.name)


def _lines_of_sight(old: _OldSettings, parameter: OldParameter, value: int) -> None:
    if value > (1 if "min" in parameter.name else 0):
        old.lose(parameter.name)


def _dilation(old: _OldSettings, parameter: OldParameter, value: bool) -> None:
    old.set("dilation.enable", _text(value), parameter.name)
    old.set("dilation.method", "sofia1", parameter.name)


def _space(old: _OldSettings, parameter: OldParameter, value: list[Any]) -> None:
    unknown = [str(word) for word in value if not (isinstance(word, str) and word in _WORDS)]
    if unknown:
        raise old.refuse(parameter.name, f"{', '.join(unknown)} is none of {', '.join(_WORDS)}")
    old.set(parameter.targets[0], _text([_WORDS[word] for word in value if _WORDS[word]]), parameter.name)
    if {"n_los", "snr_min", "n_chan"} & set(value):
        old.lose(parameter.name)


def _kernel_scale(old: _OldSettings, parameter: OldParameter, value: float) -> None:
    automatic = value == 0 and old["reliability.autoKernel"]
    if not automatic:
        old.set("reliability.scaleKernel", _text(value), parameter.name)
    old.set("reliability.autoKernel", _text(automatic), parameter.name)


def _smallest_snr(old: _OldSettings, parameter: OldParameter, value: float) -> None:
    old.set("reliability.fMin", _text(max(0.0, value)), parameter.name)
    old.set("reliability.minSNR", "0", parameter.name)


_RULES: dict[str, Callable[[_OldSettings, OldParameter, Any], None]] = {
    "steps.doMerge": _merge,
    "steps.doFilterArtefacts": _artefacts,
    "steps.doMom0": _moments,
    "steps.doMom1": _moments,
    "import.weightsFile": _taken_but_not_the_same,
    "import.maskFile": _mask,
    "import.subcube": _subcube,
    "flag.regions": _flags,
    "flag.file": _flag_file,
    "scaleNoise.method": _method,
    "scaleNoise.fluxRange": _flux_range,
    "SCfind.fluxRange": _flux_range,
    "threshold.fluxRange": _flux_range,
    "SCfind.kernels": _kernels,
    "merge.radiusX": _sky_limit,
    "merge.radiusY": _sky_limit,
    "merge.minSizeX": _sky_limit,
    "merge.minSizeY": _sky_limit,
    "merge.maxSizeX": _sky_limit,
    "merge.maxSizeY": _sky_limit,
    "merge.minSizeZ": _limit,
    "merge.maxSizeZ": _limit,
    "merge.minVoxels": _limit,
    "merge.maxVoxels": _limit,
    "merge.minLoS": _lines_of_sight,
    "merge.maxLoS": _lines_of_sight,
    "merge.minFill": _limit,
    "merge.maxFill": _fill_limit,
    "parameters.dilateMask": _dilation,
    "reliability.parSpace": _space,
    "reliability.scaleKernel": _kernel_scale,
    "reliability.fMin": _smallest_snr,
    "writeCat.writeASCII": _catalogue,
    "writeCat.writeXML": _catalogue,
    "writeCat.writeSQL": _catalogue,
}
