/* Bloop in C, checked on the golden vectors of single steps and of Algorithm 1 over several.
 *
 *     bloop-ref vectors --out vectors
 *     cc -std=c99 -o check_vectors check_vectors.c -lm
 *     ./check_vectors < vectors/bloop-vectors.txt > outputs.txt    # 1 if an output is wrong
 *     bloop-ref verify --vectors outputs.txt                       # the same verdict, explained
 *
 * To check an implementation of your own, put it in the place of direction() and update_ema(). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Returns what to divide a vector by, so that no inner product overflows or underflows. */
static double unit(long n, const double *x) {
    double most = 0;
    for (long i = 0; i < n; i++) most = fmax(most, fabs(x[i]));
    return most > 0 ? most : 1;
}

/* d = g_main + lam pi(g_aux; ema), eq. 5, with pi(u; 0) = u. */
static void direction(long n, const double *g_main, const double *g_aux, const double *ema,
                      double lam, double *d) {
    double a = unit(n, g_aux), e = unit(n, ema), ae = 0, ee = 0;
    for (long i = 0; i < n; i++) ae += (g_aux[i] / a) * (ema[i] / e);
    for (long i = 0; i < n; i++) ee += (ema[i] / e) * (ema[i] / e);
    double share = ee > 0 ? ae / ee : 0;
    for (long i = 0; i < n; i++) d[i] = g_main[i] + lam * (g_aux[i] - share * a * (ema[i] / e));
}

/* ema <- (1 - rho) ema + rho g_main, the last line of Algorithm 1. */
static void update_ema(long n, const double *g_main, double rho, double *ema) {
    for (long i = 0; i < n; i++) ema[i] = (1 - rho) * ema[i] + rho * g_main[i];
}

static struct table { char name[64]; long rows, columns; double *values; } tables[16];
static int count;

static struct table *table(const char *name) {
    for (int i = 0; i < count; i++)
        if (!strcmp(tables[i].name, name)) return &tables[i];
    fprintf(stderr, "a case has no %s\n", name), exit(2);
}

static double *row(const char *name, long t) {
    return table(name)->values + t * table(name)->columns;
}

static void read_table(const char *name) {
    struct table *new = &tables[count++];
    strcpy(new->name, name);
    if (count == 16 || scanf("%ld %ld", &new->rows, &new->columns) != 2) exit(2);
    new->values = calloc((size_t)(new->rows * new->columns + 1), sizeof(double));
    for (long i = 0; i < new->rows * new->columns; i++)
        if (scanf("%la", &new->values[i]) != 1) exit(2);
}

/* Prints an output of step t; returns 1 if it is farther from the golden one than it may be. */
static int wrong(const char *name, const char *tolerance, long t, long n, const double *found) {
    double distance = 0;
    for (long i = 0; i < n; i++) distance = hypot(distance, found[i] - row(name, t)[i]);
    printf("%s", name);
    for (long i = 0; i < n; i++) printf(" %a", found[i]);
    puts("");
    return !(distance <= *row(tolerance, t)); /* a NaN is wrong, too */
}

static int solve(const char *id) {
    long n = table("g_main")->columns, steps = table("g_main")->rows;
    double *ema = row("ema", 0), *d = calloc((size_t)(n + 1), sizeof *d);
    int failed = 0;
    printf("case %s\n", id);
    for (long t = 0; t < steps; t++) {
        direction(n, row("g_main", t), row("g_aux", t), ema, *row("lam", 0), d);
        update_ema(n, row("g_main", t), *row("rho", 0), ema);
        failed |= wrong("direction", "direction_tolerance", t, n, d);
        failed |= wrong("new_ema", "new_ema_tolerance", t, n, ema);
    }
    if (failed) fprintf(stderr, "wrong: %s\n", id);
    return free(d), failed;
}

int main(void) {
    char word[64], id[64] = "", kind[64] = "";
    int failed = 0;
    if (scanf(" format %63s", word) != 1 || strcmp(word, "1")) return 2;
    printf("format 1\n");
    while (scanf("%63s", word) == 1) {
        if (!strcmp(word, "case")) {
            if (scanf("%63s %63s %*s %*s", id, kind) != 2) return 2;
        } else if (strcmp(word, "end")) {
            read_table(word);
        } else {
            if (!strcmp(kind, "step") || !strcmp(kind, "trajectory")) failed |= solve(id);
            while (count) free(tables[--count].values);
        }
    }
    return failed;
}
