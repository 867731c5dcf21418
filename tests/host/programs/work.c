/* For each byte of its input: 1009 calls of work_one, 503 of work_two and 1 of leave_off, then a byte of
 * output. */

long read(int file, void *buffer, unsigned long length);
long write(int file, const void *buffer, unsigned long length);

/* Begins with something else than a push. */
__attribute__((noinline)) long leaf(long number)
{
	__asm__ volatile("" : "+r"(number));
	return number + 1;
}

__attribute__((noinline)) long work_one(long number, long other)
{
	return leaf(number) + leaf(other);
}

__attribute__((noinline)) long work_two(long number, long other)
{
	return leaf(number) - leaf(other);
}

__attribute__((noinline)) void leave_off(long sum)
{
	write(1, sum ? "\n" : ".", 1);
}

int main(void)
{
	long sum = 0;
	char byte;

	while (read(0, &byte, 1) == 1) {
		for (long i = 0; i < 1009; i++)
			sum += work_one(i, 13);
		for (long i = 0; i < 503; i++)
			sum += work_two(i, 17);
		leave_off(sum | 1);
	}
	return 0;
}
