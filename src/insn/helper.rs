//! The kernel's helper functions.

/// A helper function of the kernel, called by number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Helper {
    /// Number.
    pub id: u32,
    /// Name as the verifier prints it.
    pub name: &'static str,
    /// First kernel.
    pub since: (u8, u8),
    /// Only for programs under the GPL.
    pub gpl_only: bool,
}
/// Look up.
pub const MAP_LOOKUP_ELEM: Helper =
    Helper { id: 1, name: "bpf_map_lookup_elem", since: (3, 18), gpl_only: false };
/// Read kernel memory.
pub const PROBE_READ_KERNEL: Helper =
    Helper { id: 113, name: "bpf_probe_read_kernel", since: (5, 5), gpl_only: true };
impl Helper {
    /// By number.
    pub fn by_id(id: u32) -> Option<Helper> {
        [MAP_LOOKUP_ELEM, PROBE_READ_KERNEL].into_iter().find(|h| h.id == id)
    }
}
