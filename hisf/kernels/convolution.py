"""Convolutions of 3-D grids with short kernels, in float32: with fewer multiplications, or with strides.

Both are sums of products of matrices, channels in times channels out, which are kept in vector registers.

`convolve` is Winograd's minimal filtering along y and x. Four neighbouring results, 2 × 2 along y and x, are made of
the 4 × 4 elements that they see: these are added and subtracted to 16 numbers, which take one multiplication each
where 9 taps take 36, and 16 sums give the four results. The sums run over the taps along z. For kernels (k, 3, 3) that
is 2.25 times less work than the sum over taps, and as exact to a few roundings.

Source: Lavin & Gray 2016, "Fast algorithms for convolutional neural networks", F(2 × 2, 3 × 3), §4.1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from hisf.kernels.lanes import LANES
from hisf.kernels.threads import shared

WIDE = 2 * LANES  # channels out that are summed at once
_HIGH = 6  # results that are summed at once: with two vectors each, 12 registers of the 16 that AVX2 has
_TILES = 2 * _HIGH  # 4 × 4 elements that are taken together: what is made of them stays in the cache
_POINTS = 16  # numbers that a tile is made of
_FILTER = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])  # G of the paper

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_INT = ir.IntType(64)


def transform_weights(weights: NDArray[Any]) -> NDArray[np.float32]:
    """Prepare the weights of a convolution.

    Parameters
    ----------
    weights : ndarray, shape (channels out, channels in, k, 3, 3)

    Returns
    -------
    ndarray of float32, shape (16, k, channels in, channels out)
    """
    points = np.einsum("ia,ockab,jb->ijkco", _FILTER, np.asarray(weights, np.float64), _FILTER)
    return np.ascontiguousarray(points.reshape(_POINTS, *points.shape[2:]), dtype=np.float32)


def convolve(
    values: NDArray[np.float32], points: NDArray[np.float32], bias: NDArray[np.float32], out: NDArray[np.float32],
    added: bool,
) -> None:  # fmt: skip
    """Convolve, add a bias and, if wanted, what is in `out`, and set what is negative to 0.

    Parameters
    ----------
    values : ndarray, shape (z, y, x, channels in)
        0 beyond. C-contiguous, a multiple of 8 channels.
    points : ndarray, shape (16, k, channels in, channels out)
        Of `transform_weights`; k is odd.
    bias : ndarray, shape (channels out,)
    out : ndarray, shape (z, y, x, channels out)
        **Filled in.** C-contiguous, a multiple of 16 channels; not `values`.
    added : bool
        Whether the result is added to what is in `out`.

    Raises
    ------
    ValueError
        Shapes do not fit, or are none of those above.

    Notes
    -----
    A result has the same bits whatever lies beyond the 4 × 4 elements that it is made of, if its y and x are as even or
    odd.
    """
    *grid, channels = values.shape
    _, taps, inputs, outputs = points.shape
    if inputs != channels or out.shape != (*grid, outputs) or bias.shape != (outputs,):
        raise ValueError(f"values {values.shape}, weights {points.shape}, bias {bias.shape}, out {out.shape}")
    if inputs % LANES or outputs % WIDE or taps % 2 == 0:
        raise ValueError(f"weights {points.shape}: channels in have to be a multiple of {LANES}, out of {WIDE}, k odd")
    if not all(array.flags.c_contiguous and array.dtype == np.float32 for array in (values, points, bias, out)):
        raise ValueError("arrays have to be C-contiguous and float32")
    if out.size:
        tiles = -(-grid[1] // 2) * -(-grid[2] // 2)
        _convolve(-(-tiles // _TILES), values, points, bias, out, added)


def convolve_strided(
    values: NDArray[np.float32],
    weights: NDArray[np.float32],
    bias: NDArray[np.float32],
    strides: tuple[int, int, int],
    out: NDArray[np.float32],
) -> None:
    """Convolve, add a bias, and set what is negative to 0; nothing is added around the values.

    Parameters
    ----------
    values : ndarray, shape (z, y, x, channels in)
        C-contiguous.
    weights : ndarray, shape (channels out, channels in, k, j, i)
        A multiple of 16 channels out.
    bias : ndarray, shape (channels out,)
    strides : tuple of int
        Along z, y and x.
    out : ndarray, shape (1 + (z − k) // stride, …, channels out)
        **Filled in.** At least 6 elements along x; a row of them, with its channels, is contiguous.

    Raises
    ------
    ValueError
        Shapes do not fit, or are none of those above.
    """
    outputs, inputs, *kernel = weights.shape
    grid = tuple(1 + (n - k) // s for n, k, s in zip(values.shape, kernel, strides, strict=False))
    if values.shape[3] != inputs or out.shape != (*grid, outputs) or bias.shape != (outputs,):
        raise ValueError(f"values {values.shape}, weights {weights.shape}, bias {bias.shape}, out {out.shape}")
    if outputs % WIDE or grid[2] < _HIGH:
        raise ValueError(f"weights {weights.shape}, out {out.shape}: {WIDE} channels and {_HIGH} elements are needed")
    rows = out.strides[2:] == (4 * outputs, 4)
    if not (values.flags.c_contiguous and rows and values.dtype == out.dtype == bias.dtype == np.float32):
        raise ValueError("values and rows of out have to be contiguous, and all of it float32")
    taps = np.ascontiguousarray(weights.transpose(2, 3, 4, 1, 0), np.float32)
    taps = taps.reshape(kernel[0] * kernel[1], kernel[2] * inputs, outputs)
    _convolve_strided(grid[0] * grid[1], values, taps, bias, kernel[1], np.array(strides, np.int64), out)


def _at(builder: Any, address: Any) -> Any:
    return builder.inttoptr(address, _VECTOR.as_pointer())


def _int(number: int) -> Any:
    return ir.Constant(_INT, number)


def _item(context: Any, builder: Any, kind: Any, array: Any, index: Any) -> Any:
    """Return an element of an array of addresses."""
    return builder.load(builder.gep(context.make_array(kind)(context, builder, array).data, [index]))


@intrinsic
def _sum_products(typing_context, taps, at, pitch, weights, inputs, outputs, start, rectify, out):  # type: ignore[no-untyped-def]
    """Sum over taps and channels in, for 6 tiles and 16 channels out.

    The numbers of the first tile are at every address of `taps` + `at`, those of the next `pitch` bytes further; the
    weights (taps, inputs, outputs) from address `weights` on. Sums begin with the 16 numbers at `start`; with `rectify`
    negative ones become 0. They go to `out` (6 rows of `outputs`).
    """

    def code(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        bases, at, pitch, weights, inputs, outputs, start, rectify, out = arguments
        count = cgutils.unpack_tuple(builder, context.make_array(taps)(context, builder, bases).shape, 1)[0]
        multiply_add = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fma.v{LANES}f32"
        )
        nothing, anything = ir.Constant(_VECTOR, [0.0] * LANES), ir.Constant(_VECTOR, ir.Undefined)
        first = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        sums = [[cgutils.alloca_once_value(builder, nothing) for _ in range(2)] for _ in range(_HIGH)]
        begin = [builder.load(_at(builder, builder.add(start, _int(32 * h))), align=4) for h in range(2)]
        for pair in sums:
            for one, number in zip(pair, begin, strict=True):
                builder.store(number, one)
        row = cgutils.alloca_once_value(builder, weights)
        builder.store(weights, row)
        step = builder.mul(outputs, _int(4))
        with cgutils.for_range(builder, count, intp=_INT) as tap:
            base = builder.add(_item(context, builder, taps, bases, tap.index), at)
            tiles = [builder.add(base, builder.mul(pitch, _int(t))) for t in range(_HIGH)]
            with cgutils.for_range(builder, inputs, intp=_INT) as channel:
                place = builder.load(row)
                both = [builder.load(_at(builder, builder.add(place, _int(32 * h))), align=4) for h in range(2)]
                builder.store(builder.add(place, step), row)
                for tile, pair in zip(tiles, sums, strict=True):
                    address = builder.add(tile, builder.mul(channel.index, _int(4)))
                    value = builder.load(builder.inttoptr(address, ir.FloatType().as_pointer()), align=4)
                    one = builder.insert_element(anything, value, ir.Constant(ir.IntType(32), 0))
                    every = builder.shuffle_vector(one, anything, first)
                    for half, total in zip(both, pair, strict=True):
                        builder.store(builder.call(multiply_add, [every, half, builder.load(total)]), total)
        bit = builder.insert_element(
            ir.Constant(ir.VectorType(ir.IntType(1), LANES), ir.Undefined), rectify, ir.Constant(ir.IntType(32), 0)
        )
        every_bit = builder.shuffle_vector(bit, bit, first)
        for t, pair in enumerate(sums):
            for h, total in enumerate(pair):
                place = builder.add(builder.add(out, builder.mul(step, _int(t))), _int(32 * h))
                value = builder.load(total)
                stays = builder.or_(builder.not_(every_bit), builder.fcmp_unordered(">", value, nothing))  # so does NaN
                builder.store(builder.select(stays, value, nothing), _at(builder, place), align=4)
        return context.get_dummy_value()

    return types.void(taps, at, pitch, weights, inputs, outputs, start, rectify, out), code


@intrinsic
def _enter(typing_context, places, at, out, pitch):  # type: ignore[no-untyped-def]
    """Make the 16 numbers of a tile, for 8 channels: of what is at `places` + `at`, to `out` in steps of `pitch`."""

    def code(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        addresses, at, out, pitch = arguments

        def combined(a):  # type: ignore[no-untyped-def]
            sub, add = builder.fsub, builder.fadd
            return [sub(a[0], a[2]), add(a[1], a[2]), sub(a[2], a[1]), sub(a[1], a[3])]

        columns = []
        for j in range(4):
            places_j = [_item(context, builder, places, addresses, _int(4 * i + j)) for i in range(4)]
            columns.append(combined([builder.load(_at(builder, builder.add(p, at)), align=4) for p in places_j]))
        for i in range(4):
            for j, number in enumerate(combined([column[i] for column in columns])):
                place = builder.add(out, builder.mul(pitch, _int(4 * i + j)))
                builder.store(number, _at(builder, place), align=4)
        return context.get_dummy_value()

    return types.void(places, at, out, pitch), code


@intrinsic
def _leave(typing_context, numbers, pitch, places, at, bias, added):  # type: ignore[no-untyped-def]
    """Make the 4 results of a tile, for 8 channels: of 16 `numbers` to `places` + `at` (0: none)."""

    def code(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        numbers, pitch, addresses, at, bias, added = arguments
        nothing = ir.Constant(_VECTOR, [0.0] * LANES)

        def combined(a):  # type: ignore[no-untyped-def]
            sub, add = builder.fsub, builder.fadd
            return [add(add(a[0], a[1]), a[2]), sub(sub(a[1], a[2]), a[3])]

        columns = []
        for j in range(4):
            rows = [builder.add(numbers, builder.mul(pitch, _int(4 * i + j))) for i in range(4)]
            columns.append(combined([builder.load(_at(builder, row), align=4) for row in rows]))
        offset = builder.load(_at(builder, bias), align=4)
        for i in range(2):
            for j, result in enumerate(combined([column[i] for column in columns])):
                address = _item(context, builder, places, addresses, _int(2 * i + j))
                total = cgutils.alloca_once_value(builder, nothing)
                builder.store(builder.fadd(result, offset), total)
                with builder.if_then(builder.icmp_signed("!=", address, _int(0))):
                    place = _at(builder, builder.add(address, at))
                    with builder.if_then(added):
                        builder.store(builder.fadd(builder.load(total), builder.load(place, align=4)), total)
                    value = builder.load(total)
                    positive = builder.fcmp_unordered(">", value, nothing)  # NaN stays
                    builder.store(builder.select(positive, value, nothing), place, align=4)
        return context.get_dummy_value()

    return types.void(numbers, pitch, places, at, bias, added), code


@njit(cache=True, nogil=True)
def _address(array):  # type: ignore[no-untyped-def]
    return np.int64(array.ctypes.data)


@njit(cache=True, nogil=True)
def _enter_tiles(values, z, first, tiles, zeros, places):  # type: ignore[no-untyped-def]
    """Make the numbers of the tiles of channel `z` from the `first` on; they are counted along x, then y."""
    _, ny, nx, channels = values.shape
    step = np.int64(values.itemsize)
    base, nothing, out = _address(values), _address(zeros), _address(tiles)
    pitch = tiles.shape[1] * channels * step
    across = (nx + 1) // 2
    for t in range(tiles.shape[1]):
        y, x = (first + t) // across * 2, (first + t) % across * 2
        for i in range(4):
            for j in range(4):
                row, column = y - 1 + i, x - 1 + j
                inside = 0 <= row < ny and 0 <= column < nx
                place = base + ((z * ny + row) * nx + column) * channels * step
                places[4 * i + j] = place if inside else nothing
        for c in range(0, channels, LANES):
            _enter(places, c * step, out + (t * channels + c) * step, pitch)


@njit(cache=True, nogil=True)
def _leave_tiles(sums, out, z, first, bias, added, places):  # type: ignore[no-untyped-def]
    """Make the results of these tiles."""
    _, ny, nx, channels = out.shape
    step = np.int64(out.itemsize)
    base, source, offset = _address(out), _address(sums), _address(bias)
    pitch = sums.shape[1] * channels * step
    across = (nx + 1) // 2
    for t in range(sums.shape[1]):
        y, x = (first + t) // across * 2, (first + t) % across * 2
        for i in range(2):
            for j in range(2):
                row, column = y + i, x + j
                place = base + ((z * ny + row) * nx + column) * channels * step
                places[2 * i + j] = place if row < ny and column < nx else 0
        if places[0] != 0:
            for c in range(0, channels, LANES):
                _leave(source + (t * channels + c) * step, pitch, places, c * step, offset + c * step, added)


@shared()
def _convolve(first, last, values, points, bias, out, added):  # type: ignore[no-untyped-def]
    """Convolve 12 tiles through all channels along z, then the next 12."""
    nz, inputs, outputs, taps = values.shape[0], values.shape[3], out.shape[3], points.shape[1]
    step, half = np.int64(values.itemsize), taps // 2
    ring = np.zeros((taps, _POINTS, _TILES, inputs), values.dtype)  # of the channels under the kernel, z % taps
    sums = np.zeros((_POINTS, _TILES, outputs), values.dtype)
    zeros = np.zeros(max(inputs, WIDE), values.dtype)
    nothing = _address(zeros)
    places, seen = np.zeros(_POINTS, np.int64), np.zeros(taps, np.int64)
    numbers, weights, results = _address(ring), _address(points), _address(sums)
    slot = _POINTS * _TILES * inputs * step
    for n in range(first, last):
        tile = n * _TILES
        for z in range(-half, nz):
            if z + half < nz:
                _enter_tiles(values, z + half, tile, ring[(z + half) % taps], zeros, places)
            if z < 0:
                continue
            low, high = max(0, half - z), min(taps, nz - z + half)  # the taps that lie within the grid
            for k in range(low, high):
                seen[k - low] = numbers + (z - half + k) % taps * slot
            for p in range(_POINTS):
                tap = weights + (p * taps + low) * inputs * outputs * step
                for t in range(0, _TILES, _HIGH):
                    one = p * _TILES + t
                    for c in range(0, outputs, WIDE):
                        _sum_products(
                            seen[: high - low], one * inputs * step, inputs * step, tap + c * step, inputs, outputs,
                            nothing, False, results + (one * outputs + c) * step,
                        )  # fmt: skip
            _leave_tiles(sums, out, z, tile, bias, added, places)


@shared()
def _convolve_strided(first, last, values, weights, bias, tall, strides, out):  # type: ignore[no-untyped-def]
    """Convolve rows; the last 6 elements of a row are made together, though some of them are there already."""
    _, ny, nx, channels = values.shape
    high, wide, outputs = out.shape[1], out.shape[2], out.shape[3]
    taps, inputs = weights.shape[0], weights.shape[1]
    step = np.int64(values.itemsize)
    seen = np.zeros(taps, np.int64)
    source, factors, offset = _address(values), _address(weights), _address(bias)
    pitch = strides[2] * channels * step
    for n in range(first, last):
        z, y = n // high, n % high
        for k in range(taps):
            channel, line = z * strides[0] + k // tall, y * strides[1] + k % tall
            seen[k] = source + (channel * ny + line) * nx * channels * step
        target = _address(out[z, y])
        for x in range(0, wide, _HIGH):
            x = min(x, wide - _HIGH)
            for c in range(0, outputs, WIDE):
                place = target + (x * outputs + c) * step
                _sum_products(
                    seen, x * pitch, pitch, factors + c * step, inputs, outputs, offset + c * step, True, place
                )  # fmt: skip
