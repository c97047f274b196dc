"""What can go wrong, with the exit code of each class (the codes are SoFiA 2's; spec sofia2 §5)."""


class HisfError(Exception):
    """A failure with one sentence for the user and an exit code; never shown as a traceback."""

    exit_code = 1


class OutOfMemoryError(HisfError):
    """Memory could not be had, or an empty array was asked for."""

    exit_code = 3


class IndexRangeError(HisfError):
    """A list is empty, or an index is outside its range."""

    exit_code = 4


class FileAccessError(HisfError):
    """A file is missing, truncated, unreadable or cannot be written."""

    exit_code = 5


class TooManySourcesError(HisfError):
    """More sources than a 32-bit label can count."""

    exit_code = 6


class InputError(HisfError):
    """A parameter, a cube or a table is not what it has to be."""

    exit_code = 7


class PluginError(InputError):
    """A plugin is missing, named twice, or breaks its contract; the message names the plugin and its distribution."""


class NothingFoundError(HisfError):
    """No source is left: the cube was searched and nothing passed."""

    exit_code = 8
