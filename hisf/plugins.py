"""Loading plugins and asking them: the only place that calls a hook."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

import pluggy

from hisf import hookspecs
from hisf.data.columns import OWN, Column
from hisf.data.cube import Cube
from hisf.errors import PluginError
from hisf.guard import blamed, guard
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
SUFFIX = re.compile(r"_[\w.+-]+")
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

    Parameters
    ----------
    foreign : bool
        Whether plugins of other distributions take part; without them there are the built-in ones alone.

    Raises
    ------
    PluginError
        A plugin cannot be imported, has an unknown hook, registers something that is not what the stage needs, or uses
        a name or a parameter that is taken. The message names the plugin and its distribution.
    """

    def __init__(self, foreign: bool = True) -> None:
        self._pm = pluggy.PluginManager(GROUP)
        self._pm.add_hookspecs(hookspecs)
        self._origin: dict[str, str] = {}
        for entry in _entries(foreign):
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
                if owner.get(parameter.name) == plugin:
                    raise PluginError(
                        f"plugin {plugin} of {self._origin[plugin]} declares {parameter.name} twice, and differently."
                    )
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

    def active(self, stage: str, settings: Settings, *given: object) -> list[Any]:
        """Return what the settings ask for, made with ``given``: steps or products."""
        found = []
        for known in self.implementations(stage):
            with blamed(_who(known.plugin, known.distribution), f"{known.cls.__name__}.wanted"):
                wanted = known.cls.wanted(settings)
            if wanted:
                found.append(self.make(stage, known.cls, *given))
        return found

    def make(self, stage: str, cls: type[Any], *given: object) -> Any:
        """Return an instance of an implementation of ``stage``; one of a plugin is watched, see `hisf.guard`.

        Parameters
        ----------
        stage : str
        cls : type
        *given : object
            What its constructor takes: settings and cube, or nothing.
        """
        if cls.__module__.startswith("hisf."):
            return cls(*given)
        found = next(i for i in self.implementations(stage) if i.cls is cls)
        who = _who(found.plugin, found.distribution)
        with blamed(who, f"{cls.__name__}.__init__"):
            return guard(cls(*given), stage, who)

    def open_input(self, path: Path, settings: Settings, region: tuple[int, ...]) -> Cube | None:
        """Open a cube with the first opener that takes it; openers registered last are asked first."""
        for name, cube in self._ask("hisf_open_input", reverse=True, path=path, settings=settings, region=region):
            if isinstance(cube, Cube):
                return cube
            if cube is not None:
                who, kind = _who(name, self._origin[name]), type(cube).__name__
                raise PluginError(f"{who}: hisf_open_input returned {kind} for {path}, not a Cube.")
        return None

    def start_stage(self, stage: str, total: int, unit: str) -> None:
        """Tell the observers that a stage begins."""
        deque(self._ask("hisf_start_stage", stage=stage, total=total, unit=unit), 0)

    def advance_stage(self, stage: str, done: int, total: int) -> None:
        """Tell the observers how far a stage is."""
        deque(self._ask("hisf_advance_stage", stage=stage, done=done, total=total), 0)

    def finish_stage(self, stage: str, done: int, seconds: float, unit: str) -> None:
        """Tell the observers that a stage is over."""
        deque(self._ask("hisf_finish_stage", stage=stage, done=done, seconds=seconds, unit=unit), 0)

    def _call(self, hook: str) -> list[tuple[str, Any]]:
        """Call a register hook; return (plugin name, list of answers) in order of registration."""
        answers = []
        for name, answer in self._ask(hook):
            with blamed(_who(name, self._origin[name]), hook):
                answers.append((name, list(answer)))
        return answers

    def _ask(self, hook: str, reverse: bool = False, **given: object) -> Iterator[tuple[str, Any]]:
        """Call a hook, one plugin after the other; yield (plugin name, answer)."""
        implementations = getattr(self._pm.hook, hook).get_hookimpls()
        for implementation in reversed(implementations) if reverse else implementations:
            name = implementation.plugin_name
            with blamed(_who(name, self._origin[name]), hook):
                answer = implementation.function(*(given[argument] for argument in implementation.argnames))
            yield name, answer

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
    for attribute, kind in (("parameters", Parameter), ("columns", Column)):
        declared = getattr(cls, attribute, ())
        if not (isinstance(declared, Iterable) and all(isinstance(d, kind) for d in declared)):
            return f"{cls.__name__}.{attribute} are not all of the class {kind.__name__}"
    name, suffix = getattr(cls, "name", ""), getattr(cls, "suffix", "_")
    if not (isinstance(name, str) and name.strip() == name != "" and "+" not in name):
        return f"the name of {cls.__name__} is {name!r}; it must be text without + or blanks around it"
    if issubclass(contract, Product) and not (isinstance(suffix, str) and SUFFIX.fullmatch(suffix)):
        return f"the suffix of {cls.__name__} is {suffix!r}; it must be a part of a file name that begins with _"
    return ""


def _who(plugin: str, distribution: str) -> str:
    return f"plugin {plugin} of {distribution}"


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


def _entries(foreign: bool) -> list[EntryPoint]:
    """Return the entry points of the group once each: hisf's own in their order, then the others, if any, by name."""
    unique = {(e.name, e.value): e for e in entry_points(group=GROUP)}
    own = [e for e in unique.values() if e.value.startswith("hisf.")]
    others = sorted((e for e in unique.values() if e not in own), key=lambda e: (_distribution(e), e.name))
    return own + others * foreign


def _distribution(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown distribution"


def _load(entry: EntryPoint) -> object:
    try:
        return entry.load()
    except (Exception, SystemExit) as error:  # whatever a foreign module does on import
        raise PluginError(
            f"{_who(entry.name, _distribution(entry))} cannot be imported: {type(error).__name__}: {error}; mend or "
            "remove it, or run with --no-plugins."
        ) from error
