//! Which programs of a file are meant, and what they are.

use clap::Args;

use crate::error::Error;
use crate::insn::parse::like;
use crate::source::kind::{self, NamedKind};
use crate::source::{Collection, ProgramKind, ProgramSpec};

/// Which programs of a file are meant, and what they are.
#[derive(Args, Debug, Default)]
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

    /// Nothing may be selected of this.
    ///
    /// # Errors
    /// Something is.
    pub fn none_of(&self, what: &str) -> Result<(), Error> {
        if self.is_empty() {
            return Ok(());
        }
        let what =
            format!("--program and --type choose among the programs of an object, not of {what}");
        Err(Error::usage(what))
    }

    /// The program among these that is meant; `None` for all of them.
    ///
    /// # Errors
    /// There is no such program.
    pub fn program(&self, names: &[&str]) -> Result<Option<&str>, Error> {
        let Some(wanted) = self.program.as_deref().filter(|it| !names.contains(it)) else {
            return Ok(self.program.as_deref());
        };
        let what = format!("it has no program {wanted}");
        Err(Error::usage(what).hint(match like(wanted, &mut names.iter().copied()) {
            Some(likely) => format!("did you mean {likely}?"),
            None => format!("each of them: {}", names.join(", ")),
        }))
    }

    /// What a program is of which that is not known, or the one that is chosen.
    ///
    /// # Errors
    /// There is no such type.
    pub fn kind(&self) -> Result<Option<NamedKind>, Error> {
        let Some(word) = &self.kind else { return Ok(None) };
        let (word, place) = word.split_once(' ').unwrap_or((word, ""));
        Ok(Some(kind::parse(word, place.trim_start())?))
    }

    /// Whether [`Select::kind`] is said of a program whose kind may be known.
    pub fn is_about(&self, is_known: bool) -> bool {
        self.kind.is_some() && (!is_known || self.program.is_some())
    }

    /// The collection with these programs alone; without a name, with those that libbpf loads by itself.
    ///
    /// # Errors
    /// It has no such program, or there is no such type.
    pub fn from(&self, mut collection: Collection) -> Result<Collection, Error> {
        let left_out = collection.left_out.iter().map(|(name, _)| name.as_str());
        let programs = collection.programs.iter().map(|spec| spec.name.as_str());
        let names: Vec<_> = programs.chain(left_out).collect();
        if let Some(wanted) = self.program(&names)? {
            keep(&mut collection, &|spec| spec.name == wanted);
            collection.left_out.retain(|(name, _)| name == wanted);
        } else {
            let optional = collection.programs.iter().filter(|spec| spec.optional);
            let names = optional.map(|spec| spec.name.as_str());
            let names: Vec<_> =
                names.chain(collection.left_out_optional.iter().map(String::as_str)).collect();
            if !names.is_empty() {
                collection.notes.push(format!(
                    "libbpf does not load {} by itself: the section begins with \"?\"; --program NAME chooses it",
                    names.join(", ")
                ));
                keep(&mut collection, &|spec| !spec.optional);
                let optional = std::mem::take(&mut collection.left_out_optional);
                collection.left_out.retain(|(name, _)| !optional.contains(name));
            }
        }
        if let Some(NamedKind { kind, place, options }) = self.kind()? {
            for spec in &mut collection.programs {
                if self.is_about(spec.kind != ProgramKind::Unknown) {
                    spec.kind = kind;
                    spec.place.clone_from(&place);
                    spec.options.attach_type = options.attach_type;
                }
            }
        }
        Ok(collection)
    }
}

/// Leaves out the other programs, also where maps hold them.
fn keep(collection: &mut Collection, is_kept: &dyn Fn(&ProgramSpec) -> bool) {
    let programs = &collection.programs;
    let mut next = 0u32;
    let places: Vec<_> = programs
        .iter()
        .map(|spec| {
            let place = is_kept(spec).then_some(next);
            next += u32::from(place.is_some());
            place
        })
        .collect();
    for map in collection.maps.iter_mut().filter(|map| !map.map_type.holds_maps()) {
        let slots = map.slots.iter();
        let kept = slots.filter_map(|(key, it)| Some((*key, (*places.get(*it as usize)?)?)));
        map.slots = kept.collect();
    }
    collection.programs.retain(is_kept);
}
