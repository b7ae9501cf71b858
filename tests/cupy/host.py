"""The kernels as C++: the threads of a block take turns on one of the host."""

import ctypes
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cupy as cp

from bloop_cupy import launch

Run = Callable[..., None]

# What stands in for CUDA. A thread runs until it waits for the others, then the next one does.
HOST = """
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <ucontext.h>
using namespace std;
#define __device__ static inline
#define __global__
#define __shared__ static
#define __syncthreads() wait_for_others()
struct index { unsigned x; };
static index blockIdx, threadIdx;
static const int MOST = 256, STACK = 1 << 15;
static ucontext_t host, threads[MOST];
static char stacks[MOST][STACK];
static function<void()> body;
static int running;
static void wait_for_others() { swapcontext(&threads[threadIdx.x], &host); }
static void run_thread() {
    body();
    --running;
}
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
template <class... T> void launch(void (*kernel)(T...), unsigned blocks, int count, T... given) {
    body = [=] { kernel(given...); };
    for (blockIdx.x = 0; blockIdx.x < blocks; ++blockIdx.x) {
        for (int t = 0; t < count; ++t) {
            getcontext(&threads[t]);
            threads[t].uc_stack.ss_sp = stacks[t];
            threads[t].uc_stack.ss_size = STACK;
            threads[t].uc_link = &host;
            makecontext(&threads[t], run_thread, 0);
        }
        running = count;
        // no order is promised between two barriers: it turns round with each
        for (bool back = false; running; back = !back) {
            for (int t = 0; t < count; ++t) {
                threadIdx.x = back ? count - 1 - t : t;
                swapcontext(&host, &threads[threadIdx.x]);
            }
            if (running && running != count) {
                fputs("not all threads of a block have met at a barrier\\n", stderr);
                abort();
            }
        }
    }
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
        flags = ["-std=c++20", "-O1", "-fPIC", "-shared", "-Wno-unknown-pragmas"]
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
