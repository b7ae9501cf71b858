"""The kernels of ``_triton``: one program takes one block of one leaf, of all vectors.

A table in int64 says where everything is; see ``_triton``. What a leaf lacks has the address 0
there; what no leaf has, or nobody reads, has the dtype ``None`` here. All arithmetic is in float64.
A whole block goes another way than the last of a leaf, whose masks prevent wide loads and stores.
"""

# Triton compiles these functions: Python's types say nothing of them.
# mypy: disable-error-code="assignment, no-untyped-call, no-untyped-def, untyped-decorator"

import torch
import triton
import triton.language as tl

KINDS = {
    None: None,
    torch.float16: tl.float16,
    torch.bfloat16: tl.bfloat16,
    torch.float32: tl.float32,
    torch.float64: tl.float64,
}


@triton.jit
def _place(table, records, blocks, first, WIDTH: tl.constexpr, BLOCK: tl.constexpr):
    """Return the block of this program, its leaf's record, where it starts and what is left."""
    block = first + tl.program_id(0).to(tl.int64)
    record = table + records + tl.load(table + blocks + block) * (WIDTH + 2)
    start = (block - tl.load(record + 1)) * BLOCK
    return block, record + 2, start, tl.load(record) - start


@triton.jit
def _pointer(address, dtype: tl.constexpr, ALIGNED: tl.constexpr):
    pointer = address.to(tl.pointer_type(dtype))
    if ALIGNED:
        pointer = tl.multiple_of(pointer, 16)
    return pointer


@triton.jit
def _columns(record, offsets, inside, DTYPES: tl.constexpr, ALIGNED: tl.constexpr):
    """Return the entries of every vector in this block, and whether the leaf has that vector."""
    columns = ()
    present = ()
    for j in tl.static_range(len(DTYPES)):
        address = tl.load(record + j)
        x = 0.0
        if DTYPES[j] is not None:
            mask = tl.where(address != 0, inside, False)
            x = tl.load(_pointer(address, DTYPES[j], ALIGNED) + offsets, mask=mask, other=0.0)
        columns += (x,)
        present += (address != 0,)
    return columns, present


@triton.jit
def _wide(x):
    if x.dtype != tl.float64:
        x = x.to(tl.float32)
    return x.to(tl.float64)


@triton.jit
def _rounded(x, dtype: tl.constexpr):
    """Round once, to a half precision by way of float32 rounded to odd."""
    if dtype == tl.float64:
        return x
    near = x.to(tl.float32)
    if dtype == tl.float32:
        return near
    error = x - near.to(tl.float64)
    bits = near.to(tl.int32, bitcast=True)
    step = tl.where((error > 0) == (x > 0), 1, -1)
    inexact = (tl.abs(error) > 0) & ((bits & 1) == 0)
    bits += tl.where(inexact, step, 0)
    if dtype == tl.bfloat16:
        # to even here: the interpreter would cut off
        even = (bits + 0x7FFF + ((bits >> 16) & 1)) & -0x10000
        bits = tl.where(near == near, even, bits)
    return bits.to(tl.float32, bitcast=True).to(dtype)


@triton.jit
def _of_pair(x, y, both, unit, PASS: tl.constexpr):
    x = _wide(x)
    y = _wide(y)
    if PASS == "peaks":
        # a maximum may pass over NaN
        return tl.max(tl.where(x == x, tl.abs(x), float("inf")))
    if PASS == "scaled":
        factor = 1.0 / tl.load(unit)
        x = x * factor
        y = y * factor
    return tl.sum(tl.where(both, x * y, 0.0))


@triton.jit
def _reduce(
    record,
    results,
    stride,
    unit,
    offsets,
    inside,
    DTYPES: tl.constexpr,
    PAIRS: tl.constexpr,
    CHECK: tl.constexpr,
    PASS: tl.constexpr,
    ALIGNED: tl.constexpr,
):
    columns, present = _columns(record, offsets, inside, DTYPES, ALIGNED)
    for p in tl.static_range(len(PAIRS)):
        total = tl.full((), 0.0, tl.float64)
        if DTYPES[PAIRS[p][0]] is not None and DTYPES[PAIRS[p][1]] is not None:
            both = present[PAIRS[p][0]] & present[PAIRS[p][1]]
            total = _of_pair(columns[PAIRS[p][0]], columns[PAIRS[p][1]], both, unit, PASS)
        tl.store(results + p * stride, total)
    for c in tl.static_range(len(CHECK)):
        bad = tl.full((), 0, tl.int32)
        if DTYPES[CHECK[c]] is not None:
            finite = tl.abs(_wide(columns[CHECK[c]])) < float("inf")
            bad += tl.sum(tl.where(finite, 0, 1))
        tl.store(results + (len(PAIRS) + c) * stride, bad.to(tl.float64))


@triton.jit(do_not_specialize=["records", "blocks", "first", "stride"])
def products(
    table,
    records,
    blocks,
    first,
    results,
    stride,
    unit,
    DTYPES: tl.constexpr,
    PAIRS: tl.constexpr,
    CHECK: tl.constexpr,
    PASS: tl.constexpr,
    ALIGNED: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Write every block's sums of products, and for what is checked how much is not finite.

    ``PASS`` is "plain", "scaled" by 1 / unit, or "peaks": the largest absolute entries instead of
    sums, of pairs (j, j), infinity for NaN.
    """
    block, record, start, left = _place(table, records, blocks, first, len(DTYPES), BLOCK)
    sums = results + block
    rows = stride.to(tl.int64)
    lanes = tl.arange(0, BLOCK)
    offsets = start + lanes
    if left >= BLOCK:
        inside = tl.full((BLOCK,), True, tl.int1)
        _reduce(record, sums, rows, unit, offsets, inside, DTYPES, PAIRS, CHECK, PASS, ALIGNED)
    else:
        inside = lanes < left
        _reduce(record, sums, rows, unit, offsets, inside, DTYPES, PAIRS, CHECK, PASS, ALIGNED)


@triton.jit
def _combined(
    table, row: tl.constexpr, columns, present, PATTERN: tl.constexpr, BLOCK: tl.constexpr
):
    """Return one weighted sum; a weight is a number's bits or the address of one."""
    total = tl.zeros((BLOCK,), tl.float64)
    some = tl.full((), False, tl.int1)
    for j in tl.static_range(len(PATTERN[row])):
        if PATTERN[row][j] != 0:
            slot = tl.load(table + row * len(PATTERN[row]) + j)
            if PATTERN[row][j] == 2:
                weight = tl.load(slot.to(tl.pointer_type(tl.float64)))
            else:
                weight = slot.to(tl.float64, bitcast=True)
            term = _wide(columns[j]) * weight
            # no zero is added to the first term, which may be -0
            total = tl.where(present[j], tl.where(some, total + term, term), total)
            some = some | present[j]
    return total


@triton.jit
def _write(
    table,
    record,
    offsets,
    inside,
    DTYPES: tl.constexpr,
    OUTS: tl.constexpr,
    PATTERN: tl.constexpr,
    FLAGS: tl.constexpr,
    ALIGNED: tl.constexpr,
    BLOCK: tl.constexpr,
):
    columns, present = _columns(record, offsets, inside, DTYPES, ALIGNED)
    # threads may write what others read, where dtypes differ in width
    tl.debug_barrier()
    for r in tl.static_range(len(OUTS)):
        if OUTS[r] is not None:
            result = _rounded(_combined(table, r, columns, present, PATTERN, BLOCK), OUTS[r])
            address = tl.load(record + len(DTYPES) + r)
            keep = address == 0
            if FLAGS[r]:
                flag = tl.load(table + len(OUTS) * len(DTYPES) + r)
                keep = keep | (tl.load(flag.to(tl.pointer_type(tl.int8))) == 0)
            mask = tl.where(keep, False, inside)
            tl.store(_pointer(address, OUTS[r], ALIGNED) + offsets, result, mask=mask)


@triton.jit(do_not_specialize=["records", "blocks", "first"])
def combinations(
    table,
    records,
    blocks,
    first,
    DTYPES: tl.constexpr,
    OUTS: tl.constexpr,
    PATTERN: tl.constexpr,
    FLAGS: tl.constexpr,
    ALIGNED: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """Write linear combinations; ``PATTERN`` has 0 for no weight, 1 for bits, 2 for an address."""
    _, record, start, left = _place(table, records, blocks, first, len(DTYPES) + len(OUTS), BLOCK)
    lanes = tl.arange(0, BLOCK)
    if left >= BLOCK:
        inside = tl.full((BLOCK,), True, tl.int1)
        _write(table, record, start + lanes, inside, DTYPES, OUTS, PATTERN, FLAGS, ALIGNED, BLOCK)
    else:
        inside = lanes < left
        _write(table, record, start + lanes, inside, DTYPES, OUTS, PATTERN, FLAGS, ALIGNED, BLOCK)
