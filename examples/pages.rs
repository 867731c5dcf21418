//! Writes the man pages and the shell completions:
//! `cargo run --example pages FOLDER`.
//!
//! An example makes them, because the program would be a tenth larger if it did.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use clap::Command;
use clap_mangen::Man;
use rawbpf::cli::{Shell, script};

fn main() -> io::Result<()> {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("usage: cargo run --example pages FOLDER");
        std::process::exit(2);
    };
    write(folder.as_ref())
}

/// Writes a page for the program, a page for each subcommand, and the completions of each shell.
pub fn write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // `help` needs no page.
    let mut command = rawbpf::cli::command().disable_help_subcommand(true);
    command.build();
    page(&command, folder)?;
    for subcommand in command.get_subcommands() {
        page(subcommand, folder)?;
    }
    for (shell, file) in
        [(Shell::Bash, "rawbpf.bash"), (Shell::Zsh, "_rawbpf"), (Shell::Fish, "rawbpf.fish")]
    {
        fs::write(folder.join(file), script(shell, rawbpf::cli::command()))?;
    }
    Ok(())
}

fn page(command: &Command, folder: &Path) -> io::Result<()> {
    let man = Man::new(command.clone()).source(concat!("rawbpf ", env!("CARGO_PKG_VERSION")));
    let mut out = File::create(folder.join(man.get_filename()))?;
    man.render_title(&mut out)?;
    man.render_name_section(&mut out)?;
    man.render_synopsis_section(&mut out)?;
    man.render_description_section(&mut out)?;
    man.render_options_section(&mut out)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut out)?;
    }
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    match help.split_once("Examples:\n") {
        Some((before, examples)) => {
            if !before.is_empty() {
                section(&mut out, "NOTES", before)?;
            }
            section(&mut out, "EXAMPLES", examples)?;
        }
        None => section(&mut out, "NOTES", &help)?,
    }
    section(&mut out, "OVERHEAD", overhead(command))?;
    section(&mut out, "EXIT STATUS", EXIT_STATUS)?;
    let others = if command.has_subcommands() { PAGES_OF_TOOLS } else { PAGE_OF_ALL };
    section(&mut out, "SEE ALSO", others)
}

fn overhead(command: &Command) -> &'static str {
    match command.get_name() {
        "asm" => NOTHING_LOADED,
        "dump" => READS_ONLY,
        "lesson" => LESSONS,
        "list" => LISTS,
        "trace" => SCRIPTS,
        "verify" => VERIFIES,
        "explain" => EXPLAINS,
        "doctor" => NO_OVERHEAD,
        "completions" | "replay" | "compare" => NONE,
        "record" => RECORDS,
        _ if traces(command) => OVERHEAD,
        other => panic!("the overhead of {other} is not described"),
    }
}

/// Whether the command attaches a program that runs at each event.
fn traces(command: &Command) -> bool {
    command.has_subcommands() || command.get_arguments().any(|arg| arg.get_id() == "interval")
}

/// Writes a section. Its lines stay as they are, except a paragraph in one long line.
fn section(out: &mut File, title: &str, text: &str) -> io::Result<()> {
    writeln!(out, ".SH \"{title}\"\n.nf")?;
    for line in text.trim_end().lines() {
        // `\&` keeps a point or a quote at the start from being a command; a bare hyphen would be a dash.
        let text = line.replace('\\', "\\e").replace('-', "\\-");
        match line.len() > 110 && !line.starts_with(' ') {
            true => writeln!(out, ".fi\n\\&{text}\n.nf")?,
            false => writeln!(out, "\\&{text}")?,
        }
    }
    writeln!(out, ".fi")
}

const OVERHEAD: &str = "\
At each event a program runs on the CPU where the event happens: some 30
instructions to count a size, some 60 to 100 if processes are counted
separately. The figures were measured on a busy machine with two CPUs and
Linux 6.18: they show proportions, not what your machine will measure.

The cost of an event, by attach kind:
  tp_btf       50 to 60 ns to get into the program; fields cost nothing
  raw_tp       50 to 120 ns, and 60 to 90 ns for each field copied
  tracepoint   120 to 190 ns, most of it to build the event's record
  kprobe       some 450 instructions in all, counted in an emulator
The cost in the program itself:
  a counter    1 ns; 10 ns if two CPUs count in the same place
  a key        31 ns; 44 ns if two CPUs count under the same key
While kernel.bpf_stats_enabled is 1, the kernel times each run, which adds
some 40 ns.

So a disk with 100,000 requests a second costs some 10 to 20 ms of CPU
time a second, over all CPUs. Do not trace a function that is called ten
million times a second: at 100 ns a call, that is a whole CPU.

The start takes some milliseconds, most of them to find a type in the
kernel's BTF. The end takes less than one. After the prompt is back, the
kernel needs another 50 to 90 ms for each kprobe, uprobe or tracepoint.

The process uses less than 3 MB, most of them pages of its file and of
the kernel's BTF. rawbpf doctor shows how much kernel memory the maps use.
Neither grows with time.";

const SCRIPTS: &str = "\
At each event the programs of a script run on the CPU where the event
happens. What an event costs depends on the attach kind (the page of
bitehist has the figures) and on the script: some 10 ns to count in a map
without keys, 30 to 40 ns for a key, and some 200 ns for a printf().

Each map has room for max_map_keys keys (4096), and is allocated when the
script starts; the events of printf() have 256 KiB, those of print(),
clear() and exit() as much again. -v reports the sum. What does not fit is
counted and reported.";

const READS_ONLY: &str = "It only reads: nothing is loaded, and nothing runs in the kernel.";

const LESSONS: &str = "\
Programs are loaded, and run a few times on given bytes; nothing is
attached. Each lesson takes some milliseconds.";

const VERIFIES: &str = "\
Programs are loaded to be verified, some of them twice, and then removed;
nothing is attached or run. The last of the totals is the time that the
kernel needed: microseconds for most programs, 1 to 2 seconds for a
million instructions.";

const LISTS: &str = "\
Nothing is loaded. Each object in the kernel and the file descriptors of
each process are read: some 20 ms for a hundred processes. During the
seconds of --stats and as long as --live runs, the kernel times each run of
every program, which adds some 40 ns to a run.";

const EXPLAINS: &str =
    "None: it reads a text. It loads nothing into the kernel and needs no privilege.";

const RECORDS: &str = "\
That of the tool, and for each row a few microseconds and one write of
some 30 to 100 bytes if little was counted. With --fsync, a row waits for the
disk.";

const NO_OVERHEAD: &str = "\
It attaches programs of two instructions to places that are hardly ever
hit, and detaches them when it is done. Nothing is left in the kernel. A
run takes some tenths of a second, most of it at its end, when the kernel
removes a uprobe, a tracepoint and two kprobes.";

const NOTHING_LOADED: &str = "\
None: it loads nothing into the kernel and needs no privilege. A text of a
hundred thousand instructions takes some tenths of a second.";

const NONE: &str = "None: it loads nothing into the kernel and needs no privilege.";

const EXIT_STATUS: &str = "\
0    success
1    failure
2    wrong usage: the command line asks for something impossible
77   this host lacks something needed, or a privilege is missing";

const PAGES_OF_TOOLS: &str = "rawbpf-doctor(1), and the page of each subcommand";
const PAGE_OF_ALL: &str = "rawbpf(1), rawbpf-doctor(1)";
