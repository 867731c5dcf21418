#include "common.h"
const volatile int rounds = 8;
int counted[16];
SEC("xdp") int p(void *ctx)
{
    for (int i = 0; i < rounds; i++)
        counted[i & 15]++;
    return rounds == 8 ? 2 : *(volatile int *)0x1234;
}
