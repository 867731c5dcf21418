//! `rawbpf explain`: why a program is refused, from its log alone.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::input::{bytes, shown};
use super::output_file::OutputFile;
use super::report;
use super::stop::Stop;
use super::streams::Stdout;
use super::verify::{html, step, walk};
use crate::error::Error;
use crate::verifier::draw::page::Page;
use crate::verifier::draw::text;
use crate::verifier::explain::explain;
use crate::verifier::verified::Verified;

/// Explain a refusal from the verifier's log alone, as any loader printed it
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// A file with the log and whatever is around it; - or nothing for stdin
    #[arg(value_name = "LOG")]
    log: Option<PathBuf>,

    /// Print the walk before the explanation
    #[arg(short, long)]
    verbose: bool,

    /// Print the walk, with everything known after each instruction
    #[arg(long)]
    all: bool,

    /// Print a line of JSON for each instruction, and one for the verdict, as verify does
    #[arg(long)]
    json: bool,

    /// Write a web page to go through the walk; - for stdout
    #[arg(long, value_name = "FILE", conflicts_with_all = ["verbose", "all", "json"])]
    html: Option<PathBuf>,

    /// Step through the walk on the terminal, forward and back; press ? there for the keys
    #[arg(long, conflicts_with_all = ["verbose", "all", "json", "html"])]
    step: bool,
}

const EXAMPLES: &str = "\
Examples:
  rawbpf explain error.txt                      a file with the log, as it was copied
  cargo run 2>&1 | rawbpf explain               the error of aya or libbpf-rs
  bpftool -d prog load a.o /sys/fs/bpf/a 2>&1 | rawbpf explain
  journalctl -u agent | rawbpf explain -v       with the walk that led to the refusal
  rawbpf explain ci.log --html why.html         a page to go through the walk
  rawbpf explain error.txt --json | tail -1 | jq .sentence

The log is found in what loaders print: libbpf, aya, cilium/ebpf, bcc, bpftool, veristat; with time \
stamps or other prefixes on its lines, indented, between quotes with \\n, cut at either end. Several \
logs are explained one after the other. The program is rebuilt from the lines of the log: what these \
do not show is unknown, and the explanation says so. Level 1 or 2 of the log has most in it \
(kernel_log_level in libbpf, verifier_log_level in aya, LogLevel in cilium/ebpf). The exit code is 0 \
if there was a log, whatever its verdict.";

pub fn run(options: &Options) -> Result<(), Stop> {
    let path = options.log.as_deref().unwrap_or(Path::new("-"));
    if options.step {
        step::check(path == "-")?;
    }
    let name = shown(path);
    let html = options.html.as_deref().map(OutputFile::open).transpose()?;
    let text = bytes(path)?;
    let is_object = text.starts_with(b"\x7fELF");
    let text = String::from_utf8(text)
        .unwrap_or_else(|other| String::from_utf8_lossy(other.as_bytes()).into_owned());
    let explained = explain(&text);
    if explained.is_empty() {
        if let Some((has, most)) = too_long(&text) {
            let what = format!(
                "{name}: the program has {has} instructions, more than the {most} that the kernel accepts, and \
                 did not come to the verifier"
            );
            return Err(Error::failed(what)
                .hint("Linux 5.2 and later accept a million with CAP_BPF; else split it by tail calls")
                .into());
        }
        let hint = match is_object {
            true => format!("it is an object: to verify its programs here: rawbpf verify {name}"),
            false => LOOKS.to_owned(),
        };
        return Err(Error::failed(format!("{name}: there is no log of the verifier in it"))
            .hint(hint)
            .into());
    }
    if options.step {
        return step::run(&explained);
    }
    if let Some(file) = html {
        let mut page = Page::new().about(format!("{name}: rebuilt from the verifier's log"));
        explained.iter().try_for_each(|one| html::add(one, &mut page))?;
        return file.write(page.to_html().as_bytes());
    }
    let mut out = Stdout::styled(report::colored(&io::stdout()));
    for (index, one) in explained.iter().enumerate() {
        if options.json {
            walk::json(one, options.all, &mut out)?;
            continue;
        }
        if index > 0 {
            writeln!(out)?;
        }
        text_of(one, explained.len() > 1, options, &mut out)?;
    }
    Ok(out.flush()?)
}

/// The numbers in what bcc says of a program that is too long: `Program f too large (5000 insns), at most 4096
/// insns`.
fn too_long(text: &str) -> Option<(u64, u64)> {
    let (_, rest) = text.split_once(" too large (")?;
    let (has, rest) = rest.split_once(" insns), at most ")?;
    Some((has.parse().ok()?, rest.split_whitespace().next()?.parse().ok()?))
}

const LOOKS: &str = "\
a log has lines such as `12: (79) r1 = *(u64 *)(r0 +0)`, then the reason and `processed 13 insns`: \
libbpf prints it when a load fails, aya with the error, cilium/ebpf with %+v, bpftool with -d";

/// Writes a program's walk, if it is asked for, and why it is refused.
fn text_of(
    one: &Verified,
    several: bool,
    options: &Options,
    out: &mut Stdout,
) -> Result<(), io::Error> {
    let color = report::colored(&io::stdout());
    if options.verbose || options.all {
        walk::text(one, options.all, out)?;
        return write!(out, "\n{}", text::verdict(one, color));
    }
    write!(out, "{}", text::explained(one, several, color))
}
