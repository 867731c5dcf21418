//! run: objects that clang makes of C, on this host's kernel.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::lines::interval;
use super::program::bpf_object;
use super::tool::{Ended, Tool, run};

/// What stands above each program.
const HEAD: &str = "\
typedef unsigned int u32;
typedef unsigned long long u64;
#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int (*name)[value]
#define __type(name, value) typeof(value) *name
#define noinline __attribute__((noinline))
#define CORE __attribute__((preserve_access_index))
static void *(*lookup)(void *map, const void *key) = (void *)1;
static long (*update)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static u64 (*pid_tgid)(void) = (void *)14;
static void *(*current)(void) = (void *)35;
static long (*read_kernel)(void *to, u32 size, const void *from) = (void *)113;
struct { __uint(type, 1); __uint(max_entries, 16); __type(key, u32); __type(value, u64); }
counts SEC(\".maps\");
char LICENSE[] SEC(\"license\") = \"GPL\";
";

fn compile(name: &str, program: &str, args: &[&str]) -> PathBuf {
    let args = [&["-mcpu=v3", "-Wno-unknown-attributes"], args].concat();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    bpf_object(folder, name, &format!("{HEAD}{program}"), &args)
}

fn run_object(object: &Path, args: &[&str]) -> Ended {
    run("run", &[&[object.to_str().unwrap()][..], args].concat())
}

const XDP: &str = "
    struct xdp_md { u32 data, data_end; };
    const volatile u32 factor = 3;
    u64 seen = 40;
    u64 bytes, runs;
    static noinline u32 twice(u32 x) { asm volatile(\"\" ::: \"memory\"); return x * 2; }
    SEC(\"xdp\") int drop(struct xdp_md *ctx)
    {
        u32 length = ctx->data_end - ctx->data;
        u64 value = twice(length) * factor;
        update(&counts, &length, &value, 0);
        seen += 2;
        bytes += length;
        runs++;
        return 1;
    }";

#[test]
#[ignore = "needs root, bpf(2) and clang: run tests/run"]
fn a_packet_program_counts_in_its_maps_and_variables() {
    let object = compile("drop", XDP, &["-g"]);
    let ended = run_object(&object, &["--ctx", &"00".repeat(101), "--repeat", "7"]);
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    let (first, maps) = ended.stdout.split_once('\n').unwrap();
    assert!(first.starts_with("drop returned 1 (XDP_DROP) in "), "{first}");
    let lines: Vec<_> = maps.lines().collect();
    assert_eq!(lines[..2], ["counts (hash)", "  101: 606"], "{maps}");
    let value = |section: &str| {
        let at = lines.iter().position(|line| line.starts_with(section)).unwrap();
        lines[at + 1]
    };
    assert_eq!(value(".rodata"), "  0: 3");
    assert_eq!(value(".data"), "  0: 54");
    assert!(["  0: 707 7", "  0: 7 707"].contains(&value(".bss")), "{maps}");
}

#[test]
#[ignore = "needs clang: run tests/run"]
fn what_is_dumped_of_an_object_assembles_to_what_is_run() {
    let object = compile("dumped", XDP, &["-g"]);
    let object = object.to_str().unwrap();
    let again = format!("{object}.bpf");
    std::fs::write(&again, run("dump", &[object]).stdout).unwrap();
    let assembled = run("asm", &[&again, "--emit", "hex"]);
    assert_eq!((assembled.code, &*assembled.stderr), (Some(0), ""));
    assert!(assembled.stdout.lines().count() > 30);
    assert_eq!(assembled.stdout, run("run", &[object, "--dump-insns=hex"]).stdout);
}

/// Names that mean something else in a text, sections of every sort, programs that are called, and what only
/// the kernel has.
const STRANGE: &str = "
    struct task_struct { int tgid; } CORE;
    extern void bpf_rcu_read_lock(void) SEC(\".ksyms\");
    extern const int init_task SEC(\".ksyms\");
    extern int LINUX_KERNEL_VERSION SEC(\".kconfig\");
    int g = 4;
    static const char odd[5] = \"abc\";
    static noinline int s(int x) { asm volatile(\"\" ::: \"memory\"); return x * g; }
    static noinline int r1(int x) { asm volatile(\"\" ::: \"memory\"); return s(x) + odd[x & 3]; }
    noinline int bpf_ktime_get_ns(int x) { asm volatile(\"\" ::: \"memory\"); return r1(x); }
    SEC(\"xdp_prog\") int a(void *ctx) { u32 k = 1; u64 *v = lookup(&counts, &k); return v ? bpf_ktime_get_ns(*v) : 0; }
    SEC(\"tc\") noinline int b(void *ctx) { asm volatile(\"\" ::: \"memory\"); return 1; }
    SEC(\"tc\") int c(void *ctx) { return b(ctx) + 1; }
    SEC(\"weird;name#1\") int d(void *ctx) { return 1; }
    SEC(\"1st\") int e(void *ctx) { return 1; }
    SEC(\"lsm.s/file_open\") int f(void *ctx) { return 0; }
    SEC(\"struct_ops/x\") int h(void *ctx) { return 0; }
    SEC(\"usdt//lib/x.so:p:n\") int i(void *ctx) { return 0; }
    SEC(\"?kprobe\") int j(void *ctx)
    {
        int tgid = 0;
        bpf_rcu_read_lock();
        read_kernel(&tgid, 4, &((struct task_struct *)current())->tgid);
        return tgid + LINUX_KERNEL_VERSION + (long)&init_task;
    }
    int alone(int x) { return s(x); }";

#[test]
#[ignore = "needs clang: run tests/run"]
fn any_object_is_dumped_as_a_text_that_asm_takes() {
    for (number, args) in
        [&["-g"][..], &["-g", "-mcpu=v1"], &["-g", "-mcpu=v4"], &["-g", "--target=bpfeb"]]
            .into_iter()
            .enumerate()
    {
        let object = compile(&format!("strange-{number}"), STRANGE, args);
        let object = object.to_str().unwrap();
        let text = run("dump", &[object]).stdout;
        let again = format!("{object}.bpf");
        std::fs::write(&again, &text).unwrap();
        let endian = if args.len() > 1 && args[1].ends_with("eb") { "big" } else { "little" };
        let asm = |format: &str| {
            let ended = run("asm", &[&again, "--endian", endian, "--emit", format]);
            assert_eq!((ended.code, &*ended.stderr), (Some(0), ""), "{text}");
            ended.stdout
        };
        // What refers to a map or a function is linked; all else is as in the object.
        let slots = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let (ours, theirs) =
            (slots(&asm("hex")), slots(&run("dump", &["-f", "hex", object]).stdout));
        assert_eq!(ours.len(), theirs.len());
        for (ours, theirs) in ours.iter().zip(&theirs).filter(|(ours, theirs)| ours != theirs) {
            assert!(["18", "85"].contains(&&ours[..2]), "{ours} {theirs}");
        }
        for program in [
            "a xdp",
            "d unknown ; section",
            "f lsm.s file_open",
            "i usdt /lib/x.so:p:n",
            "j ?kprobe",
        ] {
            assert!(text.contains(&format!("\n.program {program}")), "{program}: {text}");
        }
    }
}

/// Members in another order than the kernel has them, and one that it does not have.
const CALLS: &str = "
    struct task_struct { int tgid; struct task_struct *real_parent; } CORE;
    struct pt_regs { long orig_ax; } CORE;
    struct pt_regs___old { long gone; } CORE;
    enum pid_type { PIDTYPE_TGID = 77, PIDTYPE_GONE };
    u64 same, values;
    static noinline void count(u32 key)
    {
        u64 one = 1, *count = lookup(&counts, &key);
        if (count)
            __sync_fetch_and_add(count, 1);
        else
            update(&counts, &key, &one, 0);
    }
    SEC(\"raw_tp/sys_enter\") int enter(u64 *ctx)
    {
        struct task_struct *task = current();
        int tgid = 0;
        if (ctx[1] != 110 || pid_tgid() >> 32 != PID)
            return 0;
        read_kernel(&tgid, sizeof tgid, &task->tgid);
        if (tgid == PID)
            __sync_fetch_and_add(&same, 1);
        if (__builtin_preserve_field_info(((struct pt_regs___old *)ctx)->gone, 2))
            count(((struct pt_regs___old *)ctx)->gone);
        values = 1000 * __builtin_preserve_field_info(task->real_parent, 1)
            + 100 * __builtin_preserve_enum_value(*(enum pid_type *)PIDTYPE_GONE, 0)
            + __builtin_preserve_enum_value(*(enum pid_type *)PIDTYPE_TGID, 1);
        count(1);
        return 0;
    }
    SEC(\"tp_btf/sys_exit\") int leave(u64 *ctx)
    {
        struct pt_regs *regs = (void *)ctx[0];
        if (regs->orig_ax == 110 && pid_tgid() >> 32 == PID)
            count(2);
        return 0;
    }";

#[test]
#[ignore = "needs root, bpf(2) and clang: run tests/run"]
fn programs_are_attached_together_and_count_by_the_kernels_types() {
    let pid = format!("-DPID={}", std::process::id());
    let object = compile("calls", CALLS, &["-g", &pid]);
    let tool = Tool::start("run", &[object.to_str().unwrap(), "600", "--json"]);
    for _ in 0..1009 {
        std::hint::black_box(nix::unistd::getppid());
    }
    let ended = tool.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("Tracing raw_tp sys_enter, tp_btf sys_exit"), "{}", ended.stderr);
    let line = interval(&ended.stdout);
    let rows = |name: &str| {
        let mut tables = line["tables"].as_array().unwrap().iter();
        &tables.find(|table| table["name"] == name).unwrap()["rows"]
    };
    let count = |key: u64| json!({"labels": {"key": key}, "value": 1009});
    assert_eq!(*rows("counts"), json!([count(1), count(2)]), "{line}");
    // A pointer has 8 bytes, no PIDTYPE_GONE is there, and PIDTYPE_TGID is 1.
    let mut variables = rows(".bss")[0]["value"].as_array().unwrap().clone();
    variables.sort_by_key(Value::as_u64);
    assert_eq!(variables, [1009, 8001], "{line}");
}

#[test]
#[ignore = "needs root, bpf(2) and clang: run tests/run"]
fn a_refused_object_is_shown_in_its_c() {
    let program = "
    SEC(\"xdp\") int f(void *ctx)
    {
        u32 key = 3;
        u64 *value = lookup(&counts, &key);
        return *value;
    }";
    let line = HEAD.lines().count() + program[..program.find("return").unwrap()].lines().count();
    let ended = run_object(&compile("refused", program, &["-g"]), &["-v"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains(&format!("refused.c:{line}: return *value;")),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("may be NULL"), "{}", ended.stderr);
}

#[test]
#[ignore = "needs root, bpf(2) and clang: run tests/run"]
fn what_an_object_lacks_is_named() {
    for (number, (program, args, code, why)) in [
        (
            "SEC(\"lsm/file_open\") int f(void *ctx) { return 0; }",
            &["-g"][..],
            2,
            "f: lsm programs are not attached here",
        ),
        (
            "SEC(\"free\") int f(void *ctx) { return 0; }",
            &["-g"],
            2,
            "the section \"free\" does not say",
        ),
        ("SEC(\"kprobe\") int f(void *ctx) { return 0; }", &["-g"], 2, "where is this kprobe"),
        ("int f(void *ctx) { return 0; }", &["-g"], 2, "no program"),
        ("SEC(\"xdp\") int f(void *ctx) { return 0; }", &[], 2, "clang -g"),
        ("SEC(\"xdp\") int f(void *ctx) { return 0; }", &["-g", "--target=bpfeb"], 2, "byte order"),
        (
            "extern void bpf_nosuch_function(void) SEC(\".ksyms\");
            SEC(\"xdp\") int f(void *ctx) { bpf_nosuch_function(); return 0; }",
            &["-g"],
            77,
            "bpf_nosuch_function",
        ),
        (
            "struct task_struct { int nosuch; } CORE;
            SEC(\"raw_tp/sys_enter\") int f(void *ctx)
            {
                int n;
                read_kernel(&n, 4, &((struct task_struct *)current())->nosuch);
                return n;
            }",
            &["-g"],
            77,
            "struct task_struct::nosuch",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let object = compile(&format!("lacks-{number}"), program, args);
        let ended = run_object(&object, &[]);
        assert_eq!(ended.code, Some(code), "{program}: {}", ended.stderr);
        assert!(ended.stderr.contains(why), "{program}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{program}");
    }
}
