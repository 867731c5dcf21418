/* Calls a function as often as it can.
 *
 *   cc -O2 -pthread calls.c
 *   calls THREADS       for two seconds; prints how often
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_int over;
static atomic_ulong calls;

__attribute__((noinline)) unsigned long called(unsigned long value) {
	__asm__ volatile("" : "+r"(value));
	return value;
}

static void *call(void *unused) {
	unsigned long count = 0;
	while (!over)
		called(count++ % 1024);
	calls += count;
	return unused;
}

int main(int argc, char **argv) {
	int threads = argc > 1 ? atoi(argv[1]) : 1;
	pthread_t all[threads];
	for (int i = 0; i < threads; i++)
		pthread_create(&all[i], NULL, call, NULL);
	sleep(2);
	over = 1;
	for (int i = 0; i < threads; i++)
		pthread_join(all[i], NULL);
	printf("%lu\n", calls);
}
