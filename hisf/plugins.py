"""Loading plugins and asking them: the only place that calls a hook."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

import pluggy

from hisf import hookspecs
from hisf.data.columns import OWN
from hisf.data.cube import Cube
from hisf.errors import PluginError
from hisf.settings import PARAMETERS, Parameter, Settings
from hisf.stages.appraise.contract import Appraisal
from hisf.stages.dilate.contract import Dilation
from hisf.stages.finders.contract import Finder
from hisf.stages.link.contract import Linker
from hisf.stages.measure.contract import Measurement
from hisf.stages.precondition.contract import Step
from hisf.stages.products.contract import Product
from hisf.stages.reliability.contract import Reliability

GROUP = "hisf"
T = TypeVar("T")
_RESERVED = {column.name for column in OWN}  # columns that no measurement may add


@dataclass(frozen=True)
class Implementation:
    """One implementation of a stage: what `hisf plugins` lists.

    Attributes
    ----------
    stage : str
        Folder of the stage, for example ``finders``.
    name : str
        Its name, the one a par file selects it by.
    plugin : str
        Entry point that registered it.
    distribution : str
        Name and version of the installed distribution.
    cls : type
    """

    stage: str
    name: str
    plugin: str
    distribution: str
    cls: type[Any]


# stage -> (hook, contract); in pipeline order
STAGES: dict[str, tuple[str, type[Any]]] = {
    "precondition": ("hisf_register_steps", Step),
    "finders": ("hisf_register_finders", Finder),
    "link": ("hisf_register_linkers", Linker),
    "reliability": ("hisf_register_reliabilities", Reliability),
    "dilate": ("hisf_register_dilations", Dilation),
    "appraise": ("hisf_register_appraisals", Appraisal),
    "measure": ("hisf_register_measurements", Measurement),
    "products": ("hisf_register_products", Product),
}


class PluginManager:
    """All plugins of the installation, the built-in stages first, then by distribution and entry point name.

    Raises
    ------
    PluginError
        A plugin cannot be imported, has an unknown hook, registers something that is not what the stage needs, or uses
        a name or a parameter that is taken. The message names the plugin and its distribution.
    """

    def __init__(self) -> None:
        self._pm = pluggy.PluginManager(GROUP)
        self._pm.add_hookspecs(hookspecs)
        self._origin: dict[str, str] = {}
        for entry in _entries():
            self.register(_load(entry), entry.name, _distribution(entry))
        self._collected: dict[str, list[Implementation]] = {}

    def register(self, plugin: object, name: str, distribution: str = "this session") -> None:
        """Register a module or an object with hook implementations under ``name``."""
        try:
            self._pm.register(plugin, name)
            self._pm.check_pending()
        except (pluggy.PluginValidationError, ValueError) as error:
            raise PluginError(f"plugin {name} of {distribution} cannot be registered: {error}") from None
        self._origin[name] = distribution
        self._collected = {}

    def implementations(self, stage: str) -> list[Implementation]:
        """Return what is registered for ``stage``, in order of registration (steps: in order of their position)."""
        if stage not in self._collected:
            self._collected[stage] = self._collect(stage)
        return self._collected[stage]

    def parameters(self) -> tuple[Parameter, ...]:
        """Return every parameter: hisf's own table, then those of the plugins."""
        found, owner = list(PARAMETERS), {p.name: "hisf" for p in PARAMETERS}
        declared: list[tuple[str, Iterable[Parameter]]] = []
        for name, impl in self._call("hisf_register_parameters"):
            declared.append((name, impl))
        for stage in STAGES:
            declared += [(i.plugin, i.cls.parameters) for i in self.implementations(stage)]
        for plugin, parameters in declared:
            for parameter in parameters:
                if owner.get(parameter.name) == plugin and parameter in found:
                    continue  # two classes of one plugin may share a parameter
                if parameter.name in owner:
                    raise PluginError(
                        f"plugin {plugin} of {self._origin[plugin]} declares {parameter.name}, which belongs to "
                        f"{owner[parameter.name]}; a plugin's parameters need a prefix of their own."
                    )
                owner[parameter.name] = plugin
                found.append(parameter)
        return tuple(found)

    def choose(self, stage: str, name: str, asked_by: str) -> type[Any]:
        """Return the implementation of ``stage`` called ``name``.

        Raises
        ------
        PluginError
            There is none; ``asked_by`` says who asked for it, for example ``my.par line 3: pipeline.finder``.
        """
        known = self.implementations(stage)
        for implementation in known:
            if implementation.name == name:
                return implementation.cls
        names = ", ".join(i.name for i in known)
        raise PluginError(f"{asked_by} = {name}: no such plugin is installed, only {names} (see `hisf plugins`).")

    def open_input(self, path: Path, settings: Settings, region: tuple[int, ...]) -> Cube | None:
        """Open a cube with the first opener that takes it; openers registered last are asked first."""
        return self._pm.hook.hisf_open_input(path=path, settings=settings, region=region)

    def start_stage(self, stage: str, total: int, unit: str) -> None:
        """Tell the observers that a stage begins."""
        self._pm.hook.hisf_start_stage(stage=stage, total=total, unit=unit)

    def advance_stage(self, stage: str, done: int, total: int) -> None:
        """Tell the observers how far a stage is."""
        self._pm.hook.hisf_advance_stage(stage=stage, done=done, total=total)

    def finish_stage(self, stage: str, done: int, seconds: float, unit: str) -> None:
        """Tell the observers that a stage is over."""
        self._pm.hook.hisf_finish_stage(stage=stage, done=done, seconds=seconds, unit=unit)

    def _call(self, hook: str) -> list[tuple[str, Any]]:
        """Call a register hook; return (plugin name, answer) in order of registration."""
        answers = []
        for implementation in getattr(self._pm.hook, hook).get_hookimpls():
            name = implementation.plugin_name
            try:
                answers.append((name, list(implementation.function())))
            except Exception as error:  # noqa: BLE001 - whatever a foreign function does
                what = f"{type(error).__name__}: {error}"
                raise PluginError(f"plugin {name} of {self._origin[name]} fails in {hook}: {what}") from None
        return answers

    def _collect(self, stage: str) -> list[Implementation]:
        hook, contract = STAGES[stage]
        found: list[Implementation] = []
        for plugin, classes in self._call(hook):
            origin = self._origin[plugin]
            for cls in classes:
                complaint = _broken(cls, contract)
                if complaint:
                    raise PluginError(f"plugin {plugin} of {origin}: {complaint}.")
                reserved = _RESERVED & {c.name for c in getattr(cls, "columns", ())}
                if reserved:
                    raise PluginError(f"plugin {plugin} of {origin}: the column {min(reserved)} is one of hisf's own.")
                for unique in ("suffix", "columns"):
                    clash = _shared(unique, cls, found)
                    if clash:
                        both = f"{cls.name} and {clash[0]} both have {clash[1]}"
                        raise PluginError(f"plugin {plugin} of {origin}: {both}.")
                taken = next((i for i in found if i.name == cls.name), None)
                if taken:
                    raise PluginError(
                        f"plugin {plugin} of {origin} registers {cls.name}, a name that {taken.plugin} of "
                        f"{taken.distribution} uses already for this stage."
                    )
                found.append(Implementation(stage, cls.name, plugin, origin, cls))
        if stage == "precondition":
            found.sort(key=lambda i: i.cls.position)
        return found


def _broken(cls: Any, contract: type[Any]) -> str:
    """Return what keeps a class from being an implementation of a contract; empty if nothing does."""
    if not (isinstance(cls, type) and issubclass(cls, contract)):
        return f"{cls!r} is not a subclass of {contract.__name__}"
    missing = sorted(getattr(cls, "__abstractmethods__", ()))
    if missing:
        return f"{cls.__name__} lacks {', '.join(missing)}"
    for attribute in contract.__annotations__:
        if not hasattr(cls, attribute):
            return f"{cls.__name__} has no {attribute}"
    if not all(isinstance(p, Parameter) for p in getattr(cls, "parameters")):  # noqa: B009 - a class of any kind
        return f"{cls.__name__}.parameters are not all of the class Parameter"
    return ""


def _shared(attribute: str, cls: type[Any], found: list[Implementation]) -> tuple[str, str] | None:
    """Return with which implementation a class shares a file suffix or a column, and which; None with none."""
    for other in found:
        mine, theirs = (getattr(c, attribute, ()) for c in (cls, other.cls))
        if isinstance(mine, str) and mine and mine == theirs:
            return other.name, f"the suffix {mine}"
        if not isinstance(mine, str):
            same = {c.name for c in mine} & {c.name for c in theirs}
            if same:
                return other.name, f"the column {min(same)}"
    return None


def _entries() -> list[EntryPoint]:
    """Return the entry points of the group once each: hisf's own in their order, then the others by name."""
    unique = {(e.name, e.value): e for e in entry_points(group=GROUP)}
    own = [e for e in unique.values() if e.value.startswith("hisf.")]
    others = sorted((e for e in unique.values() if e not in own), key=lambda e: (_distribution(e), e.name))
    return own + others


def _distribution(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown distribution"


def _load(entry: EntryPoint) -> object:
    try:
        return entry.load()
    except Exception as error:  # noqa: BLE001 - whatever a foreign module does on import
        raise PluginError(
            f"plugin {entry.name} of {_distribution(entry)} cannot be imported: {type(error).__name__}: {error}"
        ) from None
