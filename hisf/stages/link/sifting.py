"""Second thoughts about linked objects, where SoFiA has none: noise peaks and fragments (spec clients §4, defect 6)."""

from __future__ import annotations

import logging

import numpy as np

from hisf.data.source import Flag, Source, SourceList

log = logging.getLogger(__name__)


def drop_noise_peaks(sources: SourceList, smallest: float) -> SourceList:
    """Return the objects that stand out as a whole, numbered anew.

    Parameters
    ----------
    sources : SourceList
        As linked.
    smallest : float
        Limit on the absolute sum over the root of the number of voxels, in units of the noise; not included.
    """
    kept = [source for source in sources if abs(source.f_sum) > smallest * np.sqrt(source.n_pix)]
    if len(kept) < len(sources):
        log.warning(
            "%d of %d linked objects have too low a signal-to-noise ratio as a whole (reliability.minSNR) and are "
            "dropped.",
            len(sources) - len(kept),
            len(sources),
        )
    return SourceList.renumbered(sources.shape, kept)


def mark_fragments(sources: SourceList) -> SourceList:
    """Flag every source whose bounding box overlaps that of a brighter one: the two may be one galaxy."""
    marked = [
        source.flagged(Flag.NEIGHBOUR) if _is_beside_a_brighter_one(source, sources) else source for source in sources
    ]
    found = sum(one is not other for one, other in zip(marked, sources, strict=True))
    if found:
        log.warning("%d of %d sources overlap brighter ones, of which they may be parts: flag 8.", found, len(sources))
    return SourceList(sources.shape, marked)


def _is_beside_a_brighter_one(source: Source, sources: SourceList) -> bool:
    return any(abs(other.f_sum) > abs(source.f_sum) for other in sources.in_box(source.box))
