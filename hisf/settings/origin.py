"""Where a setting comes from: the default, a line of a parameter file, or the command line."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Origin:
    """Where the text of a setting was written.

    Parameters
    ----------
    kind
        ``'default'``, ``'file'`` or ``'command line'``.
    file
        Parameter file as the user named it; only for kind ``'file'``.
    line
        Line number in that file, counted from 1; 0 for a default that the dialect of the file has.
    written_as
        The key in the file, where it is not that of hisf; otherwise empty.
    """

    kind: Literal["default", "file", "command line"]
    file: str = ""
    line: int = 0
    written_as: str = ""

    def __str__(self) -> str:
        if self.kind == "file" and not self.line:
            return f"{self.file} (SoFiA 1's default of {self.written_as})"
        place = f"{self.file} line {self.line}" if self.kind == "file" else self.kind
        return f"{place} (written as {self.written_as})" if self.written_as else place


DEFAULT = Origin("default")
COMMAND_LINE = Origin("command line")
