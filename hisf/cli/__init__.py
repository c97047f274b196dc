"""The command line: one module per command, loaded when it is called."""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import click

from hisf import __version__
from hisf.errors import HisfError, InputError, OutOfMemoryError

# objects after which Python looks for garbage: with its own 700, imports spend a tenth of a short run on that
GARBAGE = (500_000, 20, 20)
# seconds for which a thread keeps the interpreter when another one waits: with Python's 0.005 kernels wait for imports
TURN = 1e-4

# threads of OpenBLAS (numpy's) that wait for work sleep at once: while numpy is imported nobody has any for them
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

COMMANDS = {
    "run": "Find sources as a parameter file says.",
    "merge": "Make one catalogue from jobs on parts of a cube.",
    "simulate": "Make an HI cube with galaxies, noise and truth.",
    "train": "Train the networks.",
    "tune": "Find better parameters, given the truth.",
    "inject": "Completeness on your own cube, from mock galaxies.",
    "score": "Score a catalogue against the truth.",
    "plan": "Say what a run would take: memory, tiles, time.",
    "compare": "Compare two catalogues, and their masks.",
    "report": "Show a run in one HTML page, or in figures.",
    "check": "Say what is wrong with a parameter file.",
    "params": "List and explain parameters.",
    "template": "Print a commented parameter file.",
    "plugins": "List the active plugins, stage by stage.",
    "new-plugin": "Begin a finder of your own.",
}
INTERRUPTED, TERMINATED = 130, 143
EXAMPLES = """\b
Examples:
  hisf run my.par                     run the pipeline
  hisf run my.par scfind.threshold=4  the same with another threshold
  hisf params linker                  explain the linker's parameters"""


class _Terminated(KeyboardInterrupt):
    """A signal asked to end, which is done as after an interrupt."""


class _Lazy(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"hisf.cli.{cmd_name.replace('-', '_')}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy, epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hisf")
def cli() -> None:
    """Find HI sources in radio data cubes.

    hisf takes the parameter files of SoFiA 2 and gives the same catalogues; every stage is a plugin.
    """


def main() -> NoReturn:
    """Run the command line and leave with an exit code: SoFiA's, or that of a signal (spec sofia2 §5)."""
    sys.exit(guarded(lambda: cli.main(prog_name="hisf", standalone_mode=False)))


def program() -> NoReturn:
    """Do what the command ``hisf`` does."""
    leave_after(main)


def leave_after(main: Callable[[], NoReturn]) -> NoReturn:
    """Call what ends with `SystemExit`, and end the process without freeing every object first.

    That takes Python half a second after a run, and the system takes back all memory anyway. What is registered with
    atexit is called, and what was printed is written.
    """
    try:
        main()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:  # the reader of our output has gone
        code = code or 1
    os._exit(code)


def guarded(call: Callable[[], object]) -> int:
    """Call a command; return its exit code, and say in one sentence what went wrong."""
    gc.set_threshold(*GARBAGE)
    sys.setswitchinterval(TURN)
    try:
        with _terminable():
            call()
    except HisfError as error:
        if error.__cause__ is not None and os.environ.get("HISF_TRACEBACK"):  # what a plugin raised
            raise
        return _fail(str(error), error.exit_code)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return InputError.exit_code
    except click.UsageError as error:
        hint = f" (see `{error.ctx.command_path} --help`)" if error.ctx else ""
        return _fail(f"{error.format_message()}{hint}", InputError.exit_code)
    except click.ClickException as error:
        return _fail(error.format_message(), InputError.exit_code)
    except (KeyboardInterrupt, click.Abort) as error:
        if isinstance(error.__cause__ or error, _Terminated):  # the former in click's wrapping
            return _fail("Terminated; no file was left half-written.", TERMINATED)
        return _fail("Interrupted; no file was left half-written.", INTERRUPTED)
    except MemoryError:
        sentence = "Out of memory; cut the cube with input.region, or free some memory."
        return _fail(sentence, OutOfMemoryError.exit_code)
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # so that closing it does not fail again
        return 1
    except Exception as error:  # the user gets a sentence, never a traceback
        if os.environ.get("HISF_TRACEBACK"):
            raise
        kind = type(error).__name__
        return _fail(f"Internal error, {kind}: {error}. This is a bug; HISF_TRACEBACK=1 shows where it happened.", 1)
    return 0


@contextmanager
def _terminable() -> Iterator[None]:
    """Clean up when the process is asked to end, by a batch system for example, as after an interrupt."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: object) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _fail(sentence: str, code: int) -> int:
    click.echo(f"ERROR: {sentence}", err=True)
    return code
