//! Cases: a script, and what bpftrace 0.27.1 makes of it. Its own words are not ours; the places of its
//! errors and its output are.

use std::collections::BTreeMap;

/// A case.
pub struct Case {
    /// Its name.
    pub name: &'static str,
    fields: BTreeMap<&'static str, &'static str>,
    sections: BTreeMap<&'static str, String>,
}

impl Case {
    /// A line of its head, empty if it has none.
    pub fn field(&self, name: &str) -> &'static str {
        self.fields.get(name).copied().unwrap_or_default()
    }

    /// Whether we have all that it uses.
    pub fn is_supported(&self) -> bool {
        self.field("supported") != "no"
    }

    /// Whether the types of a kernel are needed to understand it.
    pub fn needs_types(&self) -> bool {
        self.field("needs") == "types"
    }

    /// A section, empty if it has none.
    pub fn section(&self, name: &str) -> &str {
        self.sections.get(name).map_or("", |text| text)
    }
}

/// Scripts that run.
pub fn run() -> Vec<Case> {
    read(include_str!("run.cases"))
}

/// Scripts that are wrong, most of them.
pub fn refuse() -> Vec<Case> {
    read(include_str!("refuse.cases"))
}

fn read(text: &'static str) -> Vec<Case> {
    let mut cases: Vec<Case> = vec![];
    let mut section = None;
    for line in text.split_inclusive('\n') {
        let plain = line.trim_end_matches('\n');
        if let Some(name) = plain.strip_prefix("=== ") {
            cases.push(Case { name, fields: BTreeMap::new(), sections: BTreeMap::new() });
            section = None;
            continue;
        }
        let case = cases.last_mut().expect("a case begins with its name");
        match (plain.strip_prefix("--- "), section) {
            (Some(name), _) => {
                section = Some(name);
                case.sections.insert(name, String::new());
            }
            (None, Some(section)) => case.sections.get_mut(section).unwrap().push_str(line),
            (None, None) => {
                let (key, value) = plain.split_once(": ").expect("KEY: VALUE");
                case.fields.insert(key, value);
            }
        }
    }
    cases
}
