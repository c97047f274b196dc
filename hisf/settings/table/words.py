"""Choices that several sections share."""

from typing import Any

STATISTIC: dict[str, Any] = {"choices": ("mad", "gauss", "std"), "fallback": "std"}
FLUX_RANGE: dict[str, Any] = {"choices": ("negative", "positive", "full"), "fallback": "full"}

STATISTIC_HELP = "median absolute deviation (mad), a Gaussian fitted to the histogram (gauss) or standard deviation"
FLUX_RANGE_HELP = "which values the noise is measured from: only negative, only positive, or the full range"
