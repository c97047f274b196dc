"""Tables of all detections, positive and negative, as the reliability saw them (spec sofia2 §4.8)."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from hisf.data.catalogue import Catalogue
from hisf.data.columns import Column
from hisf.settings import Settings
from hisf.stages.products.contract import Product, Result
from hisf.stages.products.votable import as_votable

COLUMNS = (
    Column("name", "text", "", "meta.id", "sign and label"),
    Column("id", "int", "", "meta.id", "label of the linker"),
    *(Column(a, "float", "pix", f"pos.cartesian.{a}", f"{a} of the centre of the bounding box") for a in "xyz"),
    *(Column(f"n{a}", "float", "pix", "", f"size of the bounding box along {a}") for a in "xyz"),
    Column("rel", "float", "", "stat.probability", "reliability; 0 where it was not determined"),
    *(
        Column(f"log_f_{word}", "float", "", f"phot.flux;stat.{word}", f"logarithm of the {word} in units of the noise")
        for word in ("peak", "sum", "mean")
    ),
    Column("fill", "float", "", "stat.filling", "fraction of the bounding box that is filled"),
    Column("std", "float", "", "stat.stdev", "standard deviation in units of the noise"),
    Column("skew", "float", "", "stat.param", "skewness"),
    Column("kurt", "float", "", "stat.param", "excess kurtosis"),
)


class _Table(Product):
    """VOTable with a row for every linked source of one sign, reliable or not."""

    sign: ClassVar[str]

    @classmethod
    def wanted(cls, settings: Settings) -> bool:
        """Return whether the reliability is determined and ``reliability.debug`` is set."""
        return settings["reliability.enable"] and settings["reliability.debug"]

    def applies(self, result: Result) -> bool:
        """Return whether the estimator says what it judged by."""
        return result.evidence is not None

    def write(self, result: Result, path: Path) -> None:
        """Write the table."""
        assert result.evidence is not None
        found = result.evidence.positive if self.sign == "pos" else result.evidence.negative
        values = {column.name: found[column.name.removeprefix("log_f_")] for column in COLUMNS[2:]}
        values |= {"id": found["label"], "name": np.array([f"{self.sign}_{label}" for label in found["label"]], object)}
        values["fill"] = 10 ** found["fill"]
        table = Catalogue(COLUMNS, values)
        path.write_text("\n".join(as_votable(table, result.cube, result.settings)) + "\n", encoding="utf-8")


class NegativeTable(_Table):
    """VOTable of the negative detections."""

    name = "table of negative detections"
    suffix = "_rel_cat_neg.xml"
    sign = "neg"


class PositiveTable(_Table):
    """VOTable of the positive detections."""

    name = "table of positive detections"
    suffix = "_rel_cat_pos.xml"
    sign = "pos"
