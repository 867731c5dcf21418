//! What a script needs to know of the host that it runs on.

use super::probes::Event;
use super::types::{Int, Struct, Type, TypeId};

/// Answers for one host.
pub trait Host {
    /// The events that an attach point means: those that match its patterns.
    ///
    /// # Errors
    /// There is none.
    fn expand(&self, event: Event) -> Result<Vec<Event>, String>;

    /// The field of a tracepoint's record, or an argument by its name.
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

    /// The type of what the function returned.
    ///
    /// # Errors
    /// It is not known.
    fn result_type(&self, _: &Event) -> Result<Type, String> {
        Ok(Type::UINT64)
    }

    /// A type of the kernel by its name; `keyword` is `struct`, `union` or `enum`, if it was written.
    ///
    /// # Errors
    /// There is none, or the kernel's types are not known.
    fn kernel_type(&self, _: Option<&str>, name: &str) -> Result<Type, String> {
        Err(format!("there is no type `{name}`"))
    }

    /// A member of a struct or a union, also of one without a name in it.
    ///
    /// # Errors
    /// It has none of this name.
    fn member(&self, of: &Struct, name: &str) -> Result<Member, String> {
        Err(format!("{} has no field `{name}`", of.name))
    }

    /// The number and the type of a constant of the kernel's enumerations.
    fn enumerator(&self, _: &str) -> Option<(i128, Int)> {
        None
    }

    /// The address of a symbol of the kernel, if there is one that is shown.
    fn kernel_address(&self, _: &str) -> Option<u64> {
        None
    }

    /// The name of a value of an enumeration.
    fn name_of_value(&self, _: TypeId, _: i128) -> Option<String> {
        None
    }

    /// The members of a struct in their order, also those of structs without names in it.
    fn members(&self, _: &Struct) -> Vec<(String, Member)> {
        vec![]
    }

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

/// What `args` has: a field of a tracepoint's record, or an argument.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Field {
    /// Bytes from the start of the context.
    pub offset: i32,
    /// How it is stored.
    pub form: FieldForm,
    /// The type of its value.
    pub of: Type,
}

/// A member of a struct or a union.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Bytes from the start of the struct.
    pub offset: usize,
    /// Of a bit field, how many bits are before it in memory, and its own.
    pub bits: Option<(u32, u32)>,
    /// The type of its value.
    pub of: Type,
}

/// How a field is stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FieldForm {
    /// A number of 1, 2, 4 or 8 bytes, or an address.
    Number {
        /// Its size.
        bytes: u8,
        /// Whether it can be negative.
        signed: bool,
    },
    /// In the low bytes of 8.
    Word,
    /// In an array of so many bytes.
    Bytes(usize),
    /// A string elsewhere in the record: the field has its offset and length.
    Location,
}
