"""Plugins that break their contract are named, with what is wrong, before anything runs."""

import pytest

from hisf.api import Column, Finder, Kind, Measurement, Parameter, Product, Step, hookimpl
from hisf.errors import PluginError
from hisf.plugins import STAGES, PluginManager


def plugin(hook, *classes):
    """A plugin object that registers classes by one hook."""
    return type("Plugin", (), {hook: hookimpl(staticmethod(lambda: list(classes)), specname=hook)})()


class Works(Finder):
    """A finder that could run."""

    name = "works"
    parameters = (Parameter("works.level", Kind.FLOAT, "1.0", "A level.", "test"),)

    def find(self, tile):
        """Find nothing."""
        return tile.data > 1e9


class NoPlace(Step):
    """A step without a position."""

    name = "no place"

    @classmethod
    def wanted(cls, settings):
        """Never."""
        return False

    def apply(self, data, box):
        """Do nothing."""
        return data


class Writes(Product):
    """A product where the text catalogue goes."""

    name = "writes"
    suffix = "_cat.txt"

    @classmethod
    def wanted(cls, settings):
        """Always."""
        return True

    def write(self, result, path):
        """Write nothing."""


class Measures(Measurement):
    """A measurement of a column that is there."""

    name = "measures"
    columns = (Column("f_sum", "float", "", "", "mine"),)

    def measure(self, cutout, values):
        """Measure."""
        return {"f_sum": 0.0}


BROKEN = {
    "not a class of the stage": ("hisf_register_finders", (int,), "finders", "not a subclass of Finder"),
    "abstract": ("hisf_register_finders", (Finder,), "finders", "lacks find"),
    "a name twice": ("hisf_register_finders", (Works, type("Other", (Works,), {})), "finders", "works"),
    "a name of hisf": ("hisf_register_finders", (type("Mine", (Works,), {"name": "scfind"}),), "finders", "scfind"),
    "a step without position": ("hisf_register_steps", (NoPlace,), "precondition", "position"),
    "parameters of no class": (
        "hisf_register_finders", (type("Odd", (Works,), {"parameters": "oops"}),), "finders", "Parameter",
    ),
    "a file of hisf": ("hisf_register_products", (Writes,), "products", "_cat.txt"),
    "a column of hisf": ("hisf_register_measurements", (Measures,), "measure", "f_sum"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_broken_plugin_is_named(name):
    hook, classes, stage, words = BROKEN[name]
    manager = PluginManager()
    manager.register(plugin(hook, *classes), "odd-one", "odd-distribution 3.1")
    with pytest.raises(PluginError, match=words) as error:
        manager.implementations(stage)
    assert "odd-one" in str(error.value) and "odd-distribution 3.1" in str(error.value)
    assert error.value.exit_code == 7


def test_a_plugin_that_raises_is_named():
    def fails():
        raise ZeroDivisionError("oops")

    manager = PluginManager()
    hook = "hisf_register_finders"
    manager.register(type("P", (), {hook: hookimpl(staticmethod(fails), specname=hook)})(), "odd-one")
    with pytest.raises(PluginError, match=r"odd-one.*oops"):
        manager.implementations("finders")


def test_a_parameter_of_hisf_cannot_be_declared_again():
    clash = type("Clash", (Works,), {"parameters": (Parameter("linker.radiusXY", Kind.INT, "1", "Mine.", "test"),)})
    manager = PluginManager()
    manager.register(plugin("hisf_register_finders", clash), "odd-one")
    with pytest.raises(PluginError, match=r"linker\.radiusXY"):
        manager.parameters()


def test_registered_implementations_follow_those_of_hisf():
    manager = PluginManager()
    before = {stage: [i.name for i in manager.implementations(stage)] for stage in STAGES}
    manager.register(plugin("hisf_register_finders", Works), "mine", "mine 1.0")
    assert [i.name for i in manager.implementations("finders")] == [*before["finders"], "works"]
    assert manager.choose("finders", "works", "x") is Works
    assert "works.level" in [p.name for p in manager.parameters()]
