"""Sources and the label cube they make."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hisf.data.box import Box
from hisf.data.source import Flag, Source, SourceList

SHAPE = (4, 5, 6)


def source(label, voxels, shape=SHAPE, **values):
    z, y, x = np.unravel_index(voxels, shape)
    box = Box(*(int(v) for a in (z, y, x) for v in (a.min(), a.max() + 1)))
    given = {"f_sum": 1.0, "f_min": 0.0, "f_max": 1.0, "mean": 0.0, "m2": 0.0, "m3": 0.0, "m4": 0.0} | values
    n = len(voxels)
    return Source(label, np.asarray(voxels), box, n_pix=n, linked=n, linker_label=label, fill=n / box.size, **given)


def from_labels(labels):
    present = [n for n in range(1, labels.max() + 1) if (labels == n).any()]
    return SourceList(labels.shape, [source(n, np.flatnonzero(labels == n)) for n in present])


@st.composite
def boxes(draw):
    bounds = []
    for size in SHAPE:
        low = draw(st.integers(0, size - 1))
        bounds += [low, draw(st.integers(low + 1, size))]
    return Box(*bounds)


LABELS = hnp.arrays(np.int32, SHAPE, elements=st.sampled_from([0, 0, 0, 1, 2, 3]))


@given(LABELS, boxes())
def test_painted_box_is_the_part_of_the_label_cube(labels, box):
    painted = from_labels(labels).paint(box)
    assert painted.dtype == np.int32
    assert np.array_equal(painted, labels[box.slices])


@given(LABELS, boxes())
def test_members_of_a_box(labels, box):
    for one in from_labels(labels):
        assert np.array_equal(one.member(box, SHAPE), labels[box.slices] == one.label)
        z, y, x = one.coordinates(SHAPE)
        assert (labels[z, y, x] == one.label).all()
        assert len(z) == one.n_pix


@given(LABELS, boxes())
def test_sources_of_a_box_are_those_whose_boxes_overlap(labels, box):
    sources = from_labels(labels)
    assert sources.in_box(box) == [s for s in sources if s.box.overlaps(box)]


def test_replaced_source_is_painted_in_its_new_place():
    labels = np.zeros(SHAPE, np.int32)
    labels[0, 0, 0], labels[3, 4, 5] = 1, 2
    sources = from_labels(labels)
    copy = SourceList(SHAPE, sources)
    copy.replace(0, source(1, np.array([0, 1, 7])))
    labels[0, 0, 1] = labels[0, 1, 1] = 1
    assert np.array_equal(copy.paint(Box.whole(SHAPE)), labels)
    assert sources.paint(Box.whole(SHAPE)).sum() == 3  # the list it was copied from has not changed
    assert [s.label for s in copy[0:2]] == [1, 2]
    assert len(copy) == 2


def test_moments_against_their_formulas():
    """Spec sofia2 §3.9: std = √(m₂/(n − 1)), skew = √n·m₃/m₂^1.5, kurt = n·m₄/m₂² − 3."""
    values = np.random.default_rng(5).gamma(2.0, size=30)
    deviation = values - values.mean()
    m2, m3, m4 = ((deviation**k).sum() for k in (2, 3, 4))
    found = source(1, np.arange(30), m2=m2, m3=m3, m4=m4)
    # written another way: with moments divided by n; a few roundings apart
    assert found.std == pytest.approx(values.std(ddof=1), rel=1e-12)
    assert found.skew == pytest.approx((m3 / 30) / (m2 / 30) ** 1.5, rel=1e-12)
    assert found.kurt == pytest.approx((m4 / 30) / (m2 / 30) ** 2 - 3, rel=1e-12)


def test_moments_of_equal_values_are_unknown():
    assert math.isnan(source(1, [3]).std)
    flat = source(1, [3, 4])
    assert flat.std == 0
    assert math.isnan(flat.skew)
    assert math.isnan(flat.kurt)


def test_flags_add_up_and_have_the_numbers_of_sofia():
    """Spec sofia2 §3.8: 1 spatial edge, 2 spectral edge, 4 blank, 8 neighbour."""
    assert [int(f) for f in (Flag.SPATIAL_EDGE, Flag.SPECTRAL_EDGE, Flag.BLANK, Flag.NEIGHBOUR)] == [1, 2, 4, 8]
    one = source(1, [3], flag=2)
    assert one.flagged(Flag.BLANK).flagged(Flag.SPECTRAL_EDGE).flag == 6
    assert one.flag == 2


def test_renumbering_and_estimates():
    sources = from_labels(np.array([1, 2, 3], np.int32).reshape(1, 1, 3))
    kept = SourceList.renumbered(sources.shape, [sources[2], sources[0]])
    assert [(s.label, s.linker_label, s.voxels[0]) for s in kept] == [(1, 3, 2), (2, 1, 0)]
    one = kept[0].estimated({"hi_pa": 3.0}).estimated({"hi_pa": 4.0, "hi_incl": 5.0})
    assert one.estimates == {"hi_pa": 4.0, "hi_incl": 5.0}
    assert kept[0].estimates == {}
    assert one.core is one.voxels
