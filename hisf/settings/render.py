"""Parameters and settings as text: parameter files, rows of a table, and the reference page."""

import textwrap
from collections.abc import Iterable
from typing import NamedTuple

from hisf.settings.aliases import ALIASES
from hisf.settings.parameter import Parameter
from hisf.settings.reading import strip_blanks
from hisf.settings.settings import Settings

_WIDTH = 100
_LONGEST_LINE = 1023  # bytes; a parameter file is cut there
_EFFECTS = {
    "full": "",
    "partial": "Accepted, but not in this version of hisf yet.",
    "none": "Accepted, but without effect in hisf.",
}


class Row(NamedTuple):
    """One parameter in words."""

    name: str
    type: str
    default: str
    since: str
    help: str


def _describe_type(parameter: Parameter) -> str:
    unit = f"in {parameter.unit}" if parameter.unit else ""
    return ", ".join(word for word in (parameter.kind.value, unit, parameter.accepts) if word)


def _describe_help(parameter: Parameter) -> str:
    return f"{parameter.help} {_EFFECTS[parameter.effect]}".strip()


def _by_section(parameters: Iterable[Parameter]) -> dict[str, list[Parameter]]:
    sections: dict[str, list[Parameter]] = {}
    for parameter in parameters:
        sections.setdefault(parameter.section, []).append(parameter)
    return sections


def as_template(parameters: Iterable[Parameter]) -> str:
    """Return a parameter file with the default of every parameter and, in comments, what it means."""
    lines = ["# Parameters of hisf with their defaults; a line that starts with # is a comment."]
    for section, members in _by_section(parameters).items():
        lines += ["", "", f"# ---- {section} ".ljust(_WIDTH, "-")]
        for parameter in members:
            facts = f"{_describe_help(parameter)} ({_describe_type(parameter)}; since {parameter.since})"
            lines += ["", *textwrap.wrap(facts, _WIDTH, initial_indent="# ", subsequent_indent="# ")]
            lines.append(f"{parameter.name} = {parameter.default}".rstrip(" "))
    return "\n".join(lines) + "\n"


def as_text(settings: Settings) -> str:
    """Return a parameter file with the values of all settings.

    A value that no parameter file can hold, such as one with a ``#`` from the command line, becomes a comment that says
    so.
    """
    lines: list[str] = []
    for section, members in _by_section(settings.parameters).items():
        lines += ["", f"# {section}"] if lines else [f"# {section}"]
        for parameter in members:
            text = parameter.format(settings[parameter.name])
            line = f"{parameter.name} = {text}".rstrip(" ")
            lines.append(
                line if _can_stand(text, line) else f"# {parameter.name} has a value for the command line only"
            )
    return "\n".join(lines) + "\n"


def _can_stand(text: str, line: str) -> bool:
    try:
        size = len(line.encode())
    except UnicodeEncodeError:
        return False
    return size <= _LONGEST_LINE and not set("#\n\0") & set(text) and strip_blanks(text) == text


def as_table_rows(parameters: Iterable[Parameter], word: str = "") -> list[Row]:
    """Return the parameters that have `word` in name, former name or help, in any case; all of them for no word."""
    wanted = word.lower()
    aliases: dict[str, str] = {}
    for alias in ALIASES:
        for target in alias.targets:
            aliases[target] = f"{aliases.get(target, '')} {alias.name}"
    return [
        Row(
            parameter.name,
            _describe_type(parameter),
            parameter.default,
            parameter.since,
            _describe_help(parameter),
        )
        for parameter in parameters
        if wanted in f"{parameter.name}{aliases.get(parameter.name, '')} {parameter.help}".lower()
    ]


def as_markdown(parameters: Iterable[Parameter]) -> str:
    """Return the reference page of the parameters."""
    lines = [
        "# Parameters",
        "",
        "<!-- Made by hisf.settings.as_markdown from the declarations in hisf/settings/table; do not edit. -->",
        "",
        "A parameter file has one `name = value` per line; `#` starts a comment. The same settings can be given on the",
        "command line as `name=value`. Names and meaning are those of SoFiA 2.5 wherever SoFiA has the parameter;",
        "*since* tells which version of SoFiA, or of hisf, introduced it.",
    ]
    for section, members in _by_section(parameters).items():
        lines += ["", f"## {section}", "", *_markdown_header("Name", "Type", "Default", "Since", "Meaning")]
        for row in as_table_rows(members):
            lines.append(_markdown_row(f"`{row.name}`", row.type, row.default and f"`{row.default}`", *row[3:]))
    lines += ["", "## Other names", "", "These names are translated.", "", *_markdown_header("Name", "Sets", "Meaning")]
    for alias in ALIASES:
        targets = ", ".join(f"`{target}`" for target in alias.targets)
        lines.append(_markdown_row(f"`{alias.name}`", targets, alias.help))
    return "\n".join(lines) + "\n"


def _markdown_header(*titles: str) -> list[str]:
    return [_markdown_row(*titles), _markdown_row(*("---" for _ in titles))]


def _markdown_row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
