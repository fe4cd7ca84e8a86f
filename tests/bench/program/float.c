/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floating point: daxpy, planets, a Fourier transform. Only operations that IEEE 754 defines to the last bit, and no
 * library but sqrt, so that every CPU gets the same checksum.
 */
#include <math.h>
#include <string.h>

#include "bench.h"

#define VECTOR      4096u
#define DAXPY_TIMES 8u
#define BODIES      5u
#define STEPS       500u
#define FFT_BITS    11u
#define FFT_POINTS  (1u << FFT_BITS)

static uint64_t bits(double value)
{
	uint64_t result;

	memcpy(&result, &value, sizeof(result));
	return result;
}

/* --- y = a * x + y */

static double x[VECTOR], y[VECTOR];

static void daxpy_begin(void)
{
	for (unsigned i = 0; i < VECTOR; i++)
		x[i] = 1.0 / (i + 1);
}

static void __attribute__((noinline)) daxpy_on(double *restrict to, const double *restrict from, double a)
{
	for (unsigned i = 0; i < VECTOR; i++)
		to[i] += a * from[i];
}

static uint64_t daxpy(void)
{
	uint64_t sum = 0;

	memset(y, 0, sizeof(y));
	for (unsigned i = 0; i < DAXPY_TIMES; i++)
		daxpy_on(y, x, 0.25 + i);
	for (unsigned i = 0; i < VECTOR; i += 256)
		sum = bench_mix(sum, bits(y[i]));
	return sum;
}

/* --- bodies that attract each other */

struct body {
	double at[3], speed[3], mass;
};

static const struct body start[BODIES] = {
	{ { 0, 0, 0 }, { 0, 0, 0 }, 40 },
	{ { 5, -1, 0.125 }, { 0.5, 2.75, -0.0625 }, 0.0375 },
	{ { 8.5, 4, -0.5 }, { -1, 1.75, 0.0078125 }, 0.0125 },
	{ { 13, -15, -0.25 }, { 1, 0.875, -0.01 }, 0.0017 },
	{ { 15.5, -26, 0.18 }, { 1, 0.6, -0.035 }, 0.002 },
};
static struct body bodies[BODIES];

static void attract(struct body *a, struct body *b, double dt)
{
	double distance[3], square = 0, magnitude;

	for (unsigned i = 0; i < 3; i++) {
		distance[i] = a->at[i] - b->at[i];
		square += distance[i] * distance[i];
	}
	magnitude = dt / (square * sqrt(square));
	for (unsigned i = 0; i < 3; i++) {
		a->speed[i] -= distance[i] * b->mass * magnitude;
		b->speed[i] += distance[i] * a->mass * magnitude;
	}
}

static uint64_t nbody(void)
{
	uint64_t sum = 0;

	memcpy(bodies, start, sizeof(bodies));
	for (unsigned step = 0; step < STEPS; step++) {
		for (unsigned i = 0; i < BODIES; i++) {
			for (unsigned j = i + 1; j < BODIES; j++)
				attract(&bodies[i], &bodies[j], 0.015625);
		}
		for (unsigned i = 0; i < BODIES; i++) {
			for (unsigned k = 0; k < 3; k++)
				bodies[i].at[k] += 0.015625 * bodies[i].speed[k];
		}
	}
	for (unsigned i = 0; i < BODIES; i++)
		sum = bench_mix(sum, bits(bodies[i].at[0]));
	return sum;
}

/* --- a fast Fourier transform, radix 2, in place */

struct complex {
	double re, im;
};

static struct complex signal[FFT_POINTS], spectrum[FFT_POINTS], roots[FFT_BITS];

/* roots[i] is exp(-2 pi i / 2^(i+1)), by halving angles. */
static void fft_begin(void)
{
	uint64_t seed = 3;

	roots[0] = (struct complex){ -1, 0 };
	roots[1] = (struct complex){ 0, -1 };
	for (unsigned i = 2; i < FFT_BITS; i++) {
		roots[i].re = sqrt((1 + roots[i - 1].re) / 2);
		roots[i].im = roots[i - 1].im / (2 * roots[i].re);
	}
	for (unsigned i = 0; i < FFT_POINTS; i++) {
		signal[i].re = (double)(bench_random(&seed) >> 40);
		signal[i].im = 0;
	}
}

static struct complex multiply(struct complex a, struct complex b)
{
	return (struct complex){ a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re };
}

static void reorder(void)
{
	for (unsigned i = 0, j = 0; i < FFT_POINTS; i++) {
		unsigned bit = FFT_POINTS / 2;

		spectrum[j] = signal[i];
		while (j & bit) {
			j ^= bit;
			bit /= 2;
		}
		j |= bit;
	}
}

static uint64_t fft(void)
{
	uint64_t sum = 0;

	reorder();
	for (unsigned level = 0; level < FFT_BITS; level++) {
		unsigned half = 1u << level;
		struct complex root = { 1, 0 };

		for (unsigned k = 0; k < half; k++) {
			for (unsigned i = k; i < FFT_POINTS; i += 2 * half) {
				struct complex odd = multiply(root, spectrum[i + half]), even = spectrum[i];

				spectrum[i] = (struct complex){ even.re + odd.re, even.im + odd.im };
				spectrum[i + half] = (struct complex){ even.re - odd.re, even.im - odd.im };
			}
			root = multiply(root, roots[level]);
		}
	}
	for (unsigned i = 0; i < FFT_POINTS; i += 128)
		sum = bench_mix(sum, bits(spectrum[i].re));
	return sum;
}

const struct bench_item bench_float[] = {
	{ "daxpy", BENCH_MFLOP_S, 2.0 * DAXPY_TIMES *VECTOR, daxpy_begin, daxpy, NULL, UINT64_C(7765477228087740868) },
	{ "nbody", BENCH_US, 1, NULL, nbody, NULL, UINT64_C(1680640781822900920) },
	{ "fft", BENCH_US, 1, fft_begin, fft, NULL, UINT64_C(4963738328372191630) },
	{ 0 },
};
