//! verify: objects are judged as libbpf's load judges them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::tool::{Ended, run};

const HEAD: &str = "\
#include \"vmlinux.h\"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
char LICENSE[] SEC(\"license\") = \"GPL\";
";

/// A folder with this kernel's types as C.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("judged");
        std::fs::create_dir_all(&folder).unwrap();
        let types = Command::new("bpftool")
            .args(["btf", "dump", "file", "/sys/kernel/btf/vmlinux", "format", "c"])
            .output()
            .unwrap();
        assert!(types.status.success(), "{types:?}");
        std::fs::write(folder.join("vmlinux.h"), types.stdout).unwrap();
        folder
    })
}

/// An object of this C.
fn compile(name: &str, program: &str) -> PathBuf {
    let (source, object) = (format!("{name}.c"), folder().join(format!("{name}.o")));
    std::fs::write(folder().join(&source), format!("{HEAD}{program}")).unwrap();
    let clang = Command::new("clang-19")
        .current_dir(folder())
        .args(["-O2", "-g", "--target=bpf", "-D__TARGET_ARCH_x86", "-I."])
        .args(["-c", &source, "-o"])
        .arg(&object)
        .output()
        .unwrap();
    assert!(clang.status.success(), "{clang:?}");
    object
}

/// Whether bpftool loads the object.
fn bpftool_loads(object: &Path) -> bool {
    let pins = format!("/sys/fs/bpf/rawbpf-judged-{}", std::process::id());
    let _ = std::fs::remove_dir_all(&pins);
    let loaded = Command::new("bpftool").args(["prog", "loadall"]).arg(object).arg(&pins).output();
    let _ = std::fs::remove_dir_all(&pins);
    loaded.unwrap().status.success()
}

fn verify(object: &Path, args: &[&str]) -> Ended {
    run("verify", &[&[object.to_str().unwrap()][..], args].concat())
}

/// The objects are accepted or refused here as bpftool's load does.
#[track_caller]
fn judged(kind: &str, cases: &[(&str, bool)]) {
    for (number, (program, accepted)) in cases.iter().enumerate() {
        let object = compile(&format!("{kind}-{number}"), program);
        let ended = verify(&object, &[]);
        let code = Some(i32::from(!accepted));
        assert_eq!(ended.code, code, "{program}: {}{}", ended.stdout, ended.stderr);
        assert_eq!(bpftool_loads(&object), *accepted, "bpftool: {program}");
    }
}

#[test]
#[ignore = "needs root, bpf(2), clang and bpftool: run tests/run"]
fn constants_are_known_and_other_variables_are_not() {
    judged(
        "variables",
        &[
            // A constant of the object is known to the verifier; a branch that it excludes is not walked.
            (
                "const volatile bool on = true;
            SEC(\"xdp\") int f(void *ctx) { return on ? 1 : *(volatile int *)0x1234; }",
                true,
            ),
            (
                "volatile bool on = true;
            SEC(\"xdp\") int f(void *ctx) { return on ? 1 : *(volatile int *)0x1234; }",
                false,
            ),
            (
                "const volatile int n SEC(\".rodata.mine\") = 8; int a[16];
            int data SEC(\".data.mine\") = 3;
            SEC(\"xdp\") int f(void *ctx)
            {
                for (int i = 0; i < n; i++)
                    a[i & 15] += data;
                return 2;
            }",
                true,
            ),
            // Nobody writes to a constant.
            (
                "const volatile int n = 8;
            SEC(\"xdp\") int f(void *ctx) { *(volatile int *)&n = 3; return n; }",
                false,
            ),
            (
                "char buf[32];
            SEC(\"xdp\") int f(void *ctx) { BPF_SNPRINTF(buf, sizeof(buf), \"%d\", 5); return 2; }",
                true,
            ),
            (
                "static char format[] = \"%d\"; char buf[32];
            SEC(\"xdp\") int f(void *ctx)
            {
                u64 values[] = { 5 };
                format[1] = 'x';
                return bpf_snprintf(buf, sizeof(buf), format, values, 8);
            }",
                false,
            ),
        ],
    );
}

#[test]
#[ignore = "needs root, bpf(2), clang and bpftool: run tests/run"]
fn global_functions_are_verified_by_themselves() {
    let indexing = |kind: &str| {
        format!(
            "int arr[8];
            {kind} int f(int i) {{ barrier_var(i); return arr[i]; }}
            SEC(\"xdp\") int p(struct xdp_md *ctx) {{ return f(3); }}"
        )
    };
    let [global, hidden, fixed] =
        ["__noinline", "__hidden __noinline", "static __noinline"].map(indexing);
    judged("functions", &[
        (&global, false),
        (&hidden, true),
        (&fixed, true),
        // What a global function is handed is known by its type alone.
        (
            "struct pair { int a, b; };
            __noinline int f(struct pair *pair) { return pair ? pair->b : 0; }
            SEC(\"xdp\") int p(struct xdp_md *ctx) { struct pair pair = { 1, 2 }; return f(&pair); }",
            true,
        ),
        (
            "struct pair { int a, b; };
            __noinline int f(struct pair *pair) { return pair->b; }
            SEC(\"xdp\") int p(struct xdp_md *ctx) { struct pair pair = { 1, 2 }; return f(&pair); }",
            false,
        ),
        (
            "__noinline int f(struct xdp_md *ctx) { return ctx->ingress_ifindex; }
            SEC(\"xdp\") int p(struct xdp_md *ctx) { return f(ctx); }",
            true,
        ),
        (
            "static long step(u64 i, void *data) { *(int *)data += 1; return 0; }
            SEC(\"xdp\") int p(struct xdp_md *ctx) { int n = 0; bpf_loop(5, step, &n, 0); return n; }",
            true,
        ),
    ]);
}

/// A map of these members.
macro_rules! map {
    ($name:literal, $members:literal) => {
        concat!("struct { ", $members, " } ", $name, " SEC(\".maps\");\n")
    };
}

#[test]
#[ignore = "needs root, bpf(2), clang and bpftool: run tests/run"]
fn maps_are_made_as_the_object_describes_them() {
    const LOCKED: &str = "
        SEC(\"tc\") int f(void *ctx)
        {
            int key = 0;
            struct v *v = bpf_map_lookup_elem(&m, &key);
            if (!v)
                return 0;
            bpf_spin_lock(&v->lock);
            v->x++;
            bpf_spin_unlock(&v->lock);
            return 0;
        }";
    let locked = |members: &str| {
        format!(
            "struct v {{ struct bpf_spin_lock lock; int x; }};
            struct {{ {members} __uint(max_entries, 1); }} m SEC(\".maps\");{LOCKED}"
        )
    };
    let typed =
        locked("__uint(type, BPF_MAP_TYPE_HASH); __type(key, int); __type(value, struct v);");
    let untyped = locked(
        "__uint(type, BPF_MAP_TYPE_HASH); __uint(key_size, 4); __uint(value_size, sizeof(struct v));",
    );
    const TAIL: &str = "
        SEC(\"xdp\") int target(struct xdp_md *ctx) { return 2; }
        struct {
            __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 2); __uint(key_size, 4);
            __array(values, int(void *));
        } jumps SEC(\".maps\") = { .values = { [1] = (void *)&target } };
        SEC(\"xdp\") int f(struct xdp_md *ctx) { bpf_tail_call(ctx, &jumps, 1); return 1; }";
    const NESTED: &str = "
        struct inner {
            __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1);
            __type(key, int); __type(value, int);
        } first SEC(\".maps\"), second SEC(\".maps\");
        struct {
            __uint(type, BPF_MAP_TYPE_HASH_OF_MAPS); __uint(max_entries, 4); __type(key, int);
            __array(values, struct inner);
        } outer SEC(\".maps\") = { .values = { [0] = &first, [3] = &second } };
        SEC(\"xdp\") int f(void *ctx)
        {
            int key = 3, zero = 0, *value;
            void *inner = bpf_map_lookup_elem(&outer, &key);
            if (!inner)
                return 1;
            value = bpf_map_lookup_elem(inner, &zero);
            return value ? 2 : 3;
        }";
    let storage = map!(
        "m",
        "__uint(type, BPF_MAP_TYPE_TASK_STORAGE); __uint(map_flags, BPF_F_NO_PREALLOC);
        __type(key, int); __type(value, long);"
    )
    .to_owned()
        + "SEC(\"tp_btf/sched_switch\") int f(u64 *ctx)
        {
            struct task_struct *task = bpf_get_current_task_btf();
            return !bpf_task_storage_get(&m, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
        }";
    let timer = "struct v { struct bpf_timer timer; };\n".to_owned()
        + map!(
            "m",
            "__uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, struct v);"
        )
        + "static int later(void *map, int *key, struct v *v) { return 0; }
        SEC(\"tc\") int f(void *ctx)
        {
            int key = 0;
            struct v *v = bpf_map_lookup_elem(&m, &key);
            if (!v || bpf_timer_init(&v->timer, &m, 1))
                return 0;
            bpf_timer_set_callback(&v->timer, later);
            return bpf_timer_start(&v->timer, 1000, 0);
        }";
    let pointer = "struct v { struct task_struct __attribute__((btf_type_tag(\"kptr_untrusted\"))) *task; };\n".to_owned()
        + map!("m", "__uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, struct v);")
        + "SEC(\"tp_btf/sched_switch\") int f(u64 *ctx)
        {
            int key = 0;
            struct v *v = bpf_map_lookup_elem(&m, &key);
            if (!v)
                return 0;
            v->task = (void *)ctx[1];
            return v->task ? v->task->pid : 0;
        }";
    let ring = map!("m", "__uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 5000);")
        .to_owned()
        + "SEC(\"xdp\") int f(void *ctx) { int x = 1; return bpf_ringbuf_output(&m, &x, 4, 0); }";
    let perf = map!(
        "m",
        "__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); __type(key, int); __type(value, int);"
    )
    .to_owned()
        + "SEC(\"xdp\") int f(void *ctx) { int x = 1; return bpf_perf_event_output(ctx, &m, 0, &x, 4); }";
    let bloom = map!("m", "__uint(type, BPF_MAP_TYPE_BLOOM_FILTER); __uint(max_entries, 9); __type(value, int); __uint(map_extra, 3);").to_owned()
        + "SEC(\"xdp\") int f(void *ctx) { int x = 1; return bpf_map_peek_elem(&m, &x); }";
    let no_entries =
        map!("m", "__uint(type, BPF_MAP_TYPE_HASH); __type(key, int); __type(value, int);")
            .to_owned()
            + "SEC(\"xdp\") int f(void *ctx) { int x = 1; return bpf_map_delete_elem(&m, &x); }";
    judged(
        "maps",
        &[
            (&typed, true),
            (&untyped, false),
            (TAIL, true),
            (NESTED, true),
            (&storage, true),
            (&timer, true),
            (&pointer, true),
            (&ring, true),
            (&perf, true),
            (&bloom, true),
            (&no_entries, false),
        ],
    );
    // What a loader would set.
    let object = compile("entries", &no_entries);
    let ended = verify(&object, &[]);
    assert!(ended.stderr.contains("--map-entries NAME=N"), "{}", ended.stderr);
    assert_eq!(verify(&object, &["--map-entries", "m=7"]).code, Some(0));
    let ended = verify(&object, &["--map-entries", "n=7"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("its maps: m"), "{}", ended.stderr);
    // The elements are there when a program runs.
    for (name, program, returned) in
        [("tail", TAIL, "f returned 2"), ("nested", NESTED, "f returned 2")]
    {
        let object = compile(name, program);
        let ended = run("run", &[object.to_str().unwrap()]);
        assert!(ended.stdout.contains(returned), "{}{}", ended.stdout, ended.stderr);
    }
}

/// Objects that libbpf 1.0 and later do not load; they are judged all the same, and a line says so.
#[test]
#[ignore = "needs root, bpf(2), clang and bpftool: run tests/run"]
fn what_libbpf_does_not_load_is_judged_and_said() {
    const DEFINITION: &str =
        "struct bpf_map_def { int type, key_size, value_size, max_entries, map_flags; };";
    const COUNT: &str = "
        SEC(\"xdp\") int f(void *ctx)
        {
            int key = 0;
            long *value = bpf_map_lookup_elem(&m, &key);
            return value ? *value : 0;
        }";
    let valued = map!(
        "m",
        "__uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); __type(value, long);"
    )
    .to_owned()
        + "SEC(\"xdp\") int f(void *ctx) { int x = 1; return bpf_ringbuf_output(&m, &x, 4, 0); }";
    for (number, (program, code, said)) in [
        (
            format!("{DEFINITION} struct bpf_map_def m SEC(\"maps\") = {{ 1, 4, 8, 9 }};{COUNT}"),
            0,
            "map m: libbpf 1.0 and later load no maps of a section \"maps\"",
        ),
        (
            format!(
                "{DEFINITION} struct bpf_map_def n SEC(\"maps/n\") = {{ 2, 4, 8, 1 }};
                struct bpf_map_def m SEC(\"maps/m\") = {{ 1, 4, 4, 9 }};{COUNT}"
            ),
            1,
            "and 1 more: libbpf 1.0 and later load no maps",
        ),
        (valued, 0, "map m: libbpf does not load a ring buffer with the type of a value"),
    ]
    .into_iter()
    .enumerate()
    {
        let object = compile(&format!("older-{number}"), &program);
        let ended = verify(&object, &[]);
        assert_eq!(ended.code, Some(code), "{program}: {}{}", ended.stdout, ended.stderr);
        assert!(ended.stderr.contains(said), "{program}: {}", ended.stderr);
        assert!(!bpftool_loads(&object), "{program}");
        // Without BTF, and with map symbols that have no type, as old assemblers made them.
        let bare = object.with_extension("bare.o");
        let stripped = Command::new("llvm-objcopy-19")
            .args(["--strip-debug", "--remove-section=.BTF", "--remove-section=.BTF.ext"])
            .args([&object, &bare])
            .status();
        assert!(stripped.unwrap().success());
        if number < 2 {
            untype(&bare, "m");
            let ended = verify(&bare, &[]);
            assert_eq!(ended.code, Some(code), "{program}: {}{}", ended.stdout, ended.stderr);
        }
    }
}

/// Makes the symbol of this name one without a type, and the object one of no machine.
fn untype(object: &Path, name: &str) {
    use goblin::elf::{Elf, header, sym};
    let mut bytes = std::fs::read(object).unwrap();
    let elf = Elf::parse(&bytes).unwrap();
    let table = elf.section_headers.iter().find(|it| it.sh_type == 2).unwrap().sh_offset;
    let named = |symbol: &sym::Sym| elf.strtab.get_at(symbol.st_name) == Some(name);
    let index = elf.syms.iter().position(|symbol| named(&symbol)).unwrap();
    assert_eq!(elf.header.e_machine, header::EM_BPF);
    let info = table as usize + index * 24 + 4;
    bytes[info] = sym::STB_GLOBAL << 4 | sym::STT_NOTYPE;
    bytes[18..20].fill(0);
    std::fs::write(object, bytes).unwrap();
}
