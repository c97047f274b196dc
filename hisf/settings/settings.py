"""The settings of a run: every parameter with its value and where that value comes from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from hisf.errors import InputError, PluginError
from hisf.settings.aliases import ALIASES, Alias
from hisf.settings.origin import DEFAULT, Origin
from hisf.settings.parameter import Parameter
from hisf.settings.parfile import Assignment, parse_argument, read_assignments
from hisf.settings.sofia1 import OLD_PARAMETERS, is_sofia1_key, translate
from hisf.settings.suggestion import suggest
from hisf.settings.table import PARAMETERS

_CLASSIC_FINDERS = ("scfind", "threshold")
_LONG_LINE = 1 << 20  # bytes; a list of SoFiA 1 may be longer than a line of SoFiA 2
_MOST_UNKNOWN = 5  # unknown keys that one message names


class Entry(NamedTuple):
    """One setting: its text, the value that the text stands for, and where it comes from."""

    text: str
    value: Any
    origin: Origin


@dataclass(frozen=True, eq=False, repr=False)
class Settings(Mapping[str, Any]):
    """Values of all parameters by name, in the order of the table; immutable.

    Two settings are equal if all their values are, wherever these come from. Use `load_settings` to make one.
    """

    parameters: tuple[Parameter, ...]
    _entries: dict[str, Entry]
    _remarks: tuple[str, ...] = ()
    translations: tuple[str, ...] = ()  # keys of SoFiA 2.7 and what they are taken as, a sentence each

    def __getitem__(self, name: str) -> Any:
        return self._entries[name].value

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        given = {name: self.text(name) for name in self if self.is_set(name)}
        return f"<Settings {given} and {len(self) - len(given)} defaults>"

    def text(self, name: str) -> str:
        """Return the text of a setting as it was written; of an alias, the translated text."""
        return self._entries[name].text

    def origin(self, name: str) -> Origin:
        """Return where a setting comes from."""
        return self._entries[name].origin

    def is_set(self, name: str) -> bool:
        """Tell whether the user gave this parameter, be it its default value or by an alias."""
        return self._entries[name].origin.kind != "default"

    def is_active(self, section: str) -> bool:
        """Tell whether a section is switched on.

        A section with a parameter ``enable`` is on if that is true, any other section always. The classic finders
        (``scfind`` and ``threshold``) are on if ``pipeline.finder`` names them, as soon as it names anything.
        """
        chosen = self.get("pipeline.finder")
        if chosen and section in _CLASSIC_FINDERS:
            return section in (name.strip() for name in chosen.split("+"))
        return bool(self.get(f"{section}.enable", True))

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know: unknown keys, translated aliases, and texts that are read as something else."""
        read_differently = (
            f"{self.origin(parameter.name)}: {remark}"
            for parameter in self.parameters
            if self.is_set(parameter.name) and (remark := parameter.remark(self.text(parameter.name)))
        )
        return (*self.translations, *self._remarks, *read_differently)

    @property
    def ignored(self) -> tuple[str, ...]:
        """Names that have a value other than their default which this version of hisf takes no, or not full, notice of.

        Sections that are switched off, and switches that are off, are left out: there is nothing to miss.
        """
        return tuple(
            parameter.name
            for parameter in self.parameters
            if parameter.effect != "full"
            and self[parameter.name] != parameter.default_value
            and self[parameter.name] is not False
            and self.is_active(parameter.section)
        )

    def replace(self, name: str, text: str, origin: Origin) -> "Settings":
        """Return settings in which one parameter has another text.

        Raises
        ------
        InputError
            If there is no such parameter, or the text is a list with an empty element.
        """
        if name not in self:
            raise InputError(f"{origin}: unknown parameter {name!r}{suggest(name, self)}.")
        parameter = next(parameter for parameter in self.parameters if parameter.name == name)
        entries = self._entries | {name: _entry(parameter, text, origin)}
        return replace(self, _entries=entries)


def load_settings(arguments: Sequence[str], parameters: Iterable[Parameter] = PARAMETERS) -> Settings:
    """Read parameter files and command-line settings, in order, on top of the defaults (spec sofia2 §1.3).

    Parameters
    ----------
    arguments
        What contains an equals sign is a setting, anything else the path of a parameter file. None at all gives the
        defaults.
    parameters
        The known parameters: those of hisf, and those of plugins.

    Returns
    -------
    Settings
        Nothing about the values is checked yet but that they can be read; see `validate`.

    Raises
    ------
    FileAccessError
        If a parameter file cannot be read.
    InputError
        If a file is no parameter file, if a key is unknown while ``pipeline.pedantic`` is true (for a file, at its
        end), if a list has an empty element, or if a file of SoFiA 1 cannot be translated.
    PluginError
        If two parameters have the same name.
    """
    loader = _Loader(tuple(parameters))
    for argument in arguments:
        if "=" in argument:
            loader.assign([parse_argument(argument)])
        else:
            loader.read(argument)
    return loader.settings()


def _entry(parameter: Parameter, text: str, origin: Origin) -> Entry:
    try:
        return Entry(text, parameter.parse(text), origin)
    except InputError as error:
        raise InputError(f"{origin}: {error}") from None


@dataclass
class _Loader:
    """Collects texts, of which the last one of each parameter counts."""

    parameters: tuple[Parameter, ...]
    texts: dict[str, tuple[str, Origin]] = field(init=False)
    aliases: dict[str, Alias] = field(init=False)
    remarks: list[str] = field(default_factory=list)
    translations: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.texts = {parameter.name: (parameter.default, DEFAULT) for parameter in self.parameters}
        self.aliases = {alias.name: alias for alias in ALIASES if not self.texts.keys().isdisjoint(alias.targets)}
        names = [parameter.name for parameter in self.parameters] + list(self.aliases)
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise PluginError(f"Parameters are declared more than once: {', '.join(twice)}.")

    def read(self, path: str) -> None:
        """Take in the settings of a parameter file, of SoFiA 1 too."""
        assignments = read_assignments(path)
        if not any(is_sofia1_key(assignment.key) for assignment in assignments):
            self.assign(assignments)
            return
        translation = translate(path, read_assignments(path, _LONG_LINE))
        self.remarks.extend(translation.notes)
        self.assign(translation.assignments, translation.complaints)

    def assign(self, assignments: Iterable[Assignment], complaints: Sequence[str] = ()) -> None:
        """Take in the settings of one argument; only then look whether unknown keys, and complaints, matter."""
        unknown = list(complaints)
        for assignment in assignments:
            if assignment.key in self.texts:
                self.texts[assignment.key] = (assignment.value, assignment.origin)
            elif assignment.key in self.aliases:
                self._translate(self.aliases[assignment.key], assignment)
            else:
                unknown.append(self._describe(assignment))
        if not unknown:
            return
        pedantic, _ = self.texts.get("pipeline.pedantic", ("true", DEFAULT))
        if pedantic == "true":
            more = len(unknown) - _MOST_UNKNOWN
            listed = "; ".join(unknown[:_MOST_UNKNOWN]) + (f"; and {more} more" if more > 0 else "")
            raise InputError(f"{listed}. Correct it, or set pipeline.pedantic to false to have it ignored.")
        self.remarks.extend(f"{description} is ignored." for description in unknown)

    def _translate(self, alias: Alias, assignment: Assignment) -> None:
        text = alias.translate(assignment.value)
        origin = Origin(assignment.origin.kind, assignment.origin.file, assignment.origin.line, alias.name)
        targets = [target for target in alias.targets if target in self.texts]
        self.texts.update((target, (text, origin)) for target in targets)
        self.translations.append(
            f"{assignment.origin}: {alias.name} = {assignment.value!r} is taken as {' and '.join(targets)} = {text!r}."
        )

    def _describe(self, assignment: Assignment) -> str:
        if assignment.key in OLD_PARAMETERS:
            targets = " and ".join(OLD_PARAMETERS[assignment.key].targets) or "nothing"
            return f"{assignment.origin}: {assignment.key!r} is a parameter of SoFiA 1; here it is {targets}"
        names = [*self.texts, *self.aliases, *(OLD_PARAMETERS if is_sofia1_key(assignment.key) else ())]
        suggestion = suggest(assignment.key, names)
        return f"{assignment.origin}: unknown parameter {assignment.key!r}{suggestion}"

    def settings(self) -> Settings:
        """Turn the texts into values."""
        entries = {parameter.name: _entry(parameter, *self.texts[parameter.name]) for parameter in self.parameters}
        return Settings(self.parameters, entries, tuple(self.remarks), tuple(self.translations))
