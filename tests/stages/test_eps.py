"""Panels as Encapsulated PostScript: where things come to lie on the page."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hisf.stages.products.eps import BOTTOM, HEIGHT, LEFT, RIGHT, TICKS, TOP, WIDTH, Curve, Panel, ticks, write_panels


def drawn(tmp_path, *panels, columns=1):
    write_panels([*panels], columns, tmp_path / "a.eps")
    return (tmp_path / "a.eps").read_text("ascii")


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ((0, 1), [0, 0.2, 0.4, 0.6, 0.8, 1]),
        ((-0.83, 0.35), [-0.8, -0.6, -0.4, -0.2, 0, 0.2]),
        ((3, 57), [10, 20, 30, 40, 50]),
        ((-4, 4), [-4, -2, 0, 2, 4]),
    ],
)
def test_ticks_are_round_values(limits, expected):
    assert ticks(*limits) == pytest.approx(expected, abs=1e-12)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_lie_within_the_limits(least, width):
    found = ticks(least, least + width)
    assert 2 <= len(found) <= TICKS + 1
    assert all(least - 1e-6 * width <= tick <= least + width * (1 + 1e-6) for tick in found)


def test_axes_hold_every_point_with_a_margin():
    panel = Panel("x", "y", [Curve(np.array([1.0, 3.0, np.nan]), np.array([0.0, np.inf, 5.0]))])
    panel.fit()
    assert panel.xlim == pytest.approx((0.9, 3.1)) and panel.ylim == pytest.approx((-0.25, 5.25))


@pytest.mark.parametrize("values", [[], [math.nan], [2.0], [0.0, 0.0]])
def test_axes_without_extent(values):
    panel = Panel("x", "y", [Curve(np.array(values), np.array(values))])
    panel.fit()
    assert panel.xlim[0] < panel.xlim[1] and all(map(math.isfinite, panel.xlim))


def test_points_lie_where_the_axes_say(tmp_path):
    text = drawn(
        tmp_path, Panel("x", "y", [Curve(np.array([0.0, 0.5, np.nan]), np.array([1.0, 0.25, 0.5]), mark="dot")])
    )
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - BOTTOM - TOP
    places = [(float(x), float(y)) for x, y in re.findall(r"^(\S+) (\S+) dot$", text, re.MULTILINE)]
    assert places == [(0.0, pytest.approx(height, abs=0.01)), pytest.approx((width / 2, height / 4), abs=0.01)]


def test_panels_fill_rows_from_the_top(tmp_path):
    text = drawn(tmp_path, *(Panel("x", "y") for _ in range(3)), columns=2)
    corners = [(float(x), float(y)) for x, y in re.findall(r"^gsave (\S+) (\S+) translate$", text, re.MULTILINE)]
    assert corners == [(LEFT, BOTTOM + HEIGHT), (LEFT + WIDTH, BOTTOM + HEIGHT), (LEFT, BOTTOM)]
    assert f"%%BoundingBox: 0 0 {2 * WIDTH:g} {2 * HEIGHT:g}" in text
    assert text.count("gsave") == text.count("grestore")


def test_text_cannot_end_itself(tmp_path):
    assert "(log\\(a\\\\b\\)) centred" in drawn(tmp_path, Panel("log(a\\b)", "y"))


def test_dashes_and_colour(tmp_path):
    line = Curve(np.array([0.0, 1.0]), np.array([0.0, 1.0]), (1.0, 0.5, 0.0), dash=(4.0, 2.0), label="limit")
    text = drawn(tmp_path, Panel("x", "y", [line]))
    assert text.count("1 0.5 0 c [4 2] 0 setdash") == 2 and "(limit) show" in text
