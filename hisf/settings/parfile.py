"""The text of parameter files and command-line settings, taken apart into keys and values (spec sofia2 and 1, §1)."""

from dataclasses import dataclass
from pathlib import Path

from hisf.errors import FileAccessError, InputError
from hisf.settings.origin import COMMAND_LINE, Origin

LINE_BYTES = 1023  # SoFiA 2 reads longer lines in pieces of this size
_ALPHANUMERIC = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_DATA_SIGNATURES = {b"SIMPLE  =": "a FITS file", b"\x89HDF\r\n": "an HDF5 file"}


@dataclass(frozen=True)
class Assignment:
    """One ``key = value`` as it was written, with where it stands."""

    key: str
    value: str
    origin: Origin


def read_assignments(path: str | Path, line_bytes: int = LINE_BYTES) -> list[Assignment]:
    """Read every setting of a parameter file, in order, known or not.

    Parameters
    ----------
    path
        The file. Any bytes are accepted: text is UTF-8 where it can be and Latin-1 otherwise, and what follows a NUL
        byte on a line is dropped.
    line_bytes
        Longer lines are read in pieces of this size, as by SoFiA 2.

    Returns
    -------
    list of Assignment
        Repeated keys are all there.

    Raises
    ------
    FileAccessError
        If there is no such file, or it cannot be read.
    InputError
        If it is a cube.
    """
    assignments = []
    try:
        with Path(path).open("rb") as file:
            line = 1
            while piece := file.readline(line_bytes):
                if line == 1:
                    _refuse_data(path, piece)
                parts = _split_line(piece)
                if parts is not None:
                    assignments.append(Assignment(*parts, Origin("file", str(path), line)))
                line += piece.endswith(b"\n")
    except OSError as error:
        reason = error.strerror or str(error)
        raise FileAccessError(
            f"Cannot read the parameter file {str(path)!r}: {reason} (a setting is written KEY=VALUE)."
        ) from error
    except ValueError as error:  # a name that no file can have
        raise FileAccessError(f"Cannot read the parameter file {str(path)!r}: {error}.") from error
    return assignments


def parse_argument(text: str) -> Assignment:
    """Split a command-line setting at its first equals sign; nothing is trimmed, and ``#`` is an ordinary character.

    Raises
    ------
    InputError
        If there is no equals sign.
    """
    key, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"{text!r} is not a setting: write KEY=VALUE.")
    return Assignment(key, value, COMMAND_LINE)


def _split_line(line: bytes) -> tuple[str, str] | None:
    """Split one line into key and value; None if it holds no setting."""
    line = line.partition(b"\0")[0].strip()
    if not line or line[0] not in _ALPHANUMERIC:
        return None
    key, _, rest = line.partition(b"=")
    value = rest.removeprefix(b"#").partition(b"#")[0]  # '=#' swallows that one '#'
    return _decode(key.strip()), _decode(value.strip())


def _decode(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")


def _refuse_data(path: str | Path, first_line: bytes) -> None:
    for signature, description in _DATA_SIGNATURES.items():
        if first_line.startswith(signature):
            raise InputError(f"{path} is {description}, not a parameter file: write input.data={path} to search it.")
