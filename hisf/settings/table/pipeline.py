"""Parameters of the run as a whole."""

from hisf.settings.parameter import Kind, Parameter

PARAMETERS = (
    Parameter(
        "pipeline.compatibility",
        Kind.CHOICE,
        "sofia2",
        "Whether names, units and sources are those of SoFiA 2, defects included, or improved (see docs/sofia2.md).",
        "hisf 0.1",
        choices=("sofia2", "improved"),
        fallback="sofia2",
    ),
    Parameter(
        "pipeline.verbose", Kind.BOOL, "false", "Print more about what is done, such as missing header keywords.", "2.4"
    ),
    Parameter(
        "pipeline.pedantic", Kind.BOOL, "true", "Stop at an unknown parameter instead of only mentioning it.", "2.4"
    ),
    Parameter(
        "pipeline.threads",
        Kind.INT,
        "0",
        "Number of threads; 0 or less leaves the choice to OMP_NUM_THREADS, and results never depend on it.",
        "2.4",
    ),
    Parameter(
        "pipeline.useGPU", Kind.BOOL, "false", "Known to a GPU version of SoFiA 2.5.1 only.", "2.5 GPU", effect="none"
    ),
    Parameter(
        "pipeline.benchmark",
        Kind.BOOL,
        "false",
        "Time the steps; known to a GPU version of SoFiA 2.5.1 only.",
        "2.5 GPU",
        effect="none",
    ),
)
