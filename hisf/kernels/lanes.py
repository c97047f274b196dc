"""Vector instructions where the compiler does not find them by itself: running sums of many rows at once, transposing.

Rows are given by their addresses. What numba makes of arrays, LLVM often cannot tell apart: a row that is written might
be one that is read, so it takes one element at a time. Here 8 are loaded, computed and stored, which is said to LLVM
directly and which it translates for any processor. Nothing checks the addresses; the callers do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

LANES = 8  # elements of a vector


def _advancing(lanes: int) -> Any:
    @intrinsic
    def advance(typing_context, out, before, entering, leaving, factor):  # type: ignore[no-untyped-def]
        def code(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
            element = context.get_value_type(factor)
            size = context.get_abi_sizeof(element)
            vector = ir.VectorType(element, lanes)
            *addresses, by = arguments
            target, *sources = (builder.inttoptr(address, vector.as_pointer()) for address in addresses)
            b, e, v = (builder.load(source, align=size) for source in sources)
            one = builder.insert_element(ir.Constant(vector, ir.Undefined), by, ir.Constant(ir.IntType(32), 0))
            picks = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
            factors = builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), picks)
            moved = builder.fmul(builder.fsub(e, v), factors)
            builder.store(builder.fadd(b, moved), target, align=size)
            return context.get_dummy_value()

        return types.void(out, before, entering, leaving, factor), code

    return advance


_advance_vector, _advance_one = _advancing(LANES), _advancing(1)


@njit(nogil=True)
def advance(out, before, entering, leaving, factor, size, count):  # type: ignore[no-untyped-def]
    """Take one step of `count` running sums: out = before + (entering − leaving) · factor.

    Parameters
    ----------
    out, before, entering, leaving : int64
        Addresses of rows of `count` elements. `out` may be `before`; it overlaps no other one.
    factor : float32 or float64
        Of the type of the elements.
    size : int64
        Bytes of an element.
    count : int64
    """
    whole = (count - count % LANES) * size
    for n in range(0, whole, LANES * size):
        _advance_vector(out + n, before + n, entering + n, leaving + n, factor)
    for n in range(whole, count * size, size):
        _advance_one(out + n, before + n, entering + n, leaving + n, factor)


@intrinsic
def _transpose_block(typing_context, source, source_pitch, target, target_pitch, like):  # type: ignore[no-untyped-def]
    """Transpose 8 × 8 elements of the type of the array `like`, by exchanging ever smaller quarters."""

    def code(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        element = context.get_value_type(like.dtype)
        size = context.get_abi_sizeof(element)
        vector = ir.VectorType(element, LANES)

        def row(address, pitch, k):  # type: ignore[no-untyped-def]
            place = builder.add(address, builder.mul(pitch, ir.Constant(pitch.type, k)))
            return builder.inttoptr(place, vector.as_pointer())

        def picked(one, other, picks):  # type: ignore[no-untyped-def]
            return builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(ir.IntType(32), LANES), picks))

        source, source_pitch, target, target_pitch, _ = arguments
        rows = [builder.load(row(source, source_pitch, k), align=size) for k in range(LANES)]
        for half in (4, 2, 1):
            upper = [n if not n & half else LANES + n - half for n in range(LANES)]
            lower = [n + half if not n & half else LANES + n for n in range(LANES)]
            for k in range(LANES):
                if not k & half:
                    one, other = rows[k], rows[k + half]
                    rows[k], rows[k + half] = picked(one, other, upper), picked(one, other, lower)
        for k in range(LANES):
            builder.store(rows[k], row(target, target_pitch, k), align=size)
        return context.get_dummy_value()

    return types.void(source, source_pitch, target, target_pitch, like), code


@njit(nogil=True)
def transpose(rows, columns):  # type: ignore[no-untyped-def]
    """Copy `rows` (n, m) to `columns` (m or more, n or more), transposed; in both, elements of a row are neighbours."""
    n, m = rows.shape
    size, pitch, other = np.int64(rows.itemsize), np.int64(rows.strides[0]), np.int64(columns.strides[0])
    source, target = np.int64(rows.ctypes.data), np.int64(columns.ctypes.data)
    wide = m - m % LANES
    for i in range(0, n - n % LANES, LANES):
        for j in range(0, wide, LANES):
            _transpose_block(source + i * pitch + j * size, pitch, target + j * other + i * size, other, rows)
        for j in range(wide, m):
            for k in range(i, i + LANES):
                columns[j, k] = rows[k, j]
    for i in range(n - n % LANES, n):
        for j in range(m):
            columns[j, i] = rows[i, j]
