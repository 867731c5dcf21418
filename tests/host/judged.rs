//! verify: objects are judged as libbpf's load judges them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use super::program::bpf_object;
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
    let args = ["-g", "-D__TARGET_ARCH_x86", "-I."];
    bpf_object(folder(), name, &format!("{HEAD}{program}"), &args)
}

/// Whether bpftool loads the object.
fn bpftool_loads(object: &Path) -> bool {
    // Other tests load at the same time.
    let stem = object.file_stem().unwrap().display();
    let pins = format!("/sys/fs/bpf/rawbpf-judged-{}-{stem}", std::process::id());
    let _ = std::fs::remove_dir_all(&pins);
    let loaded = Command::new("bpftool").args(["prog", "loadall"]).arg(object).arg(&pins).output();
    let _ = std::fs::remove_dir_all(&pins);
    loaded.unwrap().status.success()
}

fn verify(object: &Path, args: &[&str]) -> Ended {
    run("verify", &[&[object.to_str().unwrap()][..], args].concat())
}

/// The programs that were judged, and how.
fn verdicts(file: &Path) -> (Option<i32>, Vec<(String, String)>) {
    let ended = verify(file, &["--json"]);
    let lines = ended.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let verdicts = lines.filter(|line| line["type"] == "verdict");
    let verdicts = verdicts.map(|it| ["program", "verdict"].map(|key| it[key].to_string()));
    (ended.code, verdicts.map(|[program, verdict]| (program, verdict)).collect())
}

/// The text that is dumped of an object is judged as the object.
#[track_caller]
fn same_as_text(object: &Path) {
    let text = run("dump", &[object.to_str().unwrap()]).stdout;
    let file = object.with_extension("bpf");
    std::fs::write(&file, &text).unwrap();
    assert_eq!(verdicts(&file), verdicts(object), "{text}");
}

/// The objects are accepted or refused here as bpftool's load does.
#[track_caller]
fn judged(kind: &str, cases: &[(&str, bool)]) {
    for (number, (program, accepted)) in cases.iter().enumerate() {
        let object = compile(&format!("{kind}-{number}"), program);
        let ended = verify(&object, &[]);
        // 77 where it is refused for what this kernel does not have.
        let right = if *accepted { &[Some(0)][..] } else { &[Some(1), Some(77)] };
        assert!(right.contains(&ended.code), "{program}: {}{}", ended.stdout, ended.stderr);
        assert_eq!(bpftool_loads(&object), *accepted, "bpftool: {program}");
        // A text does not say of which type a function of the kernel is.
        if !ended.stderr.contains("is of another type") {
            same_as_text(&object);
        }
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
    // What a loader would share is not, and a line says so.
    let pinned =
        no_entries.replace("__type(key", "__uint(max_entries, 3); __uint(pinning, 1); __type(key");
    let ended = verify(&compile("pinned", &pinned), &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("map m: a loader would share it"), "{}", ended.stderr);
    assert!(!Path::new("/sys/fs/bpf/m").exists());
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
        (
            map!(
                "m",
                "__uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 9); __type(key, int); __type(value, long);
                __uint(colour, 3);"
            )
            .to_owned()
                + COUNT,
            0,
            "map m: libbpf refuses a field of its definition",
        ),
        (
            map!(
                "m",
                "__uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 9); __type(key, int);
                __uint(value_size, 4); __type(value, long);"
            )
            .to_owned()
                + COUNT,
            0,
            "map m: libbpf refuses a field of its definition",
        ),
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

/// The programs that use another map have their verdict.
#[test]
#[ignore = "needs root, bpf(2), clang and bpftool: run tests/run"]
fn a_map_that_cannot_be_made_stops_only_the_programs_that_use_it() {
    let file = |accepted: &str, maps: &[(&str, &str)]| {
        let mut file = String::new();
        for (map, members) in maps {
            file += &format!(
                "struct {{ {members} __type(key, int); __type(value, int); }} {map} SEC(\".maps\");
                SEC(\"xdp\") int of_{map}(void *ctx)
                {{
                    int key = 0, *value = bpf_map_lookup_elem(&{map}, &key);
                    return value ? *value : 0;
                }}\n"
            );
        }
        file + &format!("SEC(\"xdp\") int last(void *ctx) {{ return {accepted}; }}")
    };
    const WHOLE: &str = "__uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 9);";
    let maps = [
        ("unknown", "__uint(type, 999); __uint(max_entries, 1);"),
        ("empty", "__uint(type, BPF_MAP_TYPE_HASH);"),
        ("whole", WHOLE),
    ];
    let object = compile("maps-left-out", &file("0", &maps));
    let ended = verify(&object, &["--json"]);
    assert_eq!(ended.code, Some(77), "{}{}", ended.stdout, ended.stderr);
    let verdicts = ended.stdout.lines().filter(|line| line.contains("\"type\":\"verdict\""));
    let accepted = verdicts.filter(|line| line.contains("\"verdict\":\"accepted\""));
    assert_eq!(accepted.count(), 2, "{}", ended.stdout);
    assert!(
        ended.stderr.contains("of_unknown: the map unknown is of the type 999"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("of_empty: the kernel refuses map empty"), "{}", ended.stderr);
    // A text of it is judged alike.
    let text = object.with_extension("bpf");
    std::fs::write(&text, run("dump", &[object.to_str().unwrap()]).stdout).unwrap();
    let ended = verify(&text, &[]);
    assert_eq!(ended.code, Some(77), "{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.stdout.matches("accepted: ").count(), 2, "{}", ended.stdout);
    // A refusal matters more, and a map that nobody uses is a note.
    let refused = compile("maps-and-refused", &file("*(volatile int *)0x1234", &maps));
    assert_eq!(verify(&refused, &[]).code, Some(1));
    let unused = verify(&object, &["--program", "of_whole"]);
    assert_eq!(unused.code, Some(0), "{}", unused.stderr);
    assert!(
        unused.stderr.contains("note: a map that no program uses cannot be made"),
        "{}",
        unused.stderr
    );
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

#[test]
#[ignore = "needs root, bpf(2), clang and bpftool: run tests/run"]
fn relocations_have_the_numbers_of_libbpf() {
    // A wrong number reaches what no verifier accepts.
    let all_true = |types: &str, conditions: &str| {
        format!(
            "#define CORE __attribute__((preserve_access_index))
            #define INFO __builtin_preserve_field_info
            {types}
            SEC(\"tp_btf/sched_switch\") int f(u64 *ctx)
            {{
                struct task_struct *task = (void *)ctx[1];
                return ({conditions}) ? 0 : *(volatile int *)0x1234;
            }}"
        )
    };
    let bits = "struct task_struct___b {
            int comm; unsigned other : 3, sched_contributes_to_load : 1;
            unsigned long long in_iowait : 40;
        } CORE;
        #define SAME(field, kind) INFO(((struct task_struct___b *)task)->field, kind) == \\
            INFO(task->field, kind)
        #define ALL(field) SAME(field, 0) && SAME(field, 1) && SAME(field, 3) && SAME(field, 4) \\
            && SAME(field, 5)";
    let fields = "struct mm___f { long pgd; };
        struct task_struct___f { char comm[4]; int pid; struct { int x; } nosuch; int prio[2]; } CORE;
        #define F ((struct task_struct___f *)task)";
    let types = "struct task_struct___t { int pid; };
        struct task_struct___wrong { long pid; };
        struct nosuch___t { int x; };
        typedef int (*initcall_t___t)(void);
        enum pid_type___t { PIDTYPE_TGID___t = 40, PIDTYPE_GONE };
        enum bpf_cmd___t { BPF_MAP_CREATE___t = 5 };
        enum nosuch_enum { NOTHING = 3 };";
    let values = "enum pid_type___v { PIDTYPE_TGID___v = 40 };".to_owned();
    let unsigned = "struct task_struct___u { unsigned long long flags; } CORE;";
    let signed = "struct task_struct___s { long long pid; } CORE;";
    judged("relocations", &[
        (&all_true(bits, "ALL(sched_contributes_to_load) && ALL(in_iowait)"), true),
        (&all_true(bits, "SAME(sched_contributes_to_load, 4) && INFO(task->pid, 3) == 1"), true),
        (&all_true(bits, "INFO(task->flags, 3) == 1"), false),
        (
            &all_true(
                fields,
                "INFO(F->pid, 0) == __builtin_offsetof(struct task_struct, pid) && INFO(F->comm, 1) == 16
                && INFO(F->comm[3], 0) == __builtin_offsetof(struct task_struct, comm) + 3
                && !INFO(F->nosuch.x, 2) && !INFO(F->prio[1], 2) && INFO(F->pid, 2)",
            ),
            true,
        ),
        (&all_true(fields, "INFO(F->nosuch.x, 0) == 0"), false),
        (
            &all_true(
                types,
                "bpf_core_type_exists(struct task_struct___t) && !bpf_core_type_exists(struct nosuch___t)
                && bpf_core_type_size(struct task_struct___t) == sizeof(struct task_struct)
                && bpf_core_type_size(struct nosuch___t) == 0
                && bpf_core_type_id_kernel(struct nosuch___t) == 0
                && bpf_core_type_id_kernel(struct task_struct___t)
                && bpf_core_type_matches(struct task_struct___t)
                && !bpf_core_type_matches(struct task_struct___wrong)
                && bpf_core_type_matches(enum pid_type___t) == 0
                && bpf_core_type_matches(enum bpf_cmd___t)
                && bpf_core_type_id_local(struct nosuch___t)",
            ),
            true,
        ),
        (
            &all_true(
                types,
                "bpf_core_enum_value_exists(enum pid_type___t, PIDTYPE_TGID___t)
                && bpf_core_enum_value(enum pid_type___t, PIDTYPE_TGID___t) == PIDTYPE_TGID
                && !bpf_core_enum_value_exists(enum pid_type___t, PIDTYPE_GONE)
                && !bpf_core_enum_value_exists(enum nosuch_enum, NOTHING)",
            ),
            true,
        ),
        (&all_true(types, "bpf_core_enum_value(enum pid_type___t, PIDTYPE_GONE) == 7"), false),
        (&all_true(&values, "bpf_core_enum_value(enum pid_type___v, PIDTYPE_TGID___v) == 41"), false),
        (&all_true(unsigned, "((struct task_struct___u *)task)->flags || 1"), true),
        (&all_true(unsigned, "!(((struct task_struct___u *)task)->flags >> 32)"), true),
        (&all_true(signed, "((struct task_struct___s *)task)->pid || *(volatile int *)0x1235"), false),
    ]);
    // A value of 64 bits, of both signs.
    let wide = "enum bpf_attach_type___w { BPF_CGROUP_INET_EGRESS___w = 0x1234567812345678ull };";
    judged(
        "wide",
        &[(
            &all_true(
                wide,
                "bpf_core_enum_value(enum bpf_attach_type___w, BPF_CGROUP_INET_EGRESS___w) == 1",
            ),
            true,
        )],
    );
}

#[test]
#[ignore = "needs root, bpf(2), clang and bpftool: run tests/run"]
fn a_missing_field_is_blamed_only_where_it_is_reached() {
    let program = |end: &str| {
        format!(
            "struct request___x {{ void *rq_disk; }} __attribute__((preserve_access_index));
            SEC(\"raw_tp/sched_switch\") int f(u64 *ctx)
            {{
                struct request___x *r = (void *)ctx[0];
                if (bpf_core_field_exists(r->rq_disk))
                    return BPF_CORE_READ(r, rq_disk) != 0;
                return {end};
            }}"
        )
    };
    judged("reached", &[(&program("0"), true), (&program("*(volatile int *)0x1234"), false)]);
    // Of two that are missing, one is not reached.
    let object = compile(
        "blamed",
        &format!(
            "struct bio___x {{ void *nosuch; }} __attribute__((preserve_access_index));
            {}",
            program("BPF_CORE_READ((struct bio___x *)r, nosuch) != 0")
        ),
    );
    let ended = verify(&object, &[]);
    assert_eq!(ended.code, Some(77), "{}", ended.stderr);
    assert!(ended.stderr.contains("struct bio___x::nosuch"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("rq_disk (0:0)"), "{}", ended.stderr);
    assert!(!bpftool_loads(&object));
}

#[test]
#[ignore = "needs root, bpf(2), clang and bpftool: run tests/run"]
fn what_only_the_kernel_has_is_linked() {
    let function = |body: &str| {
        format!(
            "extern void bpf_rcu_read_lock(void) __ksym; extern void bpf_rcu_read_unlock(void) __ksym;
            SEC(\"tp_btf/sched_switch\") int f(u64 *ctx) {{ {body} return 0; }}"
        )
    };
    let loop_ = "extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
        extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
        extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;
        SEC(\"tp_btf/sched_switch\") int f(u64 *ctx)
        {
            struct bpf_iter_num it;
            int sum = 0, *i;
            bpf_iter_num_new(&it, 0, 1000);
            while ((i = bpf_iter_num_next(&it)))
                sum += *i;
            bpf_iter_num_destroy(&it);
            return sum;
        }";
    let weak = "extern int bpf_nosuch_function(int) __ksym __weak;
        extern void bpf_rcu_read_lock(void) __ksym __weak;
        SEC(\"tp_btf/sched_switch\") int f(u64 *ctx)
        {
            if (bpf_nosuch_function)
                return bpf_nosuch_function(3);
            return bpf_rcu_read_lock ? 0 : *(volatile int *)0x1234;
        }";
    let reached = "extern int bpf_nosuch_function(int) __ksym __weak;
        SEC(\"tp_btf/sched_switch\") int f(u64 *ctx) { return bpf_nosuch_function(3); }";
    let missing = "extern int bpf_nosuch_function(int) __ksym;
        SEC(\"tp_btf/sched_switch\") int f(u64 *ctx) { return bpf_nosuch_function(3); }";
    let otherwise = "extern int bpf_rcu_read_lock(int) __ksym;
        SEC(\"tp_btf/sched_switch\") int f(u64 *ctx) { return bpf_rcu_read_lock(3); }";
    let variables = "extern const int nosuch_variable __ksym __weak;
        extern const void schedule __ksym;
        extern const void nosuch_symbol __ksym __weak;
        SEC(\"tp_btf/sched_switch\") int f(u64 *ctx)
        {
            if (&nosuch_variable || &nosuch_symbol || !&schedule)
                return *(volatile int *)0x1234;
            return 0;
        }";
    let symbol = "extern const void nosuch_symbol __ksym;
        SEC(\"tp_btf/sched_switch\") int f(u64 *ctx) { return (long)&nosuch_symbol; }";
    judged(
        "kernel",
        &[
            (&function("bpf_rcu_read_lock(); bpf_rcu_read_unlock();"), true),
            (&function("bpf_rcu_read_lock();"), false),
            (loop_, true),
            (weak, true),
            (reached, false),
            (missing, false),
            (otherwise, false),
            (variables, true),
            (symbol, false),
        ],
    );
    // Only a kernel with CONFIG_KALLSYMS_ALL knows where its variables are.
    let variable = "extern const struct rq runqueues __ksym;
        SEC(\"tp_btf/sched_switch\") int f(u64 *ctx)
        {
            const struct rq *rq = bpf_per_cpu_ptr(&runqueues, 0);
            return rq ? rq->nr_running : 0;
        }";
    let object = compile("variable", variable);
    assert_eq!(verify(&object, &[]).code == Some(0), bpftool_loads(&object));
    // A wrong value reaches what no verifier accepts.
    let config = |declared: &str, is: &str| {
        format!(
            "{declared}
            SEC(\"xdp\") int f(void *ctx) {{ return ({is}) ? 2 : *(volatile int *)0x1234; }}"
        )
    };
    judged("config", &[
        (
            &config(
                "extern int LINUX_KERNEL_VERSION __kconfig;
                extern bool LINUX_HAS_SYSCALL_WRAPPER __kconfig __weak;",
                "LINUX_KERNEL_VERSION >= 0x050a00 && LINUX_KERNEL_VERSION < 0x200000",
            ),
            true,
        ),
        (
            &config(
                "extern bool CONFIG_BPF_SYSCALL __kconfig;
                extern enum libbpf_tristate CONFIG_BPF __kconfig;
                extern int CONFIG_HZ __kconfig; extern long CONFIG_NR_CPUS __kconfig;
                extern char CONFIG_CC_VERSION_TEXT[4] __kconfig;
                extern char CONFIG_BPF_JIT __kconfig;
                extern int CONFIG_NOSUCH __kconfig __weak;",
                "CONFIG_BPF_SYSCALL && CONFIG_BPF == TRI_YES && CONFIG_HZ >= 100 && CONFIG_HZ <= 1000
                && CONFIG_NR_CPUS > 0 && CONFIG_BPF_JIT == 'y' && !CONFIG_NOSUCH
                && CONFIG_CC_VERSION_TEXT[0] > ' ' && !CONFIG_CC_VERSION_TEXT[3]",
            ),
            true,
        ),
        (&config("extern int CONFIG_HZ __kconfig;", "CONFIG_HZ == 1"), false),
        (&config("extern int CONFIG_NOSUCH __kconfig;", "!CONFIG_NOSUCH"), false),
        (&config("extern int CONFIG_BPF_SYSCALL __kconfig;", "CONFIG_BPF_SYSCALL"), false),
        (&config("extern char CONFIG_NR_CPUS[4] __kconfig;", "1"), true),
    ]);
}

/// Types that only newer kernels know: a float, tags, an enum of 64 bits, a list of the program's own.
const NEWER: &str = "
    #define PRIVATE(name) SEC(\".bss.\" #name) __hidden __attribute__((aligned(8)))
    struct item { struct bpf_list_node link; long value; };
    PRIVATE(A) struct bpf_spin_lock lock;
    PRIVATE(A) struct bpf_list_head head
        __attribute__((btf_decl_tag(\"contains:item:link\")));
    extern void *bpf_obj_new_impl(u64 type, void *meta) __ksym;
    extern int bpf_list_push_front_impl(struct bpf_list_head *, struct bpf_list_node *, void *, u64)
        __ksym;
    enum wide { WIDE = 0x123456789abll };
    float number = 1.5;
    enum wide wide = WIDE;
    struct v { struct task_struct __attribute__((btf_type_tag(\"kptr\"))) *task; } v;
    SEC(\"tc\") int f(void *ctx)
    {
        struct item *node = bpf_obj_new_impl(bpf_core_type_id_local(struct item), 0);
        if (!node)
            return 0;
        bpf_spin_lock(&lock);
        bpf_list_push_front_impl(&head, &node->link, 0, 0);
        bpf_spin_unlock(&lock);
        return wide == WIDE;
    }";

#[test]
#[ignore = "needs root, bpf(2) and clang: run tests/run"]
fn types_of_the_programs_own_are_the_maps_types() {
    use rawbpf::btf::{Btf, for_older_kernels};
    use rawbpf::host::KernelTypes;
    use rawbpf::sys::LoadedBtf;

    let object = compile("newer", NEWER);
    same_as_text(&object);
    let ended = verify(&object, &[]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);
    // An older kernel gets types that say no more than it knows, with the same ids.
    let bytes = std::fs::read(&object).unwrap();
    let read = rawbpf::source::read("newer", &bytes, &KernelTypes::running()).unwrap();
    let blob = &read.programs[0].program.types().unwrap().btf;
    let older = for_older_kernels(blob).unwrap();
    let mut kinds = [blob, &older[..]].map(|blob| {
        let mut btf = Btf::parse(blob).unwrap();
        let kinds = (1..).map_while(|id| Some(btf.by_id(id).ok()?.kind() as u32));
        kinds.collect::<Vec<_>>()
    });
    // BTF_KIND_DATASEC is 15.
    let newest = kinds.each_ref().map(|kinds| *kinds.iter().max().unwrap());
    assert_eq!(newest, [19, 15]);
    kinds[1].truncate(kinds[0].len());
    let same = kinds[0].iter().zip(&kinds[1]).filter(|(one, _)| **one <= 15);
    assert!({ same }.all(|(one, other)| one == other));
    LoadedBtf::load(blob).unwrap();
    LoadedBtf::load(&older).unwrap();
}

#[test]
#[ignore = "needs root, bpf(2), clang and bpftool: run tests/run"]
fn the_change_in_c_names_what_the_source_names() {
    const RING: &str = "struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } rb SEC(\".maps\");
        struct task_struct *bpf_task_from_pid(s32 pid) __ksym;
        struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4); __type(key, u64); __type(value, u64); }
            m SEC(\".maps\");\n";
    for (number, (program, change)) in [
        (
            "SEC(\"xdp\") int f(struct xdp_md *ctx)
            {
                void *stop = (void *)(long)ctx->data_end;
                struct ethhdr *eth = (void *)(long)ctx->data;
                return eth->h_proto ? 1 : stop != 0;
            }",
            "`if ((void *)(eth + 1) > stop) return XDP_PASS;`",
        ),
        (
            "SEC(\"tp_btf/sched_switch\") int f(void *ctx)
            {
                struct task_struct *task = bpf_task_from_pid(1);
                if (!task)
                    return 0;
                return task->pid;
            }",
            "`bpf_task_release(task);`",
        ),
        (
            "SEC(\"tc\") int f(void *ctx)
            {
                struct bpf_dynptr d;
                bpf_ringbuf_reserve_dynptr(&rb, 16, 0, &d);
                return 0;
            }",
            "`bpf_ringbuf_discard_dynptr(&d, 0);`",
        ),
        (
            "SEC(\"tc\") int f(struct __sk_buff *ctx)
            {
                void *data = (void *)(long)ctx->data;
                if (data + 64 > (void *)(long)ctx->data_end)
                    return 0;
                return bpf_perf_event_output(ctx, &rb, 0, data, 16);
            }",
            "change: copy the bytes to the stack first",
        ),
        (
            "SEC(\"xdp\") int f(void *ctx) { u32 key = 1; return !!bpf_map_lookup_elem(&m, &key); }",
            "make key as large as what the call uses, 8 bytes",
        ),
        (
            "SEC(\"tc\") int f(void *ctx)
            {
                char comm[16];
                int i = 0;
                bpf_get_current_comm(comm, 16);
                while (comm[i])
                    i++;
                return i;
            }",
            "leave the loop after 16 passes",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let object = compile(&format!("named-{number}"), &format!("{RING}{program}"));
        let ended = verify(&object, &[]);
        assert!(ended.code == Some(1) && ended.stderr.contains(change), "{program}: {}", ended.stderr);
    }
}

#[test]
#[ignore = "needs root, bpf(2), clang and bpftool: run tests/run"]
fn very_large_objects_are_judged_as_small_ones() {
    let large = |end: &str| {
        format!(
            "SEC(\"xdp\") int f(void *ctx)
            {{
                asm volatile(\".rept 50100\\nr1 = 1\\n*(u64 *)(r10 - 8) = r1\\n.endr\" ::: \"r1\", \"memory\");
                return {end};
            }}"
        )
    };
    judged("large", &[(&large("2"), true), (&large("*(volatile int *)0x1234"), false)]);
}
