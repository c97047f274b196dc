"""Mock cubes: galaxies, noise, truth. Beside the pipeline; uses `hisf.data` only.

`render` makes one galaxy on the grid of any cube (`from_header`), for cubes and for injection alike.
"""

from hisf.simulate.cloud import Model
from hisf.simulate.disc import DiscModel
from hisf.simulate.galaxy import Galaxy, Shape3D, draw_shape
from hisf.simulate.geometry import Beam, Geometry, from_header, from_options
from hisf.simulate.noise import Layer, Noise, read_pairs, rfi_ratio, sdc2_level
from hisf.simulate.population import from_catalogue, from_mass_function, from_sdc2
from hisf.simulate.render import clip, render
from hisf.simulate.systematics import ContinuumResiduals, Ripple
from hisf.simulate.templates import TemplateModel
from hisf.simulate.truth import Measured, measure, truth_table, write_text, write_votable
from hisf.simulate.writing import write_cube

__all__ = [
    "Beam",
    "ContinuumResiduals",
    "DiscModel",
    "Galaxy",
    "Geometry",
    "Layer",
    "Measured",
    "Model",
    "Noise",
    "Ripple",
    "Shape3D",
    "TemplateModel",
    "clip",
    "draw_shape",
    "from_catalogue",
    "from_header",
    "from_mass_function",
    "from_options",
    "from_sdc2",
    "measure",
    "read_pairs",
    "render",
    "rfi_ratio",
    "sdc2_level",
    "truth_table",
    "write_cube",
    "write_text",
    "write_votable",
]
