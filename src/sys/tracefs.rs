//! Tracefs: the tracepoints, and the layout of their records.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::{FileError, file};

/// A mounted tracefs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracefs {
    root: PathBuf,
}

impl Tracefs {
    /// The places where it is searched for, in this order.
    pub const PLACES: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

    /// The mounted tracefs; `None` if it is not mounted, or may not be read.
    pub fn find() -> Option<Tracefs> {
        Tracefs::PLACES.into_iter().find_map(Tracefs::at)
    }

    /// The tracefs that is mounted at `root`, if one is.
    pub fn at(root: impl Into<PathBuf>) -> Option<Tracefs> {
        let root = root.into();
        root.join("events").is_dir().then_some(Tracefs { root })
    }

    /// Where it is mounted.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The number of a tracepoint, e.g. of "block", "block_rq_issue". ENOENT when there is none.
    pub fn tracepoint_id(&self, group: &str, name: &str) -> Result<u64, FileError> {
        let path = self.event(group, name, "id")?;
        let text = file::read_text(&path)?;
        text.trim()
            .parse()
            .map_err(|_| FileError::nonsense(&path, format!("not a number: {text:?}")))
    }

    /// Whether there is a group of this name.
    pub fn has_group(&self, group: &str) -> bool {
        plain(group) && self.root.join("events").join(group).is_dir()
    }

    /// Whether there is such a tracepoint.
    pub fn has_event(&self, group: &str, name: &str) -> bool {
        self.event(group, name, "format").is_ok_and(|path| path.exists())
    }

    /// The layout of a tracepoint's records. ENOENT when there is none.
    pub fn tracepoint_format(&self, group: &str, name: &str) -> Result<RecordFormat, FileError> {
        let path = self.event(group, name, "format")?;
        RecordFormat::parse(&file::read_text(&path)?).map_err(|why| FileError::nonsense(&path, why))
    }

    /// Calls `function` with the name of each function that ftrace can trace, and its module, until it breaks.
    /// This costs milliseconds: the list has tens of thousands of lines.
    ///
    /// kprobes can be placed on functions that are not in this list, kprobe_multi and fentry cannot.
    pub fn traceable_functions<B>(
        &self,
        mut function: impl FnMut(&str, Option<&str>) -> ControlFlow<B>,
    ) -> Result<Option<B>, FileError> {
        file::for_each_line(&self.root.join("available_filter_functions"), |line| {
            let mut parts = std::str::from_utf8(line).unwrap_or_default().split_ascii_whitespace();
            match parts.next() {
                // Such lines remain of functions that were dropped when the kernel was linked.
                Some(name) if !name.starts_with("__ftrace_invalid_address") => {
                    let module = parts.next();
                    function(name, module.and_then(|it| it.strip_prefix('[')?.strip_suffix(']')))
                }
                _ => ControlFlow::Continue(()),
            }
        })
    }

    /// Like [`Tracefs::traceable_functions`], but with the address of ftrace's place in each function, some
    /// bytes after its beginning. ENOENT before Linux 6.5. The kernel needs twice as long for it.
    pub fn function_places<B>(
        &self,
        mut function: impl FnMut(&str, u64) -> ControlFlow<B>,
    ) -> Result<Option<B>, FileError> {
        file::for_each_line(&self.root.join("available_filter_functions_addrs"), |line| {
            let line = std::str::from_utf8(line).unwrap_or_default();
            let mut parts = line.split_ascii_whitespace();
            let address = parts.next().and_then(|hex| u64::from_str_radix(hex, 16).ok());
            match (address, parts.next()) {
                (Some(address), Some(name)) if !name.starts_with("__ftrace_invalid_address") => {
                    function(name, address)
                }
                _ => ControlFlow::Continue(()),
            }
        })
    }

    /// Calls `event` with each tracepoint's group and name, until it breaks.
    pub fn events<B>(
        &self,
        mut event: impl FnMut(&str, &str) -> ControlFlow<B>,
    ) -> Result<Option<B>, FileError> {
        file::for_each_line(&self.root.join("available_events"), |line| {
            let line = std::str::from_utf8(line).unwrap_or_default();
            match line.split_once(':') {
                Some((group, name)) => event(group, name),
                None => ControlFlow::Continue(()),
            }
        })
    }

    fn event(&self, group: &str, name: &str, file: &str) -> Result<PathBuf, FileError> {
        let path = self.root.join("events").join(group).join(name).join(file);
        if plain(group) && plain(name) {
            Ok(path)
        } else {
            Err(FileError::new(&path, io::Error::from_raw_os_error(libc::ENOENT)))
        }
    }
}

/// Whether a name names one file below a folder.
fn plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0'])
}

/// The layout of a tracepoint's records, to which its program's context points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordFormat {
    /// The tracepoint's name.
    pub name: String,
    /// The tracepoint's number.
    pub id: u64,
    /// Its fields, beginning with the four that are common to all.
    pub fields: Vec<FormatField>,
}

/// One field of a record. Offset and size in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatField {
    /// The name, without an array's length.
    pub name: String,
    /// The C declaration, name included, e.g. `char comm[16]`.
    pub declaration: String,
    /// Its offset in the record.
    pub offset: u32,
    /// Its length.
    pub size: u32,
    /// Whether it is a signed number.
    pub signed: bool,
}

impl FormatField {
    /// If the field is a u32 with the data's length (high half) and offset (low half): the place in the record
    /// from which the offset counts, which is the record's beginning, or the field's end (`__rel_loc`, Linux
    /// 5.17).
    pub fn data_location(&self) -> Option<u32> {
        match self.declaration.split_once(' ')?.0 {
            "__data_loc" => Some(0),
            "__rel_loc" => self.offset.checked_add(self.size),
            _ => None,
        }
    }
}

impl RecordFormat {
    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<&FormatField> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Reads the text of a `format` file.
    pub fn parse(text: &str) -> Result<RecordFormat, String> {
        let (mut name, mut id, mut fields) = (None, None, vec![]);
        for line in text.lines().map(str::trim) {
            if let Some(value) = line.strip_prefix("name:") {
                name = Some(value.trim().to_owned());
            } else if let Some(value) = line.strip_prefix("ID:") {
                id = value.trim().parse().ok();
            } else if line.starts_with("field:") {
                fields.push(
                    FormatField::parse(line).ok_or_else(|| format!("not a field: {line:?}"))?,
                );
            } else if line.starts_with("print fmt:") {
                break;
            }
        }
        match (name, id) {
            (Some(name), Some(id)) => Ok(RecordFormat { name, id, fields }),
            _ => Err("a name or an ID is missing".into()),
        }
    }
}

impl FormatField {
    /// Reads "field:char comm[16]; offset:8; size:16; signed:0;".
    fn parse(line: &str) -> Option<FormatField> {
        let mut parts = line.split(';').map(str::trim);
        let mut part =
            |key: &str| parts.next()?.strip_prefix(key)?.strip_prefix(':').map(str::trim);
        let declaration = part("field")?;
        let (offset, size) = (part("offset")?.parse().ok()?, part("size")?.parse().ok()?);
        let signed = part("signed")? == "1";
        let before_length = declaration
            .split_once('[')
            .filter(|(_, rest)| rest.ends_with(']'))
            .map_or(declaration, |(before, _)| before);
        // "__data_loc char[] name" has its brackets elsewhere.
        let with_name = if declaration.ends_with(']') { before_length } else { declaration };
        let name = with_name
            .rsplit(|c: char| !(c.is_alphanumeric() || c == '_'))
            .next()
            .filter(|name| !name.is_empty())?;
        Some(FormatField {
            name: name.into(),
            declaration: declaration.into(),
            offset,
            size,
            signed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: &str = "name: block_rq_issue\nID: 1083\nformat:\n\
        \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\
        \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\
        \n\
        \tfield:dev_t dev;\toffset:8;\tsize:4;\tsigned:0;\n\
        \tfield:char rwbs[8];\toffset:32;\tsize:8;\tsigned:0;\n\
        \tfield:char comm[16];\toffset:40;\tsize:16;\tsigned:0;\n\
        \tfield:__data_loc char[] cmd;\toffset:56;\tsize:4;\tsigned:0;\n\
        \tfield:const char * filename;\toffset:64;\tsize:8;\tsigned:0;\n\
        \n\
        print fmt: \"%d,%d field:x\", REC->dev\n";

    #[test]
    fn a_format_file_is_understood() {
        let format = RecordFormat::parse(FORMAT).unwrap();
        assert_eq!((format.name.as_str(), format.id), ("block_rq_issue", 1083));
        let seen: Vec<_> = format
            .fields
            .iter()
            .map(|field| (field.name.as_str(), field.offset, field.size, field.signed))
            .collect();
        assert_eq!(
            seen,
            [
                ("common_type", 0, 2, false),
                ("common_pid", 4, 4, true),
                ("dev", 8, 4, false),
                ("rwbs", 32, 8, false),
                ("comm", 40, 16, false),
                ("cmd", 56, 4, false),
                ("filename", 64, 8, false),
            ]
        );
        assert_eq!(format.field("comm").unwrap().declaration, "char comm[16]");
        assert_eq!(format.field("cmd").unwrap().data_location(), Some(0));
        assert_eq!(format.field("comm").unwrap().data_location(), None);
        let relative = "field:__rel_loc char[] cmd;\toffset:56;\tsize:4;\tsigned:0;";
        assert_eq!(FormatField::parse(relative).unwrap().data_location(), Some(60));
    }

    #[test]
    fn nonsense_is_an_error() {
        for bad in [
            "",
            "name: x",
            "ID: 1",
            "name: x\nID: y",
            "name: x\nID: 1\nfield:;offset:0;size:1;signed:0;",
            "name: x\nID: 1\nfield:int a;offset:-1;size:1;signed:0;",
            "name: x\nID: 1\nfield:int a",
        ] {
            assert!(RecordFormat::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn names_cannot_leave_the_events_directory() {
        let tracefs = Tracefs { root: "/nowhere".into() };
        let _files = file::hook::install(|path| panic!("{} was read", path.display()));
        for (group, name) in
            [("..", "x"), ("a/b", "x"), ("", "x"), ("block", "../.."), ("block", "")]
        {
            assert_eq!(
                tracefs.tracepoint_id(group, name).unwrap_err().errno(),
                super::super::Errno::ENOENT
            );
        }
    }

    #[test]
    fn an_id_is_read_from_its_file() {
        let tracefs = Tracefs { root: "/t".into() };
        let _files = file::hook::install(|path| {
            Some(Ok(if path == Path::new("/t/events/a/b/id") {
                b"42\n".to_vec()
            } else {
                b"x".to_vec()
            }))
        });
        assert_eq!(tracefs.tracepoint_id("a", "b").unwrap(), 42);
        assert!(tracefs.tracepoint_id("a", "c").is_err());
    }

    #[test]
    fn functions_have_places_where_ftrace_gives_them() {
        let tracefs = Tracefs { root: "/t".into() };
        let _files = file::hook::install(|_| {
            Some(Ok(b"ffffffff81000010 vfs_read\nrubbish\nffffffffc0000000 nvme_poll [nvme]\n\
                0 __ftrace_invalid_address___4\n"
                .to_vec()))
        });
        let mut found = vec![];
        let end = tracefs.function_places(|name, address| {
            found.push((name.to_owned(), address));
            ControlFlow::<()>::Continue(())
        });
        assert_eq!(end.unwrap(), None);
        let expected = [("vfs_read", 0xffff_ffff_8100_0010), ("nvme_poll", 0xffff_ffff_c000_0000)];
        assert_eq!(found, expected.map(|(name, place)| (name.to_owned(), place)));
    }

    #[test]
    fn traceable_functions_come_with_modules_and_without_leftovers() {
        let tracefs = Tracefs { root: "/t".into() };
        let _files = file::hook::install(|_| {
            Some(Ok(b"vfs_read\n__ftrace_invalid_address___12\nnvme_poll [nvme]\n".to_vec()))
        });
        let mut names = vec![];
        let end = tracefs.traceable_functions(|name, module| {
            names.push(format!("{name} {module:?}"));
            ControlFlow::<()>::Continue(())
        });
        assert_eq!(
            (end.unwrap(), names),
            (None, vec!["vfs_read None".to_owned(), "nvme_poll Some(\"nvme\")".into()])
        );
    }
}
