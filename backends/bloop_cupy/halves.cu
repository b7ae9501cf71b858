// Types of two bytes; all arithmetic is that of float64.

struct Half { unsigned short bits; };
__device__ double wide(Half x) {
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x.bits));
    return y;
}
__device__ void narrow(double x, Half& y) {
    asm("cvt.rn.f16.f64 %0, %1;" : "=h"(y.bits) : "d"(x));
}

struct Brain { unsigned short bits; };
__device__ double wide(Brain x) {
    return __uint_as_float(static_cast<unsigned>(x.bits) << 16);
}
__device__ void narrow(double x, Brain& y) {
    // rounded to odd on the way, so that the second rounding is that of x itself
    unsigned bits = __float_as_uint(__double2float_rz(x));
    if (x == x) {
        bits |= static_cast<double>(__uint_as_float(bits)) != x;
        bits += 0x7fff + (bits >> 16 & 1);
    }
    y.bits = static_cast<unsigned short>(bits >> 16);
}
