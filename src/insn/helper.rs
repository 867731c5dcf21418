//! The helper functions of the kernel: every number a `call` instruction can carry.
//!
//! A helper is called by number, and the number means the same on every kernel that knows it. The
//! list is closed: the kernel adds kfuncs now, and its enum ends at 211.
//!
//! ```
//! use rawbpf::insn::helper;
//!
//! assert_eq!(helper::PROBE_READ_KERNEL.id, 113);
//! assert_eq!(helper::PROBE_READ_KERNEL.since, (5, 5));
//! assert_eq!(helper::Helper::by_name("bpf_ringbuf_output"), Some(helper::RINGBUF_OUTPUT));
//! ```
//!
//! # Where the facts come from
//!
//! | fact | made from | checked by |
//! |---|---|---|
//! | `id`, `name` | `enum bpf_func_id` of seven kernels, 5.10 to 7.3 | the running kernel, which prints every name in its log |
//! | `since` | the lists that bcc and docs.ebpf.io keep; where they differ, the date of the commit | the enums of seven kernels (`tests/data/helper-ids.txt`), and the order: a later number never came earlier |
//! | `gpl_only` | the verifier's answers; for ten helpers `struct bpf_func_proto` in the source | the running kernel, which is shown a call of every helper from every program type it loads, under a licence that is not the GPL |
//!
//! Should somebody compare: the map helpers came with 3.19 (3.18 had the verifier and no helper
//! yet), `bpf_get_prandom_u32` with 4.1, `bpf_tcp_gen_syncookie` with 5.4. One list or the other
//! has other versions for each.
//!
//! The answers for `gpl_only` were the same on 5.10, 6.1, 6.12, 6.18 and 7.3. The last showed 201
//! helpers. For the other ten, the answer is from the source: `lsm` and `struct_ops` accept GPL programs only,
//! so a run cannot show the answers for `bpf_tcp_send_ack`, `bpf_inode_storage_get`,
//! `bpf_inode_storage_delete`, `bpf_bprm_opts_set`, `bpf_ima_inode_hash` and `bpf_ima_file_hash`; and none of
//! these kernels was built with `bpf_override_return` or the three helpers of `lirc_mode2` (`bpf_rc_repeat`,
//! `bpf_rc_keydown`, `bpf_rc_pointer_rel`). To see the answers of your own kernel:
//! `cargo test --test helpers -- --ignored --nocapture`.
//!
//! # What these facts do not mean
//!
//! - That a helper exists does not mean that every program type may call it, nor that every
//!   architecture has it.
//! - `gpl_only` is true for most program types. Some have a variant of their own that any
//!   program may call: `bpf_get_stackid` in `perf_event`, `bpf_get_func_ip` in the multi-probes.
//! - `gpl_only` is true for current kernels. `bpf_ktime_get_ns` was for GPL programs only before 5.8.

/// A helper function of the kernel, called by number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Helper {
    /// The number in the `call` instruction.
    pub id: u32,
    /// The name as the verifier prints it: `bpf_map_lookup_elem`.
    pub name: &'static str,
    /// The first mainline kernel that knows the number, as (major, minor).
    pub since: (u8, u8),
    /// Whether the kernel refuses the call to a program whose licence is not GPL-compatible.
    pub gpl_only: bool,
}

impl Helper {
    /// The helper with this number.
    pub fn by_id(id: u32) -> Option<Helper> {
        let index = id.checked_sub(1)?;
        ALL.get(usize::try_from(index).ok()?).copied()
    }

    /// The helper with this name, spelt as the verifier spells it.
    pub fn by_name(name: &str) -> Option<Helper> {
        ALL.iter().find(|helper| helper.name == name).copied()
    }
}

const ANY: bool = false;
const GPL: bool = true;

/// One row per helper: `NAME = (id, name, since major, since minor, licence);`, in order of id.
macro_rules! helpers {
    ($($(#[$doc:meta])* $NAME:ident = ($id:literal, $name:literal, $major:literal, $minor:literal, $licence:ident);)*) => {
        $(
            $(#[$doc])*
            #[doc = ""]
            #[doc = concat!(
                "`", $name, "#", $id, "`, Linux ", $major, ".", $minor, " and later",
                licence!($licence), "."
            )]
            pub const $NAME: Helper = Helper {
                id: $id,
                name: $name,
                since: ($major, $minor),
                gpl_only: $licence,
            };
        )*

        /// Every helper, in order of its number.
        pub const ALL: &[Helper] = &[$($NAME),*];

        #[cfg(test)]
        const CONST_NAMES: &[&str] = &[$(stringify!($NAME)),*];
    };
}

macro_rules! licence {
    (ANY) => {
        ""
    };
    (GPL) => {
        ", for GPL-compatible programs only"
    };
}

helpers! {
    /// Finds a key in a map; returns the address of its value, or NULL.
    MAP_LOOKUP_ELEM = (1, "bpf_map_lookup_elem", 3, 19, ANY);
    /// Writes a key's value into a map, creating the entry or not as the flags say.
    MAP_UPDATE_ELEM = (2, "bpf_map_update_elem", 3, 19, ANY);
    /// Removes a key from a map.
    MAP_DELETE_ELEM = (3, "bpf_map_delete_elem", 3, 19, ANY);
    /// Copies memory from an address that may fault, kernel or user; the two later forms that name the side replace it.
    PROBE_READ = (4, "bpf_probe_read", 4, 1, GPL);
    /// Returns the monotonic clock in nanoseconds; time asleep does not count.
    KTIME_GET_NS = (5, "bpf_ktime_get_ns", 4, 1, ANY);
    /// Prints a line with up to three values to the tracing buffer.
    TRACE_PRINTK = (6, "bpf_trace_printk", 4, 1, GPL);
    /// Returns 32 pseudo-random bits.
    GET_PRANDOM_U32 = (7, "bpf_get_prandom_u32", 4, 1, ANY);
    /// Returns the number of the CPU the program runs on.
    GET_SMP_PROCESSOR_ID = (8, "bpf_get_smp_processor_id", 4, 1, ANY);
    /// Overwrites bytes of a packet, mending its checksum when asked.
    SKB_STORE_BYTES = (9, "bpf_skb_store_bytes", 4, 1, ANY);
    /// Adjusts the IP header's checksum to a changed field.
    L3_CSUM_REPLACE = (10, "bpf_l3_csum_replace", 4, 1, ANY);
    /// Adjusts the TCP or UDP checksum to a changed field.
    L4_CSUM_REPLACE = (11, "bpf_l4_csum_replace", 4, 1, ANY);
    /// Continues in another program out of a program array; comes back only on failure.
    TAIL_CALL = (12, "bpf_tail_call", 4, 2, ANY);
    /// Sends a copy of the packet to another device.
    CLONE_REDIRECT = (13, "bpf_clone_redirect", 4, 2, ANY);
    /// Returns the current process id in the upper and the thread id in the lower 32 bits.
    GET_CURRENT_PID_TGID = (14, "bpf_get_current_pid_tgid", 4, 2, ANY);
    /// Returns the current gid in the upper and the uid in the lower 32 bits.
    GET_CURRENT_UID_GID = (15, "bpf_get_current_uid_gid", 4, 2, ANY);
    /// Copies the current task's command name into a buffer.
    GET_CURRENT_COMM = (16, "bpf_get_current_comm", 4, 2, ANY);
    /// Returns the net_cls class (cgroup v1) of the packet's task.
    GET_CGROUP_CLASSID = (17, "bpf_get_cgroup_classid", 4, 3, ANY);
    /// Puts a VLAN tag on the packet.
    SKB_VLAN_PUSH = (18, "bpf_skb_vlan_push", 4, 3, ANY);
    /// Takes the outer VLAN tag off the packet.
    SKB_VLAN_POP = (19, "bpf_skb_vlan_pop", 4, 3, ANY);
    /// Reads the tunnel metadata of a packet: id, remote address, TTL.
    SKB_GET_TUNNEL_KEY = (20, "bpf_skb_get_tunnel_key", 4, 3, ANY);
    /// Sets the tunnel metadata a packet is to be encapsulated with.
    SKB_SET_TUNNEL_KEY = (21, "bpf_skb_set_tunnel_key", 4, 3, ANY);
    /// Returns a perf counter out of an event array, value and error in one number.
    PERF_EVENT_READ = (22, "bpf_perf_event_read", 4, 3, GPL);
    /// Asks for the packet to leave by another device.
    REDIRECT = (23, "bpf_redirect", 4, 4, ANY);
    /// Returns the realm of the packet's route.
    GET_ROUTE_REALM = (24, "bpf_get_route_realm", 4, 4, ANY);
    /// Writes a record into a perf event array's ring buffer.
    PERF_EVENT_OUTPUT = (25, "bpf_perf_event_output", 4, 4, GPL);
    /// Copies bytes out of a packet.
    SKB_LOAD_BYTES = (26, "bpf_skb_load_bytes", 4, 5, ANY);
    /// Stores a stack trace in a stack map; returns its id.
    GET_STACKID = (27, "bpf_get_stackid", 4, 6, GPL);
    /// Returns the checksum difference between an old and a new buffer.
    CSUM_DIFF = (28, "bpf_csum_diff", 4, 6, ANY);
    /// Reads a packet's tunnel options.
    SKB_GET_TUNNEL_OPT = (29, "bpf_skb_get_tunnel_opt", 4, 6, ANY);
    /// Sets a packet's tunnel options.
    SKB_SET_TUNNEL_OPT = (30, "bpf_skb_set_tunnel_opt", 4, 6, ANY);
    /// Turns a packet from IPv4 into IPv6 or back, making the room for it.
    SKB_CHANGE_PROTO = (31, "bpf_skb_change_proto", 4, 8, ANY);
    /// Changes whom a packet is meant for: this host, another, all.
    SKB_CHANGE_TYPE = (32, "bpf_skb_change_type", 4, 8, ANY);
    /// Returns whether the packet's socket lives below a cgroup of a cgroup array.
    SKB_UNDER_CGROUP = (33, "bpf_skb_under_cgroup", 4, 8, ANY);
    /// Returns the packet's flow hash, computing it when it is missing.
    GET_HASH_RECALC = (34, "bpf_get_hash_recalc", 4, 8, ANY);
    /// Returns the address of the current task_struct as a plain number.
    GET_CURRENT_TASK = (35, "bpf_get_current_task", 4, 8, GPL);
    /// Writes into the current task's memory; warns in the kernel log when loaded.
    PROBE_WRITE_USER = (36, "bpf_probe_write_user", 4, 8, GPL);
    /// Returns whether the current task lives below a cgroup of a cgroup array.
    CURRENT_TASK_UNDER_CGROUP = (37, "bpf_current_task_under_cgroup", 4, 9, ANY);
    /// Lengthens or trims a packet at its end.
    SKB_CHANGE_TAIL = (38, "bpf_skb_change_tail", 4, 9, ANY);
    /// Makes the first bytes of a packet directly readable and writable.
    SKB_PULL_DATA = (39, "bpf_skb_pull_data", 4, 9, ANY);
    /// Adds a value to the packet's full checksum.
    CSUM_UPDATE = (40, "bpf_csum_update", 4, 9, ANY);
    /// Drops the packet's flow hash, so that it is computed anew.
    SET_HASH_INVALID = (41, "bpf_set_hash_invalid", 4, 9, ANY);
    /// Returns the NUMA node the program runs on.
    GET_NUMA_NODE_ID = (42, "bpf_get_numa_node_id", 4, 10, ANY);
    /// Makes room before a packet's first byte.
    SKB_CHANGE_HEAD = (43, "bpf_skb_change_head", 4, 10, ANY);
    /// Moves the start of an XDP frame, gaining or losing header bytes.
    XDP_ADJUST_HEAD = (44, "bpf_xdp_adjust_head", 4, 10, ANY);
    /// Copies a string from an address that may fault; returns its length with the NUL.
    PROBE_READ_STR = (45, "bpf_probe_read_str", 4, 11, GPL);
    /// Returns a number that names a socket for as long as it lives.
    GET_SOCKET_COOKIE = (46, "bpf_get_socket_cookie", 4, 12, ANY);
    /// Returns the uid that owns the packet's socket.
    GET_SOCKET_UID = (47, "bpf_get_socket_uid", 4, 12, ANY);
    /// Sets the packet's flow hash.
    SET_HASH = (48, "bpf_set_hash", 4, 13, ANY);
    /// Sets an option of a socket.
    SETSOCKOPT = (49, "bpf_setsockopt", 4, 13, ANY);
    /// Grows or shrinks a packet between its headers, as for an encapsulation.
    SKB_ADJUST_ROOM = (50, "bpf_skb_adjust_room", 4, 13, ANY);
    /// Asks for the frame to go to a device, CPU or AF_XDP socket kept in a map.
    REDIRECT_MAP = (51, "bpf_redirect_map", 4, 14, ANY);
    /// Hands a packet to a socket kept in a sockmap.
    SK_REDIRECT_MAP = (52, "bpf_sk_redirect_map", 4, 14, ANY);
    /// Puts the socket at hand into a sockmap.
    SOCK_MAP_UPDATE = (53, "bpf_sock_map_update", 4, 14, ANY);
    /// Makes room for metadata before an XDP frame.
    XDP_ADJUST_META = (54, "bpf_xdp_adjust_meta", 4, 15, ANY);
    /// Copies a perf counter with its enabled and running times into a buffer.
    PERF_EVENT_READ_VALUE = (55, "bpf_perf_event_read_value", 4, 15, GPL);
    /// Copies the counter of the perf event that runs this program into a buffer.
    PERF_PROG_READ_VALUE = (56, "bpf_perf_prog_read_value", 4, 15, GPL);
    /// Reads an option of a socket.
    GETSOCKOPT = (57, "bpf_getsockopt", 4, 15, ANY);
    /// Skips the probed function and returns the given value from it.
    OVERRIDE_RETURN = (58, "bpf_override_return", 4, 16, GPL);
    /// Chooses which TCP events call this sock_ops program again.
    SOCK_OPS_CB_FLAGS_SET = (59, "bpf_sock_ops_cb_flags_set", 4, 16, ANY);
    /// Hands a message to a socket kept in a sockmap.
    MSG_REDIRECT_MAP = (60, "bpf_msg_redirect_map", 4, 17, ANY);
    /// Lets one verdict hold for the next bytes of a message.
    MSG_APPLY_BYTES = (61, "bpf_msg_apply_bytes", 4, 17, ANY);
    /// Holds the verdict back until that many bytes have come.
    MSG_CORK_BYTES = (62, "bpf_msg_cork_bytes", 4, 17, ANY);
    /// Makes a range of a message directly readable.
    MSG_PULL_DATA = (63, "bpf_msg_pull_data", 4, 17, ANY);
    /// Binds a connecting socket to a local address.
    BIND = (64, "bpf_bind", 4, 17, ANY);
    /// Moves the end of an XDP frame.
    XDP_ADJUST_TAIL = (65, "bpf_xdp_adjust_tail", 4, 18, ANY);
    /// Reads the IPsec state a packet went through.
    SKB_GET_XFRM_STATE = (66, "bpf_skb_get_xfrm_state", 4, 18, ANY);
    /// Copies a stack trace into a buffer; returns its length in bytes.
    GET_STACK = (67, "bpf_get_stack", 4, 18, GPL);
    /// Copies bytes out of a packet, counted from its link or network header.
    SKB_LOAD_BYTES_RELATIVE = (68, "bpf_skb_load_bytes_relative", 4, 18, ANY);
    /// Asks the routing table for the next hop and its addresses.
    FIB_LOOKUP = (69, "bpf_fib_lookup", 4, 18, GPL);
    /// Puts the socket at hand into a sockhash.
    SOCK_HASH_UPDATE = (70, "bpf_sock_hash_update", 4, 18, ANY);
    /// Hands a message to a socket kept in a sockhash.
    MSG_REDIRECT_HASH = (71, "bpf_msg_redirect_hash", 4, 18, ANY);
    /// Hands a packet to a socket kept in a sockhash.
    SK_REDIRECT_HASH = (72, "bpf_sk_redirect_hash", 4, 18, ANY);
    /// Wraps a packet into an outer header: SRv6, or an IP tunnel's.
    LWT_PUSH_ENCAP = (73, "bpf_lwt_push_encap", 4, 18, ANY);
    /// Writes into the writable parts of a segment routing header.
    LWT_SEG6_STORE_BYTES = (74, "bpf_lwt_seg6_store_bytes", 4, 18, ANY);
    /// Grows or shrinks the TLVs of a segment routing header.
    LWT_SEG6_ADJUST_SRH = (75, "bpf_lwt_seg6_adjust_srh", 4, 18, ANY);
    /// Applies a segment routing action to the packet.
    LWT_SEG6_ACTION = (76, "bpf_lwt_seg6_action", 4, 18, ANY);
    /// Reports that the remote control's last key is repeated.
    RC_REPEAT = (77, "bpf_rc_repeat", 4, 18, GPL);
    /// Reports a key decoded from a remote control.
    RC_KEYDOWN = (78, "bpf_rc_keydown", 4, 18, GPL);
    /// Returns the cgroup v2 id of the packet's socket.
    SKB_CGROUP_ID = (79, "bpf_skb_cgroup_id", 4, 18, ANY);
    /// Returns the cgroup v2 id of the current task.
    GET_CURRENT_CGROUP_ID = (80, "bpf_get_current_cgroup_id", 4, 18, ANY);
    /// Returns the address of the cgroup's own storage.
    GET_LOCAL_STORAGE = (81, "bpf_get_local_storage", 4, 19, ANY);
    /// Chooses which socket of a reuseport group gets the packet.
    SK_SELECT_REUSEPORT = (82, "bpf_sk_select_reuseport", 4, 19, ANY);
    /// Returns the id of the packet's cgroup at a level of the hierarchy.
    SKB_ANCESTOR_CGROUP_ID = (83, "bpf_skb_ancestor_cgroup_id", 4, 19, ANY);
    /// Finds a TCP socket by its addresses; it must be released again.
    SK_LOOKUP_TCP = (84, "bpf_sk_lookup_tcp", 4, 20, ANY);
    /// Finds a UDP socket by its addresses; it must be released again.
    SK_LOOKUP_UDP = (85, "bpf_sk_lookup_udp", 4, 20, ANY);
    /// Gives back a socket that a lookup returned.
    SK_RELEASE = (86, "bpf_sk_release", 4, 20, ANY);
    /// Adds a value to a queue, a stack or a bloom filter.
    MAP_PUSH_ELEM = (87, "bpf_map_push_elem", 4, 20, ANY);
    /// Takes the next value off a queue or stack.
    MAP_POP_ELEM = (88, "bpf_map_pop_elem", 4, 20, ANY);
    /// Reads the next value and leaves it there; asks a bloom filter for a value.
    MAP_PEEK_ELEM = (89, "bpf_map_peek_elem", 4, 20, ANY);
    /// Inserts bytes into a message.
    MSG_PUSH_DATA = (90, "bpf_msg_push_data", 4, 20, ANY);
    /// Cuts bytes out of a message.
    MSG_POP_DATA = (91, "bpf_msg_pop_data", 5, 0, ANY);
    /// Reports a relative pointer movement from a remote control.
    RC_POINTER_REL = (92, "bpf_rc_pointer_rel", 5, 0, GPL);
    /// Takes the spin lock inside a map value.
    SPIN_LOCK = (93, "bpf_spin_lock", 5, 1, ANY);
    /// Releases the spin lock taken before.
    SPIN_UNLOCK = (94, "bpf_spin_unlock", 5, 1, ANY);
    /// Returns the full socket behind a packet's socket, or NULL.
    SK_FULLSOCK = (95, "bpf_sk_fullsock", 5, 1, ANY);
    /// Returns the TCP view of a socket, or NULL.
    TCP_SOCK = (96, "bpf_tcp_sock", 5, 1, ANY);
    /// Marks a packet as having met congestion.
    SKB_ECN_SET_CE = (97, "bpf_skb_ecn_set_ce", 5, 1, ANY);
    /// Returns the listening socket a connection came from, or NULL.
    GET_LISTENER_SOCK = (98, "bpf_get_listener_sock", 5, 1, ANY);
    /// Finds a TCP socket in any state, request and timewait included.
    SKC_LOOKUP_TCP = (99, "bpf_skc_lookup_tcp", 5, 2, ANY);
    /// Returns whether an ACK carries a valid SYN cookie for the listener.
    TCP_CHECK_SYNCOOKIE = (100, "bpf_tcp_check_syncookie", 5, 2, GPL);
    /// Copies the name of the sysctl being touched.
    SYSCTL_GET_NAME = (101, "bpf_sysctl_get_name", 5, 2, ANY);
    /// Copies the sysctl's value of now.
    SYSCTL_GET_CURRENT_VALUE = (102, "bpf_sysctl_get_current_value", 5, 2, ANY);
    /// Copies the value about to be written to the sysctl.
    SYSCTL_GET_NEW_VALUE = (103, "bpf_sysctl_get_new_value", 5, 2, ANY);
    /// Replaces the value about to be written to the sysctl.
    SYSCTL_SET_NEW_VALUE = (104, "bpf_sysctl_set_new_value", 5, 2, ANY);
    /// Parses a signed number into memory; returns how many characters it took.
    STRTOL = (105, "bpf_strtol", 5, 2, ANY);
    /// Parses an unsigned number into memory; returns how many characters it took.
    STRTOUL = (106, "bpf_strtoul", 5, 2, ANY);
    /// Returns a socket's own value in a storage map, made when asked, or NULL.
    SK_STORAGE_GET = (107, "bpf_sk_storage_get", 5, 2, ANY);
    /// Removes a socket's own value from a storage map.
    SK_STORAGE_DELETE = (108, "bpf_sk_storage_delete", 5, 2, ANY);
    /// Sends a signal to the current process.
    SEND_SIGNAL = (109, "bpf_send_signal", 5, 3, ANY);
    /// Returns a SYN cookie for a SYN, with the MSS it stands for.
    TCP_GEN_SYNCOOKIE = (110, "bpf_tcp_gen_syncookie", 5, 4, GPL);
    /// Writes a record and part of a packet to a perf event array, from tracing programs.
    SKB_OUTPUT = (111, "bpf_skb_output", 5, 5, GPL);
    /// Copies memory from a user address that may fault.
    PROBE_READ_USER = (112, "bpf_probe_read_user", 5, 5, GPL);
    /// Copies memory from a kernel address that may fault.
    PROBE_READ_KERNEL = (113, "bpf_probe_read_kernel", 5, 5, GPL);
    /// Copies a string from a user address; returns its length with the NUL.
    PROBE_READ_USER_STR = (114, "bpf_probe_read_user_str", 5, 5, GPL);
    /// Copies a string from a kernel address; returns its length with the NUL.
    PROBE_READ_KERNEL_STR = (115, "bpf_probe_read_kernel_str", 5, 5, GPL);
    /// Sends an ACK, for a congestion control written in BPF.
    TCP_SEND_ACK = (116, "bpf_tcp_send_ack", 5, 6, ANY);
    /// Sends a signal to the current thread.
    SEND_SIGNAL_THREAD = (117, "bpf_send_signal_thread", 5, 6, ANY);
    /// Returns the 64-bit tick count.
    JIFFIES64 = (118, "bpf_jiffies64", 5, 6, ANY);
    /// Copies the branch records of the perf event that runs this program.
    READ_BRANCH_RECORDS = (119, "bpf_read_branch_records", 5, 7, GPL);
    /// Copies the current pid and tgid as a given pid namespace sees them.
    GET_NS_CURRENT_PID_TGID = (120, "bpf_get_ns_current_pid_tgid", 5, 7, ANY);
    /// Writes a record and part of an XDP frame to a perf event array, from tracing programs.
    XDP_OUTPUT = (121, "bpf_xdp_output", 5, 7, GPL);
    /// Returns a number that names a network namespace for good.
    GET_NETNS_COOKIE = (122, "bpf_get_netns_cookie", 5, 7, ANY);
    /// Returns the id of the current task's cgroup at a level of the hierarchy.
    GET_CURRENT_ANCESTOR_CGROUP_ID = (123, "bpf_get_current_ancestor_cgroup_id", 5, 7, ANY);
    /// Gives the packet to the socket of the program's choice.
    SK_ASSIGN = (124, "bpf_sk_assign", 5, 7, ANY);
    /// Returns the time since boot in nanoseconds; time asleep counts.
    KTIME_GET_BOOT_NS = (125, "bpf_ktime_get_boot_ns", 5, 8, ANY);
    /// Prints formatted text into the file that an iterator fills.
    SEQ_PRINTF = (126, "bpf_seq_printf", 5, 8, GPL);
    /// Writes raw bytes into the file that an iterator fills.
    SEQ_WRITE = (127, "bpf_seq_write", 5, 8, GPL);
    /// Returns the cgroup v2 id of a socket.
    SK_CGROUP_ID = (128, "bpf_sk_cgroup_id", 5, 8, ANY);
    /// Returns the id of a socket's cgroup at a level of the hierarchy.
    SK_ANCESTOR_CGROUP_ID = (129, "bpf_sk_ancestor_cgroup_id", 5, 8, ANY);
    /// Copies a record into a ring buffer.
    RINGBUF_OUTPUT = (130, "bpf_ringbuf_output", 5, 8, ANY);
    /// Reserves a record in a ring buffer; returns its address, or NULL when full.
    RINGBUF_RESERVE = (131, "bpf_ringbuf_reserve", 5, 8, ANY);
    /// Hands a reserved record to the reader.
    RINGBUF_SUBMIT = (132, "bpf_ringbuf_submit", 5, 8, ANY);
    /// Drops a reserved record.
    RINGBUF_DISCARD = (133, "bpf_ringbuf_discard", 5, 8, ANY);
    /// Returns a figure of a ring buffer: unread bytes, size or a position.
    RINGBUF_QUERY = (134, "bpf_ringbuf_query", 5, 8, ANY);
    /// Changes or reads how many checksums of a packet count as verified.
    CSUM_LEVEL = (135, "bpf_csum_level", 5, 8, ANY);
    /// Takes a socket for a tcp6_sock, or gives NULL.
    SKC_TO_TCP6_SOCK = (136, "bpf_skc_to_tcp6_sock", 5, 9, ANY);
    /// Takes a socket for a tcp_sock, or gives NULL.
    SKC_TO_TCP_SOCK = (137, "bpf_skc_to_tcp_sock", 5, 9, ANY);
    /// Takes a socket for a tcp_timewait_sock, or gives NULL.
    SKC_TO_TCP_TIMEWAIT_SOCK = (138, "bpf_skc_to_tcp_timewait_sock", 5, 9, ANY);
    /// Takes a socket for a tcp_request_sock, or gives NULL.
    SKC_TO_TCP_REQUEST_SOCK = (139, "bpf_skc_to_tcp_request_sock", 5, 9, ANY);
    /// Takes a socket for a udp6_sock, or gives NULL.
    SKC_TO_UDP6_SOCK = (140, "bpf_skc_to_udp6_sock", 5, 9, ANY);
    /// Copies a given task's stack trace into a buffer; returns its length.
    GET_TASK_STACK = (141, "bpf_get_task_stack", 5, 9, ANY);
    /// Finds a TCP header option and copies it out.
    LOAD_HDR_OPT = (142, "bpf_load_hdr_opt", 5, 10, ANY);
    /// Adds an option to the TCP header being written.
    STORE_HDR_OPT = (143, "bpf_store_hdr_opt", 5, 10, ANY);
    /// Reserves room for options in the TCP header to come.
    RESERVE_HDR_OPT = (144, "bpf_reserve_hdr_opt", 5, 10, ANY);
    /// Returns an inode's own value in a storage map, made when asked, or NULL.
    INODE_STORAGE_GET = (145, "bpf_inode_storage_get", 5, 10, ANY);
    /// Removes an inode's own value from a storage map.
    INODE_STORAGE_DELETE = (146, "bpf_inode_storage_delete", 5, 10, ANY);
    /// Writes a path as text into a buffer; returns its length.
    D_PATH = (147, "bpf_d_path", 5, 10, ANY);
    /// Copies user memory and may sleep to page it in.
    COPY_FROM_USER = (148, "bpf_copy_from_user", 5, 10, ANY);
    /// Writes a kernel structure as text into a buffer, by its BTF type.
    SNPRINTF_BTF = (149, "bpf_snprintf_btf", 5, 10, ANY);
    /// Writes a kernel structure as text into an iterator's file, by its BTF type.
    SEQ_PRINTF_BTF = (150, "bpf_seq_printf_btf", 5, 10, GPL);
    /// Returns the net_cls class of the packet's socket.
    SKB_CGROUP_CLASSID = (151, "bpf_skb_cgroup_classid", 5, 10, ANY);
    /// Redirects to a device and lets the neighbour table fill in the link addresses.
    REDIRECT_NEIGH = (152, "bpf_redirect_neigh", 5, 10, ANY);
    /// Returns the address of a kernel per-CPU variable on a given CPU, or NULL.
    PER_CPU_PTR = (153, "bpf_per_cpu_ptr", 5, 10, ANY);
    /// Returns the address of a kernel per-CPU variable on this CPU.
    THIS_CPU_PTR = (154, "bpf_this_cpu_ptr", 5, 10, ANY);
    /// Redirects to the device's peer in another network namespace.
    REDIRECT_PEER = (155, "bpf_redirect_peer", 5, 10, ANY);
    /// Returns a task's own value in a storage map, made when asked, or NULL.
    TASK_STORAGE_GET = (156, "bpf_task_storage_get", 5, 11, ANY);
    /// Removes a task's own value from a storage map.
    TASK_STORAGE_DELETE = (157, "bpf_task_storage_delete", 5, 11, ANY);
    /// Returns the current task_struct as a pointer the verifier knows the type of.
    GET_CURRENT_TASK_BTF = (158, "bpf_get_current_task_btf", 5, 11, GPL);
    /// Sets options of the program being executed, such as secure-exec.
    BPRM_OPTS_SET = (159, "bpf_bprm_opts_set", 5, 11, ANY);
    /// Returns the monotonic clock of the last tick: cheaper, less exact.
    KTIME_GET_COARSE_NS = (160, "bpf_ktime_get_coarse_ns", 5, 11, ANY);
    /// Copies the hash IMA keeps of an inode; returns its algorithm.
    IMA_INODE_HASH = (161, "bpf_ima_inode_hash", 5, 11, ANY);
    /// Returns the socket behind an open file, or NULL.
    SOCK_FROM_FILE = (162, "bpf_sock_from_file", 5, 11, ANY);
    /// Checks whether a packet fits the MTU of a device.
    CHECK_MTU = (163, "bpf_check_mtu", 5, 12, GPL);
    /// Calls a function for every entry of a map; returns how many.
    FOR_EACH_MAP_ELEM = (164, "bpf_for_each_map_elem", 5, 13, ANY);
    /// Formats text into a buffer; returns the length it needs.
    SNPRINTF = (165, "bpf_snprintf", 5, 13, GPL);
    /// Carries out a bpf(2) command from a syscall program.
    SYS_BPF = (166, "bpf_sys_bpf", 5, 14, ANY);
    /// Finds a BTF type by name and kind, in vmlinux or the modules.
    BTF_FIND_BY_NAME_KIND = (167, "bpf_btf_find_by_name_kind", 5, 14, ANY);
    /// Closes a file descriptor from a syscall program.
    SYS_CLOSE = (168, "bpf_sys_close", 5, 14, ANY);
    /// Readies the timer inside a map value.
    TIMER_INIT = (169, "bpf_timer_init", 5, 15, GPL);
    /// Sets the function that a timer calls.
    TIMER_SET_CALLBACK = (170, "bpf_timer_set_callback", 5, 15, GPL);
    /// Starts a timer that fires after a number of nanoseconds.
    TIMER_START = (171, "bpf_timer_start", 5, 15, GPL);
    /// Stops a timer, waiting for its function to end.
    TIMER_CANCEL = (172, "bpf_timer_cancel", 5, 15, GPL);
    /// Returns the address of the traced function.
    GET_FUNC_IP = (173, "bpf_get_func_ip", 5, 15, GPL);
    /// Returns the number user space gave when it attached the program.
    GET_ATTACH_COOKIE = (174, "bpf_get_attach_cookie", 5, 15, ANY);
    /// Returns the address of a task's saved user registers.
    TASK_PT_REGS = (175, "bpf_task_pt_regs", 5, 15, GPL);
    /// Copies the CPU's last branch records.
    GET_BRANCH_SNAPSHOT = (176, "bpf_get_branch_snapshot", 5, 16, GPL);
    /// Prints a line with any number of values to the tracing buffer.
    TRACE_VPRINTK = (177, "bpf_trace_vprintk", 5, 16, GPL);
    /// Takes a socket for a unix_sock, or gives NULL.
    SKC_TO_UNIX_SOCK = (178, "bpf_skc_to_unix_sock", 5, 16, ANY);
    /// Finds the address of a kernel symbol.
    KALLSYMS_LOOKUP_NAME = (179, "bpf_kallsyms_lookup_name", 5, 16, ANY);
    /// Calls a function with a task's memory area around an address.
    FIND_VMA = (180, "bpf_find_vma", 5, 17, ANY);
    /// Calls a function a number of times; the verifier checks it once.
    LOOP = (181, "bpf_loop", 5, 17, ANY);
    /// Compares a string with a constant one.
    STRNCMP = (182, "bpf_strncmp", 5, 17, ANY);
    /// Copies an argument of the traced function.
    GET_FUNC_ARG = (183, "bpf_get_func_arg", 5, 17, ANY);
    /// Copies what the traced function returned.
    GET_FUNC_RET = (184, "bpf_get_func_ret", 5, 17, ANY);
    /// Returns how many arguments the traced function has.
    GET_FUNC_ARG_CNT = (185, "bpf_get_func_arg_cnt", 5, 17, ANY);
    /// Returns the error the call is to give as things stand.
    GET_RETVAL = (186, "bpf_get_retval", 5, 18, ANY);
    /// Sets the error the call is to give.
    SET_RETVAL = (187, "bpf_set_retval", 5, 18, ANY);
    /// Returns the length of an XDP frame with all its fragments.
    XDP_GET_BUFF_LEN = (188, "bpf_xdp_get_buff_len", 5, 18, ANY);
    /// Copies bytes out of an XDP frame, fragments included.
    XDP_LOAD_BYTES = (189, "bpf_xdp_load_bytes", 5, 18, ANY);
    /// Writes bytes into an XDP frame, fragments included.
    XDP_STORE_BYTES = (190, "bpf_xdp_store_bytes", 5, 18, ANY);
    /// Copies another task's user memory and may sleep to page it in.
    COPY_FROM_USER_TASK = (191, "bpf_copy_from_user_task", 5, 18, GPL);
    /// Sets a packet's delivery time, or clears it.
    SKB_SET_TSTAMP = (192, "bpf_skb_set_tstamp", 5, 18, ANY);
    /// Computes or fetches the IMA hash of a file; returns its algorithm.
    IMA_FILE_HASH = (193, "bpf_ima_file_hash", 5, 18, ANY);
    /// Swaps the kernel pointer kept in a map value; returns the old one.
    KPTR_XCHG = (194, "bpf_kptr_xchg", 5, 19, ANY);
    /// Finds a key in a per-CPU map for a given CPU; returns the address or NULL.
    MAP_LOOKUP_PERCPU_ELEM = (195, "bpf_map_lookup_percpu_elem", 5, 19, ANY);
    /// Takes a socket for an mptcp_sock, or gives NULL.
    SKC_TO_MPTCP_SOCK = (196, "bpf_skc_to_mptcp_sock", 5, 19, ANY);
    /// Makes a dynptr over part of a map value.
    DYNPTR_FROM_MEM = (197, "bpf_dynptr_from_mem", 5, 19, ANY);
    /// Reserves a record of a length known only at run time, as a dynptr.
    RINGBUF_RESERVE_DYNPTR = (198, "bpf_ringbuf_reserve_dynptr", 5, 19, ANY);
    /// Hands a record reserved as a dynptr to the reader.
    RINGBUF_SUBMIT_DYNPTR = (199, "bpf_ringbuf_submit_dynptr", 5, 19, ANY);
    /// Drops a record reserved as a dynptr.
    RINGBUF_DISCARD_DYNPTR = (200, "bpf_ringbuf_discard_dynptr", 5, 19, ANY);
    /// Copies bytes out of a dynptr.
    DYNPTR_READ = (201, "bpf_dynptr_read", 5, 19, ANY);
    /// Copies bytes into a dynptr.
    DYNPTR_WRITE = (202, "bpf_dynptr_write", 5, 19, ANY);
    /// Returns the address of a slice of a dynptr, or NULL.
    DYNPTR_DATA = (203, "bpf_dynptr_data", 5, 19, ANY);
    /// Returns a SYN cookie for raw IPv4 and TCP headers, without a socket.
    TCP_RAW_GEN_SYNCOOKIE_IPV4 = (204, "bpf_tcp_raw_gen_syncookie_ipv4", 6, 0, GPL);
    /// Returns a SYN cookie for raw IPv6 and TCP headers, without a socket.
    TCP_RAW_GEN_SYNCOOKIE_IPV6 = (205, "bpf_tcp_raw_gen_syncookie_ipv6", 6, 0, GPL);
    /// Returns whether raw IPv4 and TCP headers carry a valid SYN cookie.
    TCP_RAW_CHECK_SYNCOOKIE_IPV4 = (206, "bpf_tcp_raw_check_syncookie_ipv4", 6, 0, GPL);
    /// Returns whether raw IPv6 and TCP headers carry a valid SYN cookie.
    TCP_RAW_CHECK_SYNCOOKIE_IPV6 = (207, "bpf_tcp_raw_check_syncookie_ipv6", 6, 0, GPL);
    /// Returns international atomic time in nanoseconds.
    KTIME_GET_TAI_NS = (208, "bpf_ktime_get_tai_ns", 6, 1, ANY);
    /// Calls a function for each record user space has put into a ring buffer.
    USER_RINGBUF_DRAIN = (209, "bpf_user_ringbuf_drain", 6, 1, ANY);
    /// Returns a cgroup's own value in a storage map, made when asked, or NULL.
    CGRP_STORAGE_GET = (210, "bpf_cgrp_storage_get", 6, 2, ANY);
    /// Removes a cgroup's own value from a storage map.
    CGRP_STORAGE_DELETE = (211, "bpf_cgrp_storage_delete", 6, 2, ANY);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_are_1_to_211_without_a_gap() {
        let ids: Vec<u32> = ALL.iter().map(|helper| helper.id).collect();
        assert_eq!(ids, (1..=211).collect::<Vec<u32>>());
    }

    #[test]
    fn names_are_unique() {
        let names: HashSet<&str> = ALL.iter().map(|helper| helper.name).collect();
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn a_constant_is_called_like_its_helper() {
        for (helper, constant) in ALL.iter().zip(CONST_NAMES) {
            let name = helper.name.strip_prefix("bpf_").unwrap();
            assert_eq!(name.to_uppercase(), **constant);
        }
    }

    #[test]
    fn by_id_and_by_name_find_every_helper() {
        for helper in ALL {
            assert_eq!(Helper::by_id(helper.id), Some(*helper));
            assert_eq!(Helper::by_name(helper.name), Some(*helper));
        }
    }

    #[test]
    fn by_id_and_by_name_know_nothing_else() {
        for id in [0, 212, u32::MAX] {
            assert_eq!(Helper::by_id(id), None);
        }
        for name in ["", "bpf_", "map_lookup_elem", "BPF_MAP_LOOKUP_ELEM", "bpf_unspec"] {
            assert_eq!(Helper::by_name(name), None);
        }
    }

    #[test]
    fn a_later_number_never_came_earlier() {
        // The kernel's enum only grows at its end, so versions rise with the numbers.
        assert!(ALL.is_sorted_by_key(|helper| helper.since));
    }

    #[test]
    fn well_known_helpers_are_what_they_are_known_for() {
        assert_eq!((MAP_LOOKUP_ELEM.id, MAP_LOOKUP_ELEM.since), (1, (3, 19)));
        assert_eq!((PROBE_READ.id, PROBE_READ.since, PROBE_READ.gpl_only), (4, (4, 1), true));
        assert_eq!((KTIME_GET_NS.id, KTIME_GET_NS.gpl_only), (5, false));
        assert_eq!((LOOP.id, LOOP.since), (181, (5, 17)));
        assert_eq!(CGRP_STORAGE_DELETE.since, (6, 2));
    }
}
