//! A tool's programs and their maps, without loading them: `--dump-insns`.

use std::io::Write;
use std::rc::Rc;

use serde_json::{Map, json};

use super::super::Stop;
use super::format::{Format, MapLine, Row, Shown, Source};
use crate::error::Error;
use crate::insn::{Endian, encode};
use crate::programs;
use crate::session::Plan;
use crate::sys::map::MapSpec;

/// The licence programs are loaded under: the kernel takes it as compatible with the GPL, which
/// bpf_probe_read_kernel demands.
pub const LICENSE: &str = "Dual MIT/GPL";

/// Prints a tool's programs, one after the other.
///
/// # Errors
/// Bytes were asked for but an offset in them is not known; or the output could not be written.
pub fn dump(
    out: &mut dyn Write,
    format: Format,
    plans: &[Plan],
    maps: &[MapSpec],
) -> Result<(), Stop> {
    plans.iter().try_for_each(|plan| {
        let bytes = matches!(format, Format::Opcodes | Format::Hex | Format::C | Format::Raw);
        if let Some(field) = plan.program.unresolved().filter(|_| bytes) {
            let what = format!("{field} is not known without the kernel's types");
            return Err(Error::lacking(what)
                .next("try: --btf FILE with that kernel's vmlinux or BTF, or --dump-insns=listing")
                .into());
        }
        shown(plan, maps).print(out, format)
    })
}

fn shown(plan: &Plan, maps: &[MapSpec]) -> Shown {
    let names: Vec<&str> = maps.iter().map(|map| map.name.as_str()).collect();
    let listing = plan.program.listing(&names).to_string();
    let rows = plan.program.lines().zip(listing.lines()).map(|((slot, insn, line), text)| {
        let text = text.split_once(") ").map_or(text, |(_, text)| text).to_owned();
        let (file, number) = (line.file().to_owned(), line.0.line());
        let source = programs::line(&file, number).to_owned();
        let source = Some(Rc::new(Source { file, line: number, text: source }));
        Row { slot, insn: Some(*insn), text, note: None, label: None, source }
    });
    Shown {
        name: plan.name.to_owned(),
        directives: vec![
            format!(".program {} {}", plan.name, plan.attach),
            format!(".license \"{LICENSE}\""),
        ],
        maps: maps.iter().map(map_line).collect(),
        shows_maps: true,
        rows: rows.collect(),
        bytes: encode(plan.program.insns(), Endian::HOST),
        endian: Endian::HOST,
        fields: Map::from_iter([
            (
                "attach".to_owned(),
                json!({"kind": plan.attach.kind().to_string(), "to": plan.attach.place()}),
            ),
            ("license".to_owned(), LICENSE.into()),
        ]),
        wrong: vec![],
    }
}

fn map_line(map: &MapSpec) -> MapLine {
    let &MapSpec { key_size, value_size, max_entries, flags, .. } = map;
    let (name, map_type) = (map.name.clone(), map.map_type.name().to_owned());
    MapLine { id: None, name, map_type, key_size, value_size, max_entries, flags }
}
