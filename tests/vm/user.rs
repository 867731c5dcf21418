//! What a process in the guest calls: this test's own binary goes there too, or the program in `nap`, and both have
//! this function.

use std::hint::black_box;
use std::thread;
use std::time::Duration;

/// How often it is called, and with what.
pub const NAPS: u64 = 53;
pub const MILLISECONDS: u64 = 5;

/// Takes so long, and gives seven times as much.
#[inline(never)]
fn nap(milliseconds: u64) -> u64 {
    thread::sleep(Duration::from_millis(milliseconds));
    black_box(milliseconds) * 7
}

/// Run in the guest, and anywhere.
#[cfg_attr(test, test)]
pub fn naps() {
    for _ in 0..NAPS {
        assert_eq!(nap(black_box(MILLISECONDS)), 7 * MILLISECONDS);
    }
}
