//! The functions and builtins of bpftrace 0.27: which are supported, and which are refused by their names.

/// The most frames of a stack.
pub const MOST_FRAMES: usize = 127;

/// The functions that are supported.
pub const FUNCTIONS: [&str; 27] = [
    "avg", "clear", "comm", "count", "delete", "exit", "has_key", "hist", "kstack", "len", "lhist",
    "max", "min", "nsecs", "offsetof", "pid", "print", "printf", "sizeof", "stats", "str",
    "strftime", "strncmp", "sum", "tid", "time", "zero",
];

/// The functions of bpftrace 0.27 that are not.
pub const UNSUPPORTED_FUNCTIONS: [&str; 59] = [
    "assert",
    "assert_str",
    "bswap",
    "buf",
    "cat",
    "cgroup_path",
    "cgroupid",
    "comptime",
    "debugf",
    "errorf",
    "fail",
    "find",
    "getopt",
    "globmatch",
    "is_array",
    "is_integer",
    "is_literal",
    "is_ptr",
    "is_str",
    "is_unsigned_integer",
    "join",
    "kaddr",
    "kfunc_allowed",
    "kfunc_exist",
    "kptr",
    "ksym",
    "llist",
    "macaddr",
    "memcmp",
    "ntop",
    "override",
    "path",
    "percpu_kaddr",
    "pton",
    "reg",
    "signal",
    "signal_thread",
    "skboutput",
    "socket_cookie",
    "static_assert",
    "strcap",
    "strcontains",
    "strerror",
    "strlen",
    "strstr",
    "syscall_name",
    "signal_name",
    "system",
    "tid_ns",
    "tseries",
    "typeof",
    "typeinfo",
    "uaddr",
    "unwatch",
    "uptr",
    "ustack",
    "usym",
    "warnf",
    "default_str_length",
];

/// The builtins that are supported.
pub const BUILTINS: [&str; 21] = [
    "args",
    "comm",
    "cpid",
    "cpu",
    "curtask",
    "elapsed",
    "func",
    "gid",
    "kstack",
    "ncpus",
    "nsecs",
    "pid",
    "probe",
    "probetype",
    "rand",
    "retval",
    "tid",
    "uid",
    "arg0",
    "true",
    "false",
];

/// The builtins of bpftrace 0.27 that are not.
pub const UNSUPPORTED_BUILTINS: [&str; 14] = [
    "cgroup",
    "ctx",
    "has_cpid",
    "jiffies",
    "numaid",
    "pcomm",
    "ppid",
    "sarg0",
    "usermode",
    "username",
    "ustack",
    "thread_name",
    "errno",
    "stack_mode",
];

/// Whether bpftrace 0.27 has a function or builtin of this name that is not supported.
pub(super) fn is_unsupported(name: &str) -> bool {
    UNSUPPORTED_FUNCTIONS.contains(&name) || UNSUPPORTED_BUILTINS.contains(&name)
}
