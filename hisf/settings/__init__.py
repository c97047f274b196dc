"""Parameters: declared once, parsed from SoFiA par files and command lines, validated, rendered."""

from hisf.settings.aliases import ALIASES, Alias
from hisf.settings.checks import check_settings, validate
from hisf.settings.origin import COMMAND_LINE, DEFAULT, Origin
from hisf.settings.parameter import Kind, Parameter
from hisf.settings.parfile import Assignment, parse_argument, read_assignments
from hisf.settings.render import Row, as_markdown, as_table_rows, as_template, as_text
from hisf.settings.settings import Settings, load_settings
from hisf.settings.table import PARAMETERS

__all__ = [
    "ALIASES",
    "COMMAND_LINE",
    "DEFAULT",
    "PARAMETERS",
    "Alias",
    "Assignment",
    "Kind",
    "Origin",
    "Parameter",
    "Row",
    "Settings",
    "as_markdown",
    "as_table_rows",
    "as_template",
    "as_text",
    "check_settings",
    "load_settings",
    "parse_argument",
    "read_assignments",
    "validate",
]
