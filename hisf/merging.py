"""One catalogue from jobs that searched parts of a cube, each source once (`hisf merge`).

A source that lies well inside one of the parts is taken from there. Where several parts have it, the one that holds it
deepest counts. What no part has as a whole is linked anew from the voxels of all, grown and judged as in a run. Then
everything is measured on the whole cube.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hisf.data.box import Box, Shape
from hisf.data.catalogue import Catalogue
from hisf.data.columns import ESTIMATED, FINDERS
from hisf.data.cube import Cube
from hisf.data.mask_store import MaskStore
from hisf.data.source import Flag, Source, SourceList
from hisf.data.source_store import Part, moved
from hisf.errors import InputError, NothingFoundError
from hisf.execution.fingerprint import INCIDENTAL
from hisf.execution.lock import locked
from hisf.execution.progress import Progress
from hisf.execution.workspace import Workspace
from hisf.pipeline import Job, Report, measure_cube, prepare
from hisf.plugins import PluginManager
from hisf.settings import Settings, load_settings
from hisf.stages.measure.catalogue import make_catalogue
from hisf.stages.precondition.chain import precondition, reload
from hisf.stages.products.contract import Moment, Result
from hisf.stages.products.writing import write_products

log = logging.getLogger(__name__)

OWN = ("input.region", "output.directory", "output.filename", "output.writeSources", *INCIDENTAL)  # of each job


@dataclass(frozen=True, eq=False)
class Member:
    """A source of a part, in the coordinates of the whole cube.

    Attributes
    ----------
    source : Source
    part : int
    depth : int
        How far it is from the nearest face along which its part was cut out of the cube; negative where it is so near
        that it may go on beyond.
    """

    source: Source
    part: int
    depth: int


def settings_of(parts: Sequence[Part], arguments: Sequence[str], manager: PluginManager) -> Settings:
    """Return the settings of a merged run: those of the jobs, without their regions, and then ``arguments``.

    Parameters
    ----------
    parts : sequence of Part
    arguments : sequence of str
        ``KEY=VALUE``, or parameter files.
    manager : PluginManager

    Raises
    ------
    InputError
        The jobs searched different cubes or searched them differently.
    """
    first = parts[0]
    for part in parts[1:]:
        for name in {**first.settings, **part.settings}:
            one, other = first.settings.get(name, "not set"), part.settings.get(name, "not set")
            if one != other and name not in OWN and not name.startswith("output."):
                raise InputError(
                    f"{first.name} and {part.name} cannot be merged: {name} is {one} in one and {other} in the other."
                )
    common = [f"{name}={text}" for name, text in first.settings.items() if name not in OWN[:4]]
    place = first.settings.get("output.directory", "")
    return load_settings([*common, f"output.directory={place}", *arguments], manager.parameters())


def merge(parts: Sequence[Part], settings: Settings, manager: PluginManager, report: Report | None = None) -> Catalogue:
    """Merge the sources of jobs and write the products of the whole cube.

    Parameters
    ----------
    parts : sequence of Part
    settings : Settings
        From `settings_of`.
    manager : PluginManager
    report : Report, optional
        Filled in.

    Raises
    ------
    InputError
        A part is not of this cube.
    NothingFoundError
        No part has a source.
    """
    report = report if report is not None else Report()
    progress = Progress(manager)
    report.timings = progress.timings
    job = prepare(settings, manager, report)
    _check(parts, job.cube)
    with np.errstate(over="ignore", invalid="ignore"):  # as in a run
        return _merge(parts, job, report, progress)


def _merge(parts: Sequence[Part], job: Job, report: Report, progress: Progress) -> Catalogue:
    """Merge what has been checked."""
    settings, workspace = job.settings, Workspace(0, job.memory.slab)
    searched = precondition(job.cube, job.steps, workspace, progress)
    measured = reload(job.cube, searched, job.steps)
    result = Result(settings, job.cube, searched, measured, tuple(job.steps))

    report.rms = measure_cube(searched, workspace, progress, job.cube).rms
    members = _members(parts, job, report.rms)
    whole, cut = choose(members)
    report.linked = len(members)
    if cut:
        with progress.stage("link", int(np.prod(job.cube.shape))) as advance:
            linked = _link(cut, job, result, report.rms, workspace, advance)
        whole += _judged(linked, job, result, workspace, progress)
        log.info("%d sources are cut by the edges of every part; they were linked anew.", len(cut))
    if not whole:
        raise NothingFoundError("No source found: none of the parts has one.")
    sources = SourceList.renumbered(job.cube.shape, sorted(whole, key=lambda s: -int(s.core[-1])))
    report.kept = len(sources)

    several = any(len(source.finders) > 1 for source in sources) or len({s.finders for s in sources}) > 1
    own = [FINDERS] * several + [*ESTIMATED] * bool(job.appraisal)
    with progress.stage("measure", len(sources), "source") as advance:
        catalogue = make_catalogue(sources, measured, job.cube, settings, job.measurements, advance, own)
    with locked(job.base), progress.stage("write", len(job.products), "product"):
        result = replace(result, sources=sources, catalogue=catalogue)
        report.products += write_products(job.products, Moment.DONE, result, job.base)
    return catalogue


def choose(members: Sequence[Member]) -> tuple[list[Source], list[Source]]:
    """Return the sources that are taken as they are, and those of which no part has the whole.

    Members that share voxels are one group; the part that holds all its members deepest is taken.
    """
    whole: list[Source] = []
    cut: list[Source] = []
    for group in _groups(members):
        depth: dict[int, int] = {}
        for member in group:
            depth[member.part] = min(depth.get(member.part, member.depth), member.depth)
        best = max(depth, key=lambda part: (depth[part], -part))
        if depth[best] >= 0:
            whole += [member.source for member in group if member.part == best]
        else:
            cut += [member.source for member in group]
    return whole, cut


def _groups(members: Sequence[Member]) -> list[list[Member]]:
    """Return the members that share voxels, directly or through others, group by group."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    sizes = [len(member.source.voxels) for member in members]
    voxels = np.concatenate([np.empty(0, np.int64), *(member.source.voxels for member in members)])
    owner = np.repeat(np.arange(len(members)), sizes)
    order = np.argsort(voxels, kind="stable")
    same = voxels[order][1:] == voxels[order][:-1]
    pairs = owner[order][:-1][same], owner[order][1:][same]
    graph = coo_array((np.ones(len(pairs[0]), bool), pairs), shape=(len(members),) * 2)
    count, label = connected_components(graph, directed=False)
    groups: list[list[Member]] = [[] for _ in range(count)]
    for member, group in zip(members, label, strict=True):
        groups[group].append(member)
    return groups


def _check(parts: Sequence[Part], cube: Cube) -> None:
    for part in parts:
        region = part.region.inside(cube.region)
        if part.sources.shape != region.shape or region.grow((0, 0, 0), cube.shape) != region:
            raise InputError(f"{part.name} is not a part of {cube.name}, or the cube has changed; run its job again.")


def _members(parts: Sequence[Part], job: Job, rms: float) -> list[Member]:
    whole, place = job.cube.shape, job.cube.region
    s = job.settings
    reach = (s["linker.radiusZ"], s["linker.radiusXY"], s["linker.radiusXY"])
    found = []
    for number, part in enumerate(parts):
        region = part.region.inside(place)
        for source in part.sources:
            box = source.box.shift(region.z0, region.y0, region.x0)
            flag = source.flag & ~(Flag.SPATIAL_EDGE | Flag.SPECTRAL_EDGE) | _edges(box, whole)
            source = _in_units(source, np.float64(part.rms) / rms)
            source = replace(source, voxels=moved(source.voxels, region, whole), box=box, flag=int(flag))
            if source.undilated is not None:
                source = replace(source, undilated=moved(source.undilated, region, whole))
            found.append(Member(source, number, _depth(box, region, whole, reach)))
    return found


def _in_units(source: Source, k: float) -> Source:
    """Return a source whose values were in units of the noise of its part in those of the whole cube's."""
    return replace(
        source,
        f_sum=k * source.f_sum, f_min=k * source.f_min, f_max=k * source.f_max,
        mean=k * source.mean, m2=k**2 * source.m2, m3=k**3 * source.m3, m4=k**4 * source.m4,
    )  # fmt: skip


def _edges(box: Box, shape: Shape) -> int:
    """Return the flag of the edges of the whole cube."""
    spatial = box.x0 == 0 or box.y0 == 0 or box.x1 == shape[2] or box.y1 == shape[1]
    spectral = box.z0 == 0 or box.z1 == shape[0]
    return int(Flag.SPATIAL_EDGE * spatial | Flag.SPECTRAL_EDGE * spectral)


def _depth(box: Box, region: Box, shape: Shape, reach: Shape) -> int:
    """Return the distance to the nearest inner face of a part, less the reach of the linker."""
    depths = [max(shape)]
    for axis, size, far in zip("zyx", shape, reach, strict=True):
        low, high = getattr(region, f"{axis}0"), getattr(region, f"{axis}1")
        if low > 0:
            depths.append(getattr(box, f"{axis}0") - low - max(1, far))
        if high < size:
            depths.append(high - getattr(box, f"{axis}1") - max(1, far))
    return min(depths)


def _link(cut: list[Source], job: Job, result: Result, rms: float, workspace: Workspace, advance):  # type: ignore[no-untyped-def]
    """Return the sources that the voxels of cut ones make together."""
    assert result.searched is not None
    store = MaskStore(job.cube.shape)
    for source in cut:
        for finder in source.finders or ("",):
            store.add(source.core, finder)
    linked = job.linker.link(store, result.searched, rms, True, workspace, advance)
    found = []
    for source in linked:
        mine = [one for one in cut if np.isin(one.core, source.voxels, assume_unique=True).any()]
        best = max(mine, key=lambda one: one.linked)
        rel = max(one.rel for one in mine)
        finders = tuple(name for name in store.finders_of(source.voxels) if name)
        found.append(replace(source, rel=rel, estimates=best.estimates, finders=finders))
    return SourceList.renumbered(job.cube.shape, found)


def _judged(sources: SourceList, job: Job, result: Result, workspace: Workspace, progress: Progress) -> list[Source]:
    """Grow and appraise sources that were linked anew."""
    assert result.searched is not None and result.measured is not None
    if job.dilation and len(sources):
        with progress.stage("dilate", len(sources), "source") as advance:
            sources = job.dilation.dilate(sources, result.searched, advance)
    if job.appraisal and len(sources):
        with progress.stage("appraise", len(sources), "source") as advance:
            sources = job.appraisal.appraise(sources, result.searched, result.measured, workspace, advance)
    return list(sources)
