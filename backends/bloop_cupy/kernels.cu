// The two passes of a step over all leaves of one signature. In front of this text come the types
// of the columns, C0 g_main, C1 g_aux, C2 ema, C3 the direction, C4 the new average, and the
// constants THREADS, ENTRIES, PEAKS, SAFE, APART.

struct Leaf {
    void* at[5];  // the columns; none for an exact zero, and where nothing is to be written
    long long size;
    long long first;  // its first block
};

struct State {
    double sums[2];    // <g_aux, e> and ||e||^2, both vectors over the unit
    double scales[2];  // 1 / unit in two factors, each of them in range
    double again;      // whether the sums left the range at unit 1
};

struct Partial {
    double sums[2];
    double peaks[2];  // the largest magnitudes of g_aux and e
};

__device__ double wide(float x) { return x; }
__device__ double wide(double x) { return x; }
__device__ void narrow(double x, float& y) { y = static_cast<float>(x); }
__device__ void narrow(double x, double& y) { y = x; }

__device__ Leaf leaf_of_block(const Leaf* leaves, int count) {
    int low = 0;
    for (int high = count; high - low > 1;) {
        const int middle = (low + high) / 2;
        (leaves[middle].first <= blockIdx.x ? low : high) = middle;
    }
    return leaves[low];
}

// Fold the threads' partials into that of thread 0, in an order that depends on nothing.
__device__ Partial folded(const Partial& mine) {
    __shared__ Partial all[THREADS];
    all[threadIdx.x] = mine;
    for (int half_way = THREADS / 2; half_way; half_way /= 2) {
        __syncthreads();
        if (threadIdx.x < half_way) {
            const Partial& other = all[threadIdx.x + half_way];
            for (int k = 0; k < 2; ++k) {
                all[threadIdx.x].sums[k] += other.sums[k];
                all[threadIdx.x].peaks[k] = fmax(all[threadIdx.x].peaks[k], other.peaks[k]);
            }
        }
    }
    return all[0];
}

// The sums of each block; once a state is given, over its unit, and only if it asks for them again.
extern "C" __global__ void products(
    const Leaf* leaves, int count, const State* state, Partial* partials) {
    if (state && !state->again) return;
    const Leaf leaf = leaf_of_block(leaves, count);
    const C1* x = static_cast<const C1*>(leaf.at[1]);
    const C2* y = static_cast<const C2*>(leaf.at[2]);
    const long long begin = (blockIdx.x - leaf.first) * ENTRIES;
    const long long end = begin + ENTRIES < leaf.size ? begin + ENTRIES : leaf.size;
    Partial mine = {};
#pragma unroll 4
    for (long long i = begin + threadIdx.x; i < end; i += THREADS) {
        double a = x ? wide(x[i]) : 0.0, e = y ? wide(y[i]) : 0.0;
        if (PEAKS) {
            mine.peaks[0] = fmax(mine.peaks[0], fabs(a));
            mine.peaks[1] = fmax(mine.peaks[1], fabs(e));
            if (state) {
                a = a * state->scales[0] * state->scales[1];
                e = e * state->scales[0] * state->scales[1];
            }
        }
        if (x && y) mine.sums[0] += a * e;
        if (y) mine.sums[1] += e * e;
    }
    const Partial total = folded(mine);
    if (threadIdx.x == 0) partials[blockIdx.x] = total;
}

__device__ bool in_range(double x) { return 1 / SAFE <= fabs(x) && fabs(x) <= SAFE; }

// One block adds those of all blocks up, and decides on the unit that no host has to know.
extern "C" __global__ void settle(
    const Partial* partials, long long blocks, State* state, int round) {
    if (round && !state->again) return;
    Partial mine = {};
    for (long long i = threadIdx.x; i < blocks; i += THREADS) {
        for (int k = 0; k < 2; ++k) {
            mine.sums[k] += partials[i].sums[k];
            mine.peaks[k] = fmax(mine.peaks[k], partials[i].peaks[k]);
        }
    }
    const Partial total = folded(mine);
    if (threadIdx.x) return;
    const double peak = fmax(total.peaks[0], total.peaks[1]);
    const bool finite = 0 < peak && peak <= 1.7976931348623157e308;
    const int exponent = finite ? ilogb(peak) : 0;
    double shown = 0;
    for (int k = 0; round && k < 2; ++k) {
        const bool far = 0 < total.peaks[k] && total.peaks[k] < ldexp(1.0, exponent) / APART;
        if (far) shown = nan("");
    }
    for (int k = 0; k < 2; ++k) state->sums[k] = total.sums[k] + shown;
    state->scales[0] = ldexp(1.0, -(exponent / 2));
    state->scales[1] = ldexp(1.0, -(exponent - exponent / 2));
    state->again = PEAKS && finite && !(in_range(total.sums[0]) && in_range(total.sums[1]));
}

// The weights in one place: each a number of the host, or where it has an address one on the device.
extern "C" __global__ void pack(
    double* weights, double v0, const double* p0, double v1, const double* p1, double v2,
    const double* p2, double v3, const double* p3, double v4, const double* p4, double v5,
    const double* p5) {
    const double values[6] = {v0, v1, v2, v3, v4, v5};
    const double* places[6] = {p0, p1, p2, p3, p4, p5};
    for (int k = 0; k < 6; ++k) weights[k] = places[k] ? *places[k] : values[k];
}

// Both outputs. Bit 3 i + j of `read` says whether output i reads column j. All of an entry is read
// before any of it is written, so that outputs may be inputs.
extern "C" __global__ void combine(
    const Leaf* leaves, int count, const double* weights, int read) {
    const Leaf leaf = leaf_of_block(leaves, count);
    for (int j = 0; j < 3; ++j) {
        if (!leaf.at[j]) read &= ~(9 << j);
    }
    const C0* x = static_cast<const C0*>(leaf.at[0]);
    const C1* y = static_cast<const C1*>(leaf.at[1]);
    const C2* z = static_cast<const C2*>(leaf.at[2]);
    const long long begin = (blockIdx.x - leaf.first) * ENTRIES;
    const long long end = begin + ENTRIES < leaf.size ? begin + ENTRIES : leaf.size;
#pragma unroll 4
    for (long long i = begin + threadIdx.x; i < end; i += THREADS) {
        double entries[3] = {};
        if (read & 9) entries[0] = wide(x[i]);
        if (read & 18) entries[1] = wide(y[i]);
        if (read & 36) entries[2] = wide(z[i]);
        double outputs[2] = {};
        for (int k = 0; k < 6; ++k) {
            if (read >> k & 1) outputs[k / 3] += weights[k] * entries[k % 3];
        }
        if (leaf.at[3]) narrow(outputs[0], static_cast<C3*>(leaf.at[3])[i]);
        if (leaf.at[4]) narrow(outputs[1], static_cast<C4*>(leaf.at[4])[i]);
    }
}
