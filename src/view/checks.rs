//! A list of checks: what was looked for, and whether it is there.

use std::fmt;

use serde_json::{Map, Value, json};

use crate::plain;

/// Whether something is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CheckState {
    /// It is there, and works.
    Ok,
    /// A part of it works.
    InPart,
    /// It is not there, or does not work.
    Missing,
    /// It could not be found out, for want of a privilege.
    CannotTell,
}

impl CheckState {
    /// The state's word, which is clear without colour too.
    pub fn word(self) -> &'static str {
        match self {
            CheckState::Ok => "ok",
            CheckState::InPart => "in part",
            CheckState::Missing => "missing",
            CheckState::CannotTell => "cannot tell",
        }
    }

    fn colour(self) -> &'static str {
        match self {
            CheckState::Ok => "\x1b[32m",
            CheckState::Missing => "\x1b[31m",
            CheckState::InPart | CheckState::CannotTell => "\x1b[33m",
        }
    }
}

/// One thing that was checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// Whether it is there.
    pub state: CheckState,
    /// What was found, or why nothing was, in lines.
    pub found: String,
    /// How to get it, if it is missing.
    pub remedy: Option<String>,
    /// The kernel's own words.
    pub detail: Option<String>,
}

/// Checks of one kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckGroup {
    /// The title above them.
    pub title: &'static str,
    /// The checks, in the order in which to show them.
    pub checks: Vec<Check>,
}

/// All groups as a text: a line for each check, and another for a remedy.
#[derive(Clone, Copy, Debug)]
pub struct Checklist<'a> {
    /// The groups, in the order in which to show them.
    pub groups: &'a [CheckGroup],
    /// Whether to show the states in colour.
    pub colour: bool,
    /// Whether to show the kernel's own words.
    pub details: bool,
}

impl fmt::Display for Checklist<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.groups.iter().flat_map(|group| &group.checks);
        let width = names.map(|check| check.name.len()).max().unwrap_or(0);
        let below = " ".repeat(2 + 11 + 2 + width + 2);
        for (index, group) in self.groups.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            writeln!(f, "{}", group.title)?;
            for check in &group.checks {
                let word = check.state.word();
                let (on, off) =
                    if self.colour { (check.state.colour(), "\x1b[0m") } else { ("", "") };
                let name = plain::line(&check.name);
                let mut found = check.found.lines().map(plain::line);
                let first = found.next().unwrap_or_default();
                let line = format!("  {on}{word:<11}{off}  {name:<width$}  {first}");
                writeln!(f, "{}", line.trim_end())?;
                found.try_for_each(|line| writeln!(f, "{below}{line}"))?;
                if let Some(remedy) = &check.remedy {
                    writeln!(f, "{below}{}", plain::lines(remedy))?;
                }
                if let (true, Some(detail)) = (self.details, &check.detail) {
                    for line in detail.trim_end().lines() {
                        writeln!(f, "{below}| {}", plain::line(line))?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl Checklist<'_> {
    /// A line of JSON: an object of groups, each of which is an object of checks.
    pub fn json(&self) -> String {
        plain::json(self.value().to_string())
    }

    fn value(&self) -> Value {
        let group = |group: &CheckGroup| {
            let checks = group.checks.iter().map(|check| (check.name.clone(), self.object(check)));
            (group.title.to_owned(), Value::from_iter(checks))
        };
        Value::from_iter(self.groups.iter().map(group))
    }

    fn object(&self, check: &Check) -> Value {
        let mut fields = Map::new();
        fields.insert("state".into(), check.state.word().into());
        fields.insert("found".into(), check.found.clone().into());
        if let Some(remedy) = &check.remedy {
            fields.insert("remedy".into(), json!(remedy));
        }
        if let (true, Some(detail)) = (self.details, &check.detail) {
            fields.insert("detail".into(), json!(detail));
        }
        fields.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups() -> Vec<CheckGroup> {
        let check = |name: &str, state, found: &str, remedy: Option<&str>| Check {
            name: name.into(),
            state,
            found: found.into(),
            remedy: remedy.map(String::from),
            detail: remedy.map(|_| "read(x): ENOENT\nand more\n".into()),
        };
        vec![
            CheckGroup {
                title: "attach kinds",
                checks: vec![
                    check("kprobe", CheckState::Missing, "no kprobes", Some("try: another kernel")),
                    check("tracepoint", CheckState::CannotTell, "not permitted", None),
                ],
            },
            CheckGroup { title: "maps", checks: vec![check("hash", CheckState::Ok, "", None)] },
        ]
    }

    #[test]
    fn columns_line_up_and_a_remedy_is_below() {
        let text = Checklist { groups: &groups(), colour: false, details: false }.to_string();
        assert_eq!(
            text,
            "attach kinds\n\
             \x20 missing      kprobe      no kprobes\n\
             \x20                          try: another kernel\n\
             \x20 cannot tell  tracepoint  not permitted\n\
             \n\
             maps\n\
             \x20 ok           hash\n"
        );
    }

    #[test]
    fn colour_changes_no_column_and_no_word() {
        let groups = groups();
        let plain = Checklist { groups: &groups, colour: false, details: false };
        let coloured = Checklist { colour: true, ..plain }.to_string();
        assert!(coloured.contains("\x1b[31mmissing    \x1b[0m  kprobe"), "{coloured}");
        let mut bare = coloured;
        for code in ["\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[0m"] {
            bare = bare.replace(code, "");
        }
        assert_eq!(bare, plain.to_string());
    }

    #[test]
    fn the_kernels_words_are_shown_on_request() {
        let groups = groups();
        let brief = Checklist { groups: &groups, colour: false, details: false };
        let full = Checklist { details: true, ..brief };
        assert!(!brief.to_string().contains("ENOENT"));
        assert!(full.to_string().contains("  | read(x): ENOENT\n"));
        assert_eq!(brief.value()["attach kinds"]["kprobe"].get("detail"), None);
        assert_eq!(full.value()["attach kinds"]["kprobe"]["detail"], "read(x): ENOENT\nand more\n");
    }

    #[test]
    fn as_json_each_check_is_found_by_its_name() {
        let json = Checklist { groups: &groups(), colour: true, details: false }.value();
        let kprobe = &json["attach kinds"]["kprobe"];
        assert_eq!(
            kprobe.to_string(),
            r#"{"state":"missing","found":"no kprobes","remedy":"try: another kernel"}"#
        );
        assert_eq!(json["maps"]["hash"].to_string(), r#"{"state":"ok","found":""}"#);
    }
}
