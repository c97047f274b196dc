"""Parameters of the networks: the finder cnn and the appraisal network."""

from hisf.settings.parameter import Kind, Parameter

_SINCE = "hisf 0.1"

PARAMETERS = (
    Parameter(
        "cnn.architecture",
        Kind.CHOICE,
        "slim",
        "Network that finds: slim is hisf's own and has weights; resnet18 and resnet34 are those of FORSKA and have to "
        "be trained.",
        _SINCE,
        choices=("slim", "resnet18", "resnet34"),
        fallback="slim",
    ),
    Parameter(
        "cnn.weights",
        Kind.TEXT,
        "",
        "Weights file that `hisf train` made; empty means the one that is part of hisf.",
        _SINCE,
    ),
    Parameter(
        "cnn.threshold",
        Kind.FLOAT,
        "0.3",
        "Voxels of a higher score of the network are detected.",
        _SINCE,
        minimum=0,
        maximum=1,
    ),
    Parameter(
        "cnn.confidence",
        Kind.FLOAT,
        "0.7",
        "Sources that are less likely to be galaxies are dropped; 0 keeps all, and the default lets fewer than one in "
        "ten be false in SDC2.",
        _SINCE,
        minimum=0,
        maximum=1,
    ),
    Parameter(
        "cnn.device",
        Kind.CHOICE,
        "auto",
        "Where the networks run; auto takes a graphics card where there is one.",
        _SINCE,
        choices=("auto", "cpu", "cuda", "mps"),
        fallback="auto",
    ),
    Parameter(
        "cnn.precision",
        Kind.CHOICE,
        "auto",
        "Arithmetic of the networks; auto is bfloat16 where the machine computes in it, float32 elsewhere.",
        _SINCE,
        choices=("auto", "float32", "bfloat16"),
        fallback="auto",
    ),
)
