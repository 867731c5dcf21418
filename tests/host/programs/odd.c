/* Functions that are not called, compiled or marked as others are. For each byte of its input: 211 calls of
 * jumps, which goes on in lands, then a byte of output. */

long read(int file, void *buffer, unsigned long length);
long write(int file, const void *buffer, unsigned long length);

int data = 1;

__attribute__((noinline)) long lands(long number)
{
	__asm__ volatile("" : "+r"(number));
	return number;
}

__attribute__((noinline)) long jumps(long number)
{
	__asm__ volatile("" : "+r"(number));
	__attribute__((musttail)) return lands(number);
}

/* Without .type. */
__asm__(".text\n.globl unmarked\nunmarked:\nret\n");

/* A part of a function that is jumped to. */
__asm__(".text\n.type rare.cold, @function\nrare.cold:\nret\n.size rare.cold, 1\n");

/* What a compiler made of a function for those who call it with a constant. */
__asm__(".text\n.type made.constprop.0, @function\nmade.constprop.0:\nret\n.size made.constprop.0, 1\n");

/* Without a size. */
__asm__(".text\n.globl endless\n.type endless, @function\nendless:\npush %rbp\nmov %rsp, %rbp\npop %rbp\nret\n");

long picked(long number);
__asm__(".text\n.globl picked\n.type picked, @gnu_indirect_function\npicked:\nlea lands(%rip), %rax\nret\n");

int main(void)
{
	long sum = 0;
	char byte;

	while (read(0, &byte, 1) == 1) {
		for (long i = 0; i < 211; i++)
			sum += jumps(i);
		write(1, sum ? "\n" : ".", 1);
	}
	return 0;
}
