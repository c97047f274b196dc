"""Parameters that SoFiA does not have."""

from hisf.settings.parameter import Kind, Parameter

_SINCE = "hisf 0.1"

PARAMETERS = (
    Parameter(
        "pipeline.finder",
        Kind.TEXT,
        "",
        "Name of the finder, or several joined by +; empty leaves the choice to scfind.enable and threshold.enable.",
        _SINCE,
    ),
    Parameter(
        "pipeline.scoreThreshold",
        Kind.FLOAT,
        "0.5",
        "A finder that gives every voxel a score detects those above this value.",
        _SINCE,
        minimum=0,
        maximum=1,
    ),
    Parameter(
        "pipeline.memory",
        Kind.TEXT,
        "",
        "Largest memory that the run and its workers may use, for example 2GB; empty means 60 % of what is available.",
        _SINCE,
    ),
    Parameter(
        "pipeline.tile",
        Kind.INTS,
        "0, 0, 0",
        "Shape of tiles along x, y and z; 0 leaves it to pipeline.memory, and results never depend on it.",
        _SINCE,
        unit="voxels",
        minimum=0,
    ),
    Parameter(
        "pipeline.workers",
        Kind.INT,
        "0",
        "Number of processes that compute tiles, or of jobs on a cluster; 0 computes in the process itself.",
        _SINCE,
        minimum=0,
    ),
    Parameter(
        "pipeline.engine",
        Kind.TEXT,
        "local",
        "Where workers run: local processes, dask (a cluster on this machine), slurm, pbs, or the address of a dask "
        "scheduler.",
        _SINCE,
    ),
    Parameter(
        "pipeline.engineOptions",
        Kind.TEXT,
        "",
        "Options of a slurm or pbs job, such as queue = main; walltime = 02:00:00; memory = 8GB; cores = 4.",
        _SINCE,
    ),
    Parameter(
        "pipeline.pluginTimeout",
        Kind.FLOAT,
        "0",
        "Time that a method of a plugin of another distribution may take before the run ends; 0 means any time.",
        _SINCE,
        unit="s",
        minimum=0,
    ),
    Parameter(
        "linker.method",
        Kind.TEXT,
        "sofia2",
        "Name of the linker: sofia2 joins voxels within an ellipsoid, cylinder within a cylinder as SoFiA 1 does.",
        _SINCE,
    ),
    Parameter("reliability.method", Kind.TEXT, "sofia2", "Name of the reliability filter.", _SINCE),
    Parameter(
        "dilation.method",
        Kind.TEXT,
        "sofia2",
        "Name of the method that grows the masks: that of sofia2 or of sofia1.",
        _SINCE,
    ),
    Parameter(
        "input.dataset", Kind.TEXT, "", "Path of the data set inside an HDF5 file; empty means the only one.", _SINCE
    ),
    Parameter(
        "output.writeCatSDC2",
        Kind.BOOL,
        "false",
        "Write the catalogue in the columns of the SKA Science Data Challenge 2; needs an appraisal.",
        _SINCE,
    ),
    Parameter(
        "output.writeCatFITS", Kind.BOOL, "false", "Write the catalogue as a FITS table (NAME_cat.fits).", _SINCE
    ),
    Parameter(
        "output.writeCatHDF5", Kind.BOOL, "false", "Write the catalogue as a table in HDF5 (NAME_cat.h5).", _SINCE
    ),
    Parameter(
        "output.writeSources",
        Kind.BOOL,
        "false",
        "Write all sources with their voxels (NAME_sources.h5), from which hisf merge makes one catalogue of jobs.",
        _SINCE,
    ),
    Parameter(
        "output.writeRegions",
        Kind.BOOL,
        "false",
        "Write an ellipse and the number of every source as a region file of DS9 (NAME_cat.reg).",
        _SINCE,
    ),
    Parameter(
        "output.writeReport",
        Kind.BOOL,
        "false",
        "Write a report of the run for a browser (NAME_report.html), and what it is made of: VOTable and mask.",
        _SINCE,
    ),
)
