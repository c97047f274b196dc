"""What a tuning leaves: the par file to use, tables, figures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hisf.settings import Settings, as_text, parse_argument, read_assignments
from hisf.settings.sofia1 import is_sofia1_key
from hisf.stages.products.writing import write_file
from hisf.tune.analysis import compared, flux_table, source_table, trial_table
from hisf.tune.figures import draw_record
from hisf.tune.record import Record, Trial
from hisf.tune.run import best_of

TABLES = {"trials": trial_table, "flux": flux_table, "sources": source_table}


def write_analysis(record: Record, base: Path) -> list[Path]:
    """Write the tables (ECSV) and figures (PNG, PDF) of a record.

    Parameters
    ----------
    record : Record
    base : Path
        Folder and base name.

    Returns
    -------
    list of Path
        ``_trials``, ``_flux``, ``_sources`` as tables; ``_tradeoff``, ``_ranking``, ``_flux``, ``_sources`` as figures.
        None where every trial failed.

    Raises
    ------
    FileAccessError
        A file cannot be written.
    """
    if not compared(record):
        return []
    paths = []
    for name, make in TABLES.items():
        table = make(record)
        place = base.with_name(f"{base.name}_{name}.ecsv")
        paths.append(write_file(place, lambda path, table=table: table.write(path, format="ascii.ecsv")))
    return paths + draw_record(record, base, best_of(record.trials))


def tuned_par(arguments: Sequence[str], settings: Settings, record: Record, best: Trial) -> str:
    """Return the user's parameter files with what was given on the command line and what was tuned below them.

    The last setting of a parameter counts, so that what the user wrote stays to be read. Files of SoFiA 1 are replaced
    by all settings in hisf's own names.

    Parameters
    ----------
    arguments : sequence of str
        Files and settings, of which ``settings`` were made.
    settings : Settings
    record : Record
    best : Trial
    """
    files = [argument for argument in arguments if "=" not in argument]
    given = [parse_argument(argument) for argument in arguments if "=" in argument]
    old = any(is_sofia1_key(assignment.key) for file in files for assignment in read_assignments(file))
    if old:
        lines = [as_text(settings)]
    else:
        lines = [Path(file).read_text(encoding="utf-8", errors="replace") for file in files]
        if given:
            lines.append(_heading("given on the command line"))
            lines += [f"{assignment.key} = {assignment.value}" for assignment in given]
    start = record.trials[0]
    lines.append(_heading(f"made by hisf tune, objective {record.header.objective}"))
    was = "failed" if start.score is None else f"{start.score:.6g}"
    lines.append(f"# {best.score:.6g} in trial {best.number} of {len(record.trials) - 1}; the settings above: {was}")
    lines.append(f"# completeness {best.completeness:.4f}, reliability {best.reliability:.4f}")
    lines.append("")
    lines += [f"{name} = {text}" for name, text in best.values.items() if text != start.values[name]]
    return "\n".join(line.rstrip("\n") for line in lines) + "\n"


def _heading(text: str) -> str:
    return f"\n# ---- {text} ".ljust(100, "-") + "\n"
