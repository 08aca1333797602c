/* alloc_fault.c - the allocator as the linker's --wrap shows it. */
#include "alloc_fault.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "must.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *mem, size_t size);
void __real_free(void *mem);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *mem, size_t size);
void *__wrap_reallocarray(void *mem, size_t n, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
int __wrap_posix_memalign(void **ret_mem, size_t align, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);
void __wrap_free(void *mem);

static __thread struct {
	bool armed, for_ever;
	long fail_at, calls, failed;
	size_t used, peak;
} state;

void alloc_fault_arm(long fail_at, bool for_ever)
{
	memset(&state, 0, sizeof state);
	state.fail_at = fail_at;
	state.for_ever = for_ever;
	state.armed = true;
}

void alloc_fault_disarm(void)
{
	state.armed = false;
}

long alloc_fault_calls(void)
{
	return state.calls;
}

long alloc_fault_failed(void)
{
	return state.failed;
}

size_t alloc_fault_peak(void)
{
	return state.peak;
}

static bool refused(void)
{
	long call;

	if (!state.armed || must_busy)
		return false;
	call = state.calls++;
	if (state.fail_at < 0 || call < state.fail_at || (call > state.fail_at && !state.for_ever))
		return false;
	state.failed++;
	errno = ENOMEM;
	return true;
}

static void *counted(void *mem)
{
	if (state.armed && !must_busy && mem) {
		state.used += malloc_usable_size(mem);
		if (state.used > state.peak)
			state.peak = state.used;
	}
	return mem;
}

static void uncount(void *mem)
{
	size_t size = state.armed && !must_busy && mem ? malloc_usable_size(mem) : 0;

	state.used -= size < state.used ? size : state.used;
}

void *__wrap_malloc(size_t size)
{
	return refused() ? NULL : counted(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return refused() ? NULL : counted(__real_calloc(n, size));
}

void *__wrap_realloc(void *mem, size_t size)
{
	if (refused())
		return NULL;
	uncount(mem);
	return counted(__real_realloc(mem, size));
}

void *__wrap_reallocarray(void *mem, size_t n, size_t size)
{
	size_t total;

	if (__builtin_mul_overflow(n, size, &total)) {
		errno = ENOMEM;
		return NULL;
	}
	return __wrap_realloc(mem, total);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return refused() ? NULL : counted(memalign(align, size));
}

int __wrap_posix_memalign(void **ret_mem, size_t align, size_t size)
{
	void *mem = __wrap_aligned_alloc(align, size);

	if (!mem)
		return ENOMEM;
	*ret_mem = mem;
	return 0;
}

char *__wrap_strndup(const char *text, size_t len)
{
	size_t n = strnlen(text, len);
	char *copy = __wrap_malloc(n + 1);

	if (!copy)
		return NULL;
	memcpy(copy, text, n);
	copy[n] = '\0';
	return copy;
}

char *__wrap_strdup(const char *text)
{
	return __wrap_strndup(text, SIZE_MAX - 1);
}

void __wrap_free(void *mem)
{
	uncount(mem);
	__real_free(mem);
}
