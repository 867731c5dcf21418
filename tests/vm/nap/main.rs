//! Calls a function that is probed.

#[path = "../user.rs"]
mod user;

fn main() {
    user::naps();
}
