/* Functions through which exceptions may pass, as far as symbols tell. For each byte of its input: 89 calls of
 * early, each of which calls climb 1 to 4 times, then a byte of output. */

long read(int file, void *buffer, unsigned long length);
long write(int file, const void *buffer, unsigned long length);

__attribute__((used)) void __cxa_throw(void) {}

__attribute__((noinline)) long climb(long number)
{
	__asm__ volatile("" : "+r"(number));
	return number > 0 ? climb(number - 1) + 1 : 0;
}

/* Returns at two places. */
long early(long number);
__asm__(".text\n.globl early\n.type early, @function\n"
	"early: push %rbx\nmov %rdi, %rbx\nand $3, %edi\ncall climb\ntest $1, %bl\njne 1f\npop %rbx\nret\n"
	"1: mov $7, %eax\npop %rbx\nret\n.size early, . - early\n");

__attribute__((noinline)) long left_by_a_jump(long number)
{
	__asm__ volatile("" : "+r"(number));
	__attribute__((musttail)) return early(number);
}

int main(int count, char **words)
{
	long sum = 0;
	char byte;

	while (read(0, &byte, 1) == 1) {
		for (long i = 0; i < 89; i++)
			sum += count > 7 ? left_by_a_jump(i) : early(i);
		write(1, sum ? "\n" : ".", 1);
	}
	return 0;
}
