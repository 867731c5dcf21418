//! A host of which only the names are asked. The fuzzer uses it too.

use rawbpf::script::Host;
use rawbpf::script::host::{Field, FieldForm, Member, Namespace, OnlyProcess};
use rawbpf::script::probes::Event;
use rawbpf::script::types::{Struct, Type, TypeId};

/// It has every event, each with the fields that the cases use, and one of every form.
pub struct Fields;

impl Host for Fields {
    fn expand(&self, event: Event) -> Result<Vec<Event>, String> {
        Ok(vec![event])
    }

    fn field(&self, _: &Event, name: &str) -> Result<Field, String> {
        let number = |bytes, signed| FieldForm::Number { bytes, signed };
        let (form, of) = match name {
            "error_code" | "bytes" | "nr_sector" | "fd" | "count" => {
                (number(8, false), Type::UINT64)
            }
            "dev" => (number(4, false), Type::UINT32),
            "ret" => (number(8, true), Type::INT64),
            "filename" => (number(8, false), Type::address(false)),
            "comm" => (FieldForm::Bytes(16), Type::Text(16)),
            "name" => (FieldForm::Location, Type::address(false)),
            "task" => (FieldForm::Word, node().pointer(false)),
            _ => return Err(format!("this tracepoint has no field `{name}`")),
        };
        Ok(Field { offset: 8, form, of })
    }

    fn kernel_type(&self, _: Option<&str>, name: &str) -> Result<Type, String> {
        if name == "node" { Ok(node()) } else { Err(format!("there is no type {name}")) }
    }

    fn member(&self, _: &Struct, name: &str) -> Result<Member, String> {
        let (offset, bits, of) = match name {
            "next" => (0, None, node().pointer(false)),
            "flag" => (8, Some((3, 5)), Type::UINT32),
            "name" => (12, None, Type::Text(12)),
            "all" => (24, None, Type::Array(Box::new(Type::INT64), 3)),
            _ => return Err(format!("there is no field {name}")),
        };
        Ok(Member { offset, bits, of })
    }

    fn argument(&self, _: &Event, number: u32) -> Result<i32, String> {
        Ok(8 * number.min(6) as i32)
    }

    fn result(&self, _: &Event) -> Result<i32, String> {
        Ok(80)
    }

    fn cpus(&self) -> u32 {
        2
    }

    fn namespace(&self) -> Option<Namespace> {
        None
    }

    fn only_process(&self) -> Option<OnlyProcess> {
        None
    }

    fn child(&self) -> u32 {
        0
    }

    fn started(&self) -> u64 {
        0
    }
}

/// A struct with fields of every form.
fn node() -> Type {
    let id = TypeId { module: 0, id: 1 };
    Type::Struct(Struct { name: "struct node".into(), id, bytes: 48 })
}
