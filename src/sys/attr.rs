//! The argument structs of `bpf(2)` and `perf_event_open(2)`, written by hand from the kernel's interface.
//!
//! `union bpf_attr` grows with every kernel. One struct per command, no longer than the fields we
//! use: a kernel that knows fewer bytes accepts them as long as the rest is zero, and one that knows
//! more treats the missing bytes as zero.

/// A struct the kernel may read and write as bytes.
///
/// # Safety
/// No padding, and every bit pattern is a valid value.
pub(crate) unsafe trait Attr: Copy + Default {
    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: `Self` is plain data without padding (the trait's contract), so all of its bytes are
        // initialised and any bytes may be written to it.
        unsafe {
            std::slice::from_raw_parts_mut(std::ptr::from_mut(self).cast(), size_of::<Self>())
        }
    }
}

/// Declares attr structs as a table like the kernel's header: offset, field, type. The compiler checks the
/// offsets, the size, and that the fields fill the struct without padding.
macro_rules! attrs {
    ($($(#[$meta:meta])* $name:ident: $size:literal bytes { $($offset:literal $field:ident: $type:ty,)* })*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default)]
        #[repr(C)]
        pub(crate) struct $name { $(pub $field: $type,)* }

        const _: () = assert!(size_of::<$name>() == $size);
        const _: () = assert!(0 $(+ size_of::<$type>())* == $size);
        $(const _: () = assert!(std::mem::offset_of!($name, $field) == $offset);)*

        // SAFETY: made of integers and arrays of integers; the assertions above leave no room for padding.
        unsafe impl Attr for $name {}
    )*};
}

attrs! {
    /// `BPF_MAP_CREATE`.
    MapCreate: 72 bytes {
        0 map_type: u32,
        4 key_size: u32,
        8 value_size: u32,
        12 max_entries: u32,
        16 map_flags: u32,
        20 inner_map_fd: u32,
        24 numa_node: u32,
        28 map_name: [u8; 16],
        44 map_ifindex: u32,
        48 btf_fd: u32,
        52 btf_key_type_id: u32,
        56 btf_value_type_id: u32,
        60 btf_vmlinux_value_type_id: u32,
        64 map_extra: u64,
    }

    /// `BPF_MAP_LOOKUP_ELEM`, `UPDATE`, `DELETE`, `GET_NEXT_KEY`, `LOOKUP_AND_DELETE_ELEM`.
    MapElem: 32 bytes {
        0 map_fd: u32,
        4 pad: u32,
        8 key: u64,
        16 value_or_next_key: u64,
        24 flags: u64,
    }

    /// `BPF_MAP_FREEZE`.
    MapFreeze: 4 bytes {
        0 map_fd: u32,
    }

    /// `BPF_MAP_*_BATCH`.
    MapBatch: 56 bytes {
        0 in_batch: u64,
        8 out_batch: u64,
        16 keys: u64,
        24 values: u64,
        32 count: u32,
        36 map_fd: u32,
        40 elem_flags: u64,
        48 flags: u64,
    }

    /// `BPF_PROG_LOAD`.
    ProgLoad: 144 bytes {
        0 prog_type: u32,
        4 insn_cnt: u32,
        8 insns: u64,
        16 license: u64,
        24 log_level: u32,
        28 log_size: u32,
        32 log_buf: u64,
        40 kern_version: u32,
        44 prog_flags: u32,
        48 prog_name: [u8; 16],
        64 prog_ifindex: u32,
        68 expected_attach_type: u32,
        72 prog_btf_fd: u32,
        76 func_info_rec_size: u32,
        80 func_info: u64,
        88 func_info_cnt: u32,
        92 line_info_rec_size: u32,
        96 line_info: u64,
        104 line_info_cnt: u32,
        108 attach_btf_id: u32,
        112 attach_btf_obj_fd: u32,
        116 core_relo_cnt: u32,
        120 fd_array: u64,
        128 core_relos: u64,
        136 core_relo_rec_size: u32,
        140 log_true_size: u32,
    }

    /// `BPF_BTF_LOAD`.
    BtfLoad: 32 bytes {
        0 btf: u64,
        8 btf_log_buf: u64,
        16 btf_size: u32,
        20 btf_log_size: u32,
        24 btf_log_level: u32,
        28 btf_log_true_size: u32,
    }

    /// `BPF_PROG_TEST_RUN`.
    TestRun: 80 bytes {
        0 prog_fd: u32,
        4 retval: u32,
        8 data_size_in: u32,
        12 data_size_out: u32,
        16 data_in: u64,
        24 data_out: u64,
        32 repeat: u32,
        36 duration: u32,
        40 ctx_size_in: u32,
        44 ctx_size_out: u32,
        48 ctx_in: u64,
        56 ctx_out: u64,
        64 flags: u32,
        68 cpu: u32,
        72 batch_size: u32,
        76 pad: u32,
    }

    /// `BPF_RAW_TRACEPOINT_OPEN`.
    RawTracepointOpen: 16 bytes {
        0 name: u64,
        8 prog_fd: u32,
        12 pad: u32,
    }

    /// `BPF_LINK_CREATE` on a perf event.
    LinkPerfEvent: 24 bytes {
        0 prog_fd: u32,
        4 target_fd: u32,
        8 attach_type: u32,
        12 flags: u32,
        16 bpf_cookie: u64,
    }

    /// `BPF_LINK_CREATE` for fentry, fexit and `tp_btf`.
    LinkTracing: 32 bytes {
        0 prog_fd: u32,
        4 target_fd: u32,
        8 attach_type: u32,
        12 flags: u32,
        16 target_btf_id: u32,
        20 pad: u32,
        24 cookie: u64,
    }

    /// `BPF_LINK_CREATE` on many kernel functions.
    LinkKprobeMulti: 48 bytes {
        0 prog_fd: u32,
        4 target_fd: u32,
        8 attach_type: u32,
        12 flags: u32,
        16 kprobe_multi_flags: u32,
        20 cnt: u32,
        24 syms: u64,
        32 addrs: u64,
        40 cookies: u64,
    }

    /// `BPF_LINK_CREATE` on many places of one executable.
    LinkUprobeMulti: 64 bytes {
        0 prog_fd: u32,
        4 target_fd: u32,
        8 attach_type: u32,
        12 flags: u32,
        16 path: u64,
        24 offsets: u64,
        32 ref_ctr_offsets: u64,
        40 cookies: u64,
        48 cnt: u32,
        52 uprobe_multi_flags: u32,
        56 pid: u32,
        60 pad: u32,
    }

    /// `BPF_*_GET_NEXT_ID` and `BPF_*_GET_FD_BY_ID`.
    GetId: 12 bytes {
        0 id: u32,
        4 next_id: u32,
        8 open_flags: u32,
    }

    /// `BPF_OBJ_GET`.
    ObjGet: 16 bytes {
        0 pathname: u64,
        8 bpf_fd: u32,
        12 file_flags: u32,
    }

    /// `BPF_ENABLE_STATS`.
    EnableStats: 4 bytes {
        0 stats_type: u32,
    }

    /// `BPF_OBJ_GET_INFO_BY_FD`.
    GetInfo: 16 bytes {
        0 bpf_fd: u32,
        4 info_len: u32,
        8 info: u64,
    }

    /// `struct bpf_prog_info`, as far as it is used.
    ProgInfo: 224 bytes {
        0 prog_type: u32,
        4 id: u32,
        8 tag: [u8; 8],
        16 jited_prog_len: u32,
        20 xlated_prog_len: u32,
        24 jited_prog_insns: u64,
        32 xlated_prog_insns: u64,
        40 load_time: u64,
        48 created_by_uid: u32,
        52 nr_map_ids: u32,
        56 map_ids: u64,
        64 name: [u8; 16],
        80 ifindex: u32,
        84 gpl_compatible: u32,
        88 netns_dev: u64,
        96 netns_ino: u64,
        104 nr_jited_ksyms: u32,
        108 nr_jited_func_lens: u32,
        112 jited_ksyms: u64,
        120 jited_func_lens: u64,
        128 btf_id: u32,
        132 func_info_rec_size: u32,
        136 func_info: u64,
        144 nr_func_info: u32,
        148 nr_line_info: u32,
        152 line_info: u64,
        160 jited_line_info: u64,
        168 nr_jited_line_info: u32,
        172 line_info_rec_size: u32,
        176 jited_line_info_rec_size: u32,
        180 nr_prog_tags: u32,
        184 prog_tags: u64,
        192 run_time_ns: u64,
        200 run_cnt: u64,
        208 recursion_misses: u64,
        216 verified_insns: u32,
        220 attach_btf_obj_id: u32,
    }

    /// `struct bpf_map_info`, as far as it is used.
    MapInfo: 80 bytes {
        0 map_type: u32,
        4 id: u32,
        8 key_size: u32,
        12 value_size: u32,
        16 max_entries: u32,
        20 map_flags: u32,
        24 name: [u8; 16],
        40 ifindex: u32,
        44 btf_vmlinux_value_type_id: u32,
        48 netns_dev: u64,
        56 netns_ino: u64,
        64 btf_id: u32,
        68 btf_key_type_id: u32,
        72 btf_value_type_id: u32,
        76 btf_vmlinux_id: u32,
    }

    /// `struct bpf_link_info`, as far as all kinds of links share it.
    LinkInfo: 16 bytes {
        0 link_type: u32,
        4 id: u32,
        8 prog_id: u32,
        12 pad: u32,
    }

    /// `struct bpf_link_info` of a link to a kprobe or kretprobe as a perf event (Linux 6.6).
    KprobeLinkInfo: 64 bytes {
        0 link_type: u32,
        4 id: u32,
        8 prog_id: u32,
        12 pad: u32,
        16 event_type: u32,
        20 pad_2: u32,
        24 function: u64,
        32 function_len: u32,
        36 offset: u32,
        40 address: u64,
        48 missed: u64,
        56 cookie: u64,
    }

    /// `struct bpf_btf_info`.
    BtfInfo: 32 bytes {
        0 btf: u64,
        8 btf_size: u32,
        12 id: u32,
        16 name: u64,
        24 name_len: u32,
        28 kernel_btf: u32,
    }

    /// `struct perf_event_attr` as of its second version, which has all that a probe needs.
    PerfEventAttr: 72 bytes {
        0 event_type: u32,
        4 size: u32,
        8 config: u64,
        16 sample_period: u64,
        24 sample_type: u64,
        32 read_format: u64,
        40 flags: u64,
        48 wakeup_events: u32,
        52 bp_type: u32,
        56 config1: u64,
        64 config2: u64,
    }
}

/// The address of a slice for the kernel; 0 for an empty slice.
pub(crate) fn address<T>(slice: &[T]) -> u64 {
    if slice.is_empty() { 0 } else { slice.as_ptr() as u64 }
}

/// The address of a slice that the kernel writes to.
pub(crate) fn address_mut<T>(slice: &mut [T]) -> u64 {
    if slice.is_empty() { 0 } else { slice.as_mut_ptr() as u64 }
}

/// A length for the kernel.
///
/// # Panics
/// If it is 4 GiB or more, which no buffer here is.
pub(crate) fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("the kernel's lengths are 32 bits wide")
}

/// A name that the kernel accepts: up to 15 letters, digits, `_` and `.`, then a zero.
pub(crate) fn object_name(name: &str) -> [u8; 16] {
    let mut field = [0; 16];
    for (to, from) in field[..15].iter_mut().zip(name.bytes()) {
        *to = if from.is_ascii_alphanumeric() || from == b'.' { from } else { b'_' };
    }
    field
}

/// A name that the kernel returned.
pub(crate) fn name_text(field: &[u8]) -> String {
    let end = memchr::memchr(0, field).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_acceptable() {
        assert_eq!(&object_name("bitehist"), b"bitehist\0\0\0\0\0\0\0\0");
        assert_eq!(&object_name("a-very/long name indeed"), b"a_very_long_nam\0");
        assert_eq!(name_text(b"abc\0def"), "abc");
        assert_eq!(name_text(b"abcdefgh"), "abcdefgh");
    }

    #[test]
    fn an_empty_slice_has_no_address() {
        assert_eq!(address::<u8>(&[]), 0);
        assert_eq!(address_mut::<u64>(&mut []), 0);
        assert_ne!(address(&[1]), 0);
    }
}
