/* lock_order.c - takes two locks in one order and then, with "inverted", in the other. Nothing ever
 * waits here, so only who remembers orders can tell; a thread sanitizer that does not is switched
 * off. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;

static void *mutex_first(void *ctx)
{
	(void)ctx;
	(void)pthread_mutex_lock(&mutex);
	(void)pthread_rwlock_rdlock(&rwlock);
	(void)pthread_rwlock_unlock(&rwlock);
	(void)pthread_mutex_unlock(&mutex);
	return NULL;
}

static void *rwlock_first(void *ctx)
{
	(void)ctx;
	(void)pthread_rwlock_wrlock(&rwlock);
	(void)pthread_mutex_lock(&mutex);
	(void)pthread_mutex_unlock(&mutex);
	(void)pthread_rwlock_unlock(&rwlock);
	return NULL;
}

/* One thread after the other. */
static int run(void *(*body)(void *))
{
	pthread_t thread;

	return pthread_create(&thread, NULL, body, NULL) || pthread_join(thread, NULL);
}

int main(int argc, char **argv)
{
	int inverted = argc > 1 && strcmp(argv[1], "inverted") == 0;

	if (run(mutex_first) || run(inverted ? rwlock_first : mutex_first))
		return 1;
	(void)puts("no complaint");
	return 0;
}
