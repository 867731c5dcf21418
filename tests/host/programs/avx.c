/* A function that begins with an instruction of AVX whose opcode is that of a jump without AVX. For each byte
 * of its input: 97 calls of joins and of asks, then a byte of output. It ends where a result is wrong. */

long read(int file, void *buffer, unsigned long length);
long write(int file, const void *buffer, unsigned long length);

/* The bits of both, which are in xmm0 and xmm1. */
__asm__(".text\n.globl joins\n.type joins, @function\njoins:\n"
	"vpor %xmm0, %xmm1, %xmm0\nvmovq %xmm0, %rax\nret\n.size joins, .-joins\n");

__attribute__((noinline)) long asks(long number)
{
	long joined;

	__asm__ volatile("vmovq %1, %%xmm0\nvmovq %2, %%xmm1\ncall joins\nmov %%rax, %0"
			 : "=r"(joined)
			 : "r"(number), "r"(1L)
			 : "rax", "xmm0", "xmm1", "memory");
	return joined;
}

int main(void)
{
	char byte;

	while (read(0, &byte, 1) == 1) {
		for (long i = 0; i < 97; i++)
			if (asks(2 * i) != 2 * i + 1)
				return 1;
		write(1, "\n", 1);
	}
	return 0;
}
