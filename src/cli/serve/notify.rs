//! What systemd is told: sd_notify(3), without its library.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Tells systemd, if it has started this process and asks for that, that `running` of `all` commands run.
pub fn ready(running: usize, all: usize) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let address = match path.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(&path),
    };
    let text = format!("READY=1\nSTATUS={running} of {all} commands run\n");
    let sent =
        UnixDatagram::unbound().and_then(|socket| socket.send_to_addr(text.as_bytes(), &address?));
    if let Err(error) = sent {
        say!("serve: systemd cannot be told that it is ready: {error}");
    }
}
