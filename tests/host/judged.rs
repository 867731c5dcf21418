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
