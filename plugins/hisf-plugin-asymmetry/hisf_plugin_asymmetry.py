"""Columns for hisf: how lopsided a line is, and the busy function that fits it best."""

import numpy as np

from hisf.api import Column, Kind, Measurement, Parameter, hookimpl

RATIO = "phot.flux;arith.ratio"
BAD = dict.fromkeys(("bf_flux", "bf_z", "bf_w50", "bf_w20", "bf_chi2"), np.nan)


def edges(spectrum, share):
    """Return where a line rises above, and falls below, a share of its peak, between the channels; NaN where not."""
    level = share * spectrum.max(initial=0.0)
    above = np.flatnonzero(spectrum > level)
    if level <= 0 or not len(above):
        return np.nan, np.nan
    padded = np.concatenate([[0.0], spectrum, [0.0]])
    i, j = above[0] + 1, above[-1] + 1  # in the padded spectrum
    low = i - (padded[i] - level) / (padded[i] - padded[i - 1])
    high = j + (padded[j] - level) / (padded[j] - padded[j + 1])
    return low - 1, high - 1


def integral(spectrum, low, high):
    """Return the flux between two places, counting channels at the ends by their share."""
    middle = np.arange(len(spectrum))
    share = np.clip(np.minimum(middle + 0.5, high) - np.maximum(middle - 0.5, low), 0.0, 1.0)
    return float(share @ spectrum), float(share.sum())


class FluxAsymmetry(Measurement):
    """The flux on the brighter side of the middle of a line over that on the other (Espada et al. 2011, A&A 532, A117).

    The middle is half way between the edges at 20 per cent of the peak. 1 is symmetric.
    """

    name = "flux asymmetry"
    columns = (
        Column("a_flux", "float", "", RATIO, "Flux of the brighter side of the line over that of the fainter"),
        Column("err_a_flux", "float", "", f"stat.error;{RATIO}", "Uncertainty of a_flux"),
    )

    def measure(self, cutout, values):
        """Measure one source; NaN where a side has no positive flux."""
        spectrum = np.where(cutout.member, cutout.data, 0.0).sum((1, 2))
        low, high = edges(spectrum, 0.2)
        middle = (low + high) / 2
        (left, n_left), (right, n_right) = integral(spectrum, low, middle), integral(spectrum, middle, high)
        if not (left > 0 and right > 0):
            return {"a_flux": np.nan, "err_a_flux": np.nan}
        ratio = max(left, right) / min(left, right)
        area = self.cube.scales.beam_area  # voxels of one beam are not independent
        noise = values["rms"] * np.sqrt(max(1.0, area) * cutout.member.sum() / len(spectrum))  # of one channel
        relative = np.hypot(np.sqrt(n_left) / left, np.sqrt(n_right) / right)
        return {"a_flux": ratio, "err_a_flux": float(ratio * noise * relative)}


def busy(z, a, b1, b2, centre, width, trough, c):
    """Return the busy function with an exponent of 2 (Westmeier et al. 2014, MNRAS 438, 1176, eq. 3)."""
    from scipy.special import erf

    x = z - centre
    rise, fall = erf(b1 * (width + x)) + 1, erf(b2 * (width - x)) + 1
    return a / 4 * rise * fall * (c * (z - trough) ** 2 + 1)


class BusyFunction(Measurement):
    """The busy function that fits the spectrum of a source best, and what it says of flux, place and width."""

    name = "busy function"
    parameters = (
        Parameter("busy.minChannels", Kind.INT, "8", "Channels that a fit needs.", "asymmetry 0.1", minimum=8),
    )
    columns = (
        Column("bf_flux", "float", "FLUX", "phot.flux", "Integral of the busy function"),
        Column("bf_z", "float", "pix", "pos.cartesian.z", "Middle of the busy function at half its peak"),
        Column("bf_w50", "float", "WIDTH", "spect.line.width", "Width of the busy function at 50 % of its peak"),
        Column("bf_w20", "float", "WIDTH", "spect.line.width", "Width of the busy function at 20 % of its peak"),
        Column("bf_chi2", "float", "", "stat.fit.chi2", "Reduced chi squared of the fit"),
    )

    def measure(self, cutout, values):
        """Fit one source; NaN where there are too few channels or the fit does not converge."""
        from scipy.optimize import OptimizeWarning, curve_fit

        spectrum = np.where(cutout.member.any(0), cutout.data, 0.0).sum((1, 2))
        z = np.arange(len(spectrum), dtype=float)
        low, high = edges(spectrum, 0.5)
        if len(z) < self.settings["busy.minChannels"] or not high > low:
            return BAD
        noise = values["rms"] * np.sqrt(max(1.0, self.cube.scales.beam_area) * cutout.member.any(0).sum())
        middle, half = (low + high) / 2, (high - low) / 2
        first = [spectrum.max(), 1 / half, 1 / half, middle, half, middle, 0.0]
        limits = [0, 0, 0, 0, 0, -len(z), 0], [np.inf, 10, 10, len(z), len(z), 2 * len(z), np.inf]
        try:
            best, _ = curve_fit(busy, z, spectrum, first, bounds=limits, max_nfev=5000)
        except (RuntimeError, ValueError, OptimizeWarning):
            return BAD
        rest = (spectrum - busy(z, *best)) / noise
        fine = np.linspace(-len(z), 2 * len(z), 3000)
        curve, step = busy(fine, *best), fine[1] - fine[0]
        (low, high), (low20, high20) = edges(curve, 0.5), edges(curve, 0.2)
        return {
            "bf_flux": float(curve.sum() * step),
            "bf_z": float(fine[0] + (low + high) / 2 * step + cutout.box.z0),
            "bf_w50": float((high - low) * step),
            "bf_w20": float((high20 - low20) * step),
            "bf_chi2": float((rest**2).sum() / (len(z) - len(best))),
        }


@hookimpl
def hisf_register_measurements():
    """Offer the columns to hisf."""
    return [FluxAsymmetry, BusyFunction]
