//! A program as JSON.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use super::row::{DumpRow, MapRow};
use super::{Dump, Origin};
use crate::insn::Slot;
use crate::plain;

impl Dump {
    /// Writes one object on a line, instruction by instruction, since a long program would fill the memory.
    pub(super) fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut object = Map::from_iter([("name".to_owned(), self.name.as_str().into())]);
        if let Value::Object(origin) = origin_to_json(&self.origin) {
            object.extend(origin);
        }
        object.insert("maps".into(), self.maps.iter().map(map_to_json).collect());
        let object = plain::json(Value::from(object).to_string());
        write!(out, "{},\"insns\":[", object.strip_suffix('}').unwrap_or(&object))?;
        for (index, row) in self.rows.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(out, "{comma}{}", self.row_to_json(row))?;
        }
        writeln!(out, "]}}")
    }

    fn row_to_json(&self, row: &DumpRow) -> Value {
        let slots = self.bytes_of(row).as_chunks::<8>().0;
        let slots = slots.iter().map(|bytes| Slot::from_bytes(*bytes, self.endian)).map(
            |s| json!({"code": s.code, "dst": s.dst, "src": s.src, "off": s.off, "imm": s.imm}),
        );
        let slots: Vec<_> = slots.collect();
        let mut insn = json!({"slot": row.slot, "text": row.text, "slots": slots});
        if let Some(source) = &row.source {
            insn["file"] = source.file.as_str().into();
            insn["line"] = source.line.into();
            insn["source"] = source.text.as_str().into();
        }
        for (name, value) in [("label", &row.label), ("note", &row.note)] {
            if let Some(value) = value {
                insn[name] = value.as_str().into();
            }
        }
        insn
    }
}

fn origin_to_json(origin: &Origin) -> Value {
    match origin {
        Origin::Unknown => Value::Null,
        Origin::Object { section, license } => json!({"section": section, "license": license}),
        Origin::Attachable { kind, place, license } => {
            json!({"attach": {"kind": kind, "to": place}, "license": license})
        }
        Origin::Kernel { id, tag, program_type } => {
            json!({"id": id, "tag": tag, "type": program_type})
        }
    }
}

fn map_to_json(map: &MapRow) -> Value {
    let MapRow { id, name, map_type, key_size, value_size, max_entries, flags, .. } = map;
    let mut fields = json!({
        "name": name,
        "type": map_type,
        "key_size": key_size,
        "value_size": value_size,
        "max_entries": max_entries,
        "flags": flags,
    });
    if let Some(id) = id {
        fields["id"] = (*id).into();
    }
    fields
}
