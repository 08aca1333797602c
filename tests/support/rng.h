/* rng.h - chance that can be replayed: VHDD_SEED chooses the seed, and every test prints the one it
 * used. */
#ifndef RNG_H
#define RNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct rng {
	uint64_t state;
};

/* SplitMix64 (Steele, Lea, Flood 2014): any seed is good, and nearby seeds are unrelated. */
static inline uint64_t rng_next(struct rng *rng)
{
	uint64_t z = rng->state += 0x9E3779B97F4A7C15;

	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
	z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
	return z ^ (z >> 31);
}

/* 0 .. n - 1; `n` is not 0. */
static inline uint64_t rng_below(struct rng *rng, uint64_t n)
{
	return rng_next(rng) % n;
}

/* True once in `n` times. */
static inline bool rng_one_in(struct rng *rng, uint64_t n)
{
	return rng_below(rng, n) == 0;
}

static inline void rng_fill(struct rng *rng, void *buf, size_t len)
{
	uint8_t *p = buf;

	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(rng_next(rng) >> 32);
}

/* The number in the environment, or `otherwise`. */
static inline uint64_t rng_env(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

/* The seed of this run, printed so that a failure can be run again. */
static inline uint64_t rng_seed(const char *test)
{
	struct timespec now;
	uint64_t seed;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	seed = rng_env("VHDD_SEED", (uint64_t)now.tv_sec * 1000003 + (uint64_t)now.tv_nsec);
	printf("%s: VHDD_SEED=%llu\n", test, (unsigned long long)seed);
	(void)fflush(stdout);
	return seed;
}

#endif
