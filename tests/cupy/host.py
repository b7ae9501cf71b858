"""The kernels as C++: the threads of a block are threads of the host."""

import ctypes
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cupy as cp

from bloop_cupy import launch

Run = Callable[..., None]

# What stands in for CUDA. Every thread runs all blocks, and waits for the others after each.
HOST = """
#include <barrier>
#include <bit>
#include <cmath>
#include <thread>
#include <vector>
using namespace std;
#define __device__ static inline
#define __global__
#define __shared__ static
#define __syncthreads() meeting->arrive_and_wait()
struct index { unsigned x; };
static thread_local index blockIdx, threadIdx;
static barrier<>* meeting;
struct Half { _Float16 value; };
__device__ double wide(Half x) { return x.value; }
__device__ void narrow(double x, Half& y) { y.value = static_cast<_Float16>(x); }
static float __uint_as_float(unsigned x) { return bit_cast<float>(x); }
static unsigned __float_as_uint(float x) { return bit_cast<unsigned>(x); }
static float __double2float_rz(double x) {
    const float y = static_cast<float>(x);
    return fabs(static_cast<double>(y)) > fabs(x) ? nextafterf(y, 0.0f) : y;
}
"""
LAUNCHERS = """
template <class... T> void launch(void (*kernel)(T...), unsigned blocks, int threads, T... given) {
    barrier<> together(threads);
    meeting = &together;
    vector<thread> block;
    for (int t = 0; t < threads; ++t) block.emplace_back([=] {
        threadIdx.x = t;
        for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x) {
            kernel(given...);
            __syncthreads();
        }
    });
    for (auto& one : block) one.join();
}
extern "C" void run_products(
    unsigned n, const Leaf* a, int b, const State* c, Partial* d) {
    launch(products, n, THREADS, a, b, c, d);
}
extern "C" void run_settle(unsigned n, const Partial* a, long long b, State* c, int d) {
    launch(settle, n, THREADS, a, b, c, d);
}
extern "C" void run_pack(
    unsigned n, double* o, double a, const double* b, double c, const double* d, double e,
    const double* f, double g, const double* h, double i, const double* j, double k,
    const double* l) {
    launch(pack, n, 1, o, a, b, c, d, e, f, g, h, i, j, k, l);
}
extern "C" void run_combine(unsigned n, const Leaf* a, int b, const double* c, int d) {
    launch(combine, n, THREADS, a, b, c, d);
}
"""


def compiler(folder: Path) -> Run:
    """Return a launcher of the kernels as C++, which it compiles into a folder."""

    @cache
    def library(signature: launch.Signature, peaks: bool) -> ctypes.CDLL:
        name = "_".join([*signature, str(peaks)])
        text, made = folder / f"{name}.cc", folder / f"{name}.so"
        whole = launch.source(signature, peaks)
        text.write_text(HOST + whole[whole.index("struct Brain") :] + LAUNCHERS)
        flags = ["-std=c++20", "-O1", "-fPIC", "-shared", "-pthread", "-Wno-unknown-pragmas"]
        subprocess.run(["c++", *flags, str(text), "-o", str(made)], check=True)
        return ctypes.CDLL(str(made))

    def run(
        name: str, signature: launch.Signature, peaks: bool, blocks: int, *arguments: Any
    ) -> None:
        kernel = getattr(library(signature, peaks), f"run_{name}")
        kernel(ctypes.c_uint(blocks), *map(_argument, arguments))

    return run


def _argument(value: Any) -> Any:
    if isinstance(value, cp.ndarray):
        return ctypes.c_void_p(value.data.ptr)
    types = {"float64": ctypes.c_double, "int32": ctypes.c_int, "int64": ctypes.c_longlong}
    return types.get(value.dtype.name, ctypes.c_void_p)(value.item())
