// For each byte of its input: 1 cart, 503 calls of add(int), 307 of add(const char *), 101 of twice and of
// plain, 1 of sum, then a byte of output.

extern "C" long read(int, void *, unsigned long);
extern "C" long write(int, const void *, unsigned long);

#define KEPT __attribute__((noinline, used))

namespace shop {

struct Cart {
  long total;

  KEPT Cart(long start) : total(start) {}
  KEPT long add(int price) { __asm__ volatile("" : "+r"(price)); return total += price; }
  KEPT long add(const char *name) { __asm__ volatile("" : "+r"(name)); return total += name[0]; }
  KEPT long sum() const { __asm__ volatile(""); return total; }
};

template <typename T> KEPT T twice(T value) { __asm__ volatile("" : "+r"(value)); return value * 2; }

}

KEPT long plain(long value) { __asm__ volatile("" : "+r"(value)); return value; }

int main() {
  char byte;
  long sum = 0;

  while (read(0, &byte, 1) == 1) {
    shop::Cart cart(7);
    for (int i = 0; i < 503; i++) sum += cart.add(i);
    for (int i = 0; i < 307; i++) sum += cart.add("x");
    for (int i = 0; i < 101; i++) sum += shop::twice<int>(i) + plain(i);
    sum += cart.sum();
    write(1, sum ? "\n" : ".", 1);
  }
}
