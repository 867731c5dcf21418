//! What a script needs to know of the host that it runs on.

use super::probes::Event;
use super::types::Type;

/// Answers for one host.
pub trait Host {
    /// The events that an attach point means: those that match its patterns.
    ///
    /// # Errors
    /// There is none.
    fn expand(&self, event: Event) -> Result<Vec<Event>, String>;

    /// The field of a tracepoint's record.
    ///
    /// # Errors
    /// It has none of this name: which it has, or why that is not known.
    fn field(&self, event: &Event, name: &str) -> Result<Field, String>;

    /// Where the program's context has an argument of the function or tracepoint, in bytes; arguments are
    /// counted from 0. It has 8 bytes.
    ///
    /// # Errors
    /// This kind of event has no such argument.
    fn argument(&self, event: &Event, number: u32) -> Result<i32, String>;

    /// Where the context has what the function returned.
    ///
    /// # Errors
    /// This kind of event returns nothing.
    fn result(&self, event: &Event) -> Result<i32, String>;

    /// The number of CPUs.
    fn cpus(&self) -> u32;

    /// The settings of the environment by their names there: they win over those of a script.
    fn variables(&self) -> Vec<(String, String)> {
        vec![]
    }

    /// Why an event does not exist here, if that is so. It takes time to find out.
    fn missing(&self, _: &Event) -> Option<String> {
        None
    }

    /// The most bytes of a map's key.
    fn longest_key(&self) -> usize {
        usize::MAX
    }

    /// The PID namespace by which processes are numbered, if that is not the first one of the host.
    fn namespace(&self) -> Option<Namespace>;

    /// The only process whose events are looked at, if there is one.
    fn only_process(&self) -> Option<OnlyProcess>;

    /// The process that was started with `-c`; 0 if there is none.
    fn child(&self) -> u32;

    /// When the run began: nanoseconds since boot.
    fn started(&self) -> u64;
}

/// A PID namespace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Namespace {
    /// The device of its inode, in the kernel's own form.
    pub device: u32,
    /// Its inode.
    pub inode: u32,
}

/// A process, by its number in a PID namespace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OnlyProcess {
    /// Its number there.
    pub pid: u32,
    /// The namespace, if it is not the first one of the host.
    pub namespace: Option<Namespace>,
}

/// A field of a tracepoint's record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// Bytes from the start of the record.
    pub offset: i32,
    /// What it holds.
    pub form: FieldForm,
}

/// What a field of a tracepoint's record holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldForm {
    /// A number of 1, 2, 4 or 8 bytes.
    Number {
        /// Its size.
        bytes: u8,
        /// Whether it can be negative.
        signed: bool,
    },
    /// An address.
    Pointer,
    /// An array of so many characters.
    Text(usize),
    /// A string elsewhere in the record: the field has its offset and length.
    Location,
}

impl Field {
    /// The type of its value in a script.
    pub fn of(&self) -> Type {
        match self.form {
            FieldForm::Number { bytes, signed } => Type::int(bytes, signed),
            FieldForm::Pointer | FieldForm::Location => Type::Pointer,
            FieldForm::Text(length) => Type::Text(length),
        }
    }
}
