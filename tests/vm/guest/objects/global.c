#include "common.h"
int counted[8];
__noinline int f(int i) { barrier_var(i); return counted[i]; }
SEC("xdp") int p(struct xdp_md *ctx) { return f(3); }
