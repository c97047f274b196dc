"""Beam, data unit and channel width."""

import math

import pytest

from hisf.data.units import read_scales
from hisf.testing import make_header


def scales(**cards):
    return read_scales(make_header((3, 4, 5), cards=cards))


def test_beam_area():
    """π·BMAJ·BMIN/(4 ln 2·CDELT2²) (spec sofia2 §3.11); 4.0 by 3.2 pixels."""
    found = scales()
    assert found.beam_known
    assert found.beam_area == pytest.approx(math.pi * 4.0 * 3.2 / (4 * math.log(2)), rel=1e-13)
    assert found.channel == 18000.0


def test_reliability_takes_the_pixel_size_from_the_first_axis():
    """Spec sofia2 §3.9 has CDELT1 where §3.11 has CDELT2."""
    found = scales(CDELT1=-20.0 / 3600)
    assert found.reliability_area == pytest.approx(found.beam_area / 4, rel=1e-13)


@pytest.mark.parametrize("cards", [{"BMAJ": None}, {"BMIN": None}, {"BMAJ": 0.0}, {"BMIN": "unknown"}])
def test_unknown_beam_has_area_1_and_a_note(cards):
    found = scales(**cards)
    assert (found.beam_area, found.reliability_area, found.beam_known) == (1.0, 1.0, False)
    assert any("BMAJ" in note for note in found.notes)


def test_beam_without_pixel_size():
    found = scales(CDELT2=None)
    assert (found.beam_area, found.beam_known) == (1.0, False)
    assert found.reliability_area > 1


@pytest.mark.parametrize("cards", [{"BMAJ": -1.0}, {"BMAJ": -1.0, "BMIN": -1.0}])
def test_negative_beam_is_noted(cards):
    assert any("not a beam" in note for note in scales(**cards).notes)


def test_negative_channel_width_counts_without_its_sign():
    assert scales(CDELT3=-4000.0).channel == 4000.0


def test_missing_channel_width_is_1_and_noted():
    found = scales(CDELT3=None)
    assert found.channel == 1.0
    assert any("CDELT3" in note for note in found.notes)


# spec sofia2 §3.11
@pytest.mark.parametrize(
    "spelling",
    ["Jy/beam", "JY/BEAM", "Jy/Beam", " jy/beam ", "Jy*beam-1", "beam-1*Jy", "Jy beam-1", "beam-1 Jy", "JY  BEAM-1"],
)
def test_spellings_of_jy_per_beam(spelling):
    found = scales(BUNIT=spelling)
    assert found.unit == "Jy/beam"
    assert found.per_beam


@pytest.mark.parametrize(
    ("spelling", "unit"), [("K", "K"), ("mJy/beam", "mJy/beam"), ("Jy/pixel", "Jy/pixel"), ("", "???"), ("  ", "???")]
)
def test_other_units(spelling, unit):
    found = scales(BUNIT=spelling)
    assert found.unit == unit
    assert not found.per_beam


def test_missing_unit():
    assert scales(BUNIT=None).unit == "???"
