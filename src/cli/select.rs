//! Which programs of a file are meant, and what they are.

use clap::Args;

use crate::error::Error;
use crate::insn::parse::like;
use crate::source::kind::{self, NamedKind};
use crate::source::{Collection, ProgramKind};

/// Which programs of a file are meant, and what they are.
#[derive(Args, Debug)]
pub struct Select {
    /// Only the program of this name
    #[arg(long, value_name = "NAME")]
    program: Option<String>,

    /// What a program is whose section does not say it, or with --program, what that program is: a
    /// section's name as in libbpf (xdp, kprobe, cgroup/connect4, lsm/file_open), or a type and its
    /// attach type ("sk_skb stream_parser")
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
}

impl Select {
    /// Whether nothing is selected.
    pub fn is_empty(&self) -> bool {
        self.program.is_none() && self.kind.is_none()
    }

    /// The collection with these programs alone.
    ///
    /// # Errors
    /// It has no such program, or there is no such type.
    pub fn from(&self, mut collection: Collection) -> Result<Collection, Error> {
        if let Some(wanted) = &self.program {
            let programs = &collection.programs;
            let left_out = collection.left_out.iter().map(|(name, _)| name.as_str());
            let names: Vec<_> =
                programs.iter().map(|spec| spec.name.as_str()).chain(left_out).collect();
            if !names.contains(&&**wanted) {
                let what = format!("it has no program {wanted}");
                return Err(Error::usage(what).hint(
                    match like(wanted, &mut names.iter().copied()) {
                        Some(likely) => format!("did you mean {likely}?"),
                        None => format!("each of them: {}", names.join(", ")),
                    },
                ));
            }
            let kept = names.iter().position(|name| name == wanted);
            for map in collection.maps.iter_mut().filter(|map| !map.map_type.holds_maps()) {
                map.slots.retain(|(_, program)| Some(*program as usize) == kept);
                map.slots.iter_mut().for_each(|(_, program)| *program = 0);
            }
            collection.programs.retain(|spec| spec.name == *wanted);
            collection.left_out.retain(|(name, _)| name == wanted);
        }
        if let Some(word) = &self.kind {
            let (word, place) = word.split_once(' ').unwrap_or((word, ""));
            let NamedKind { kind, place, options } = kind::parse(word, place.trim_start())?;
            for spec in &mut collection.programs {
                if spec.kind == ProgramKind::Unknown || self.program.is_some() {
                    spec.kind = kind;
                    spec.place.clone_from(&place);
                    spec.options.attach_type = options.attach_type;
                }
            }
        }
        Ok(collection)
    }
}
