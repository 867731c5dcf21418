//! Reads the text of a script. The whole grammar is known, so that what is not supported can be refused
//! by its name.

mod expression;
mod probe;
mod statement;
mod types;

use std::collections::HashMap;

use super::ast::{Definition, Import, Macro, MapDeclaration, Script, Setting, SettingValue, Span};
use super::cursor::{Cursor, Read};
use super::define::{Preprocessed, preprocess};
use super::literal::{number, string};

/// The largest script in bytes.
const LARGEST: usize = 1 << 20;

/// Reads a script; `parameters` follow it on the command line.
///
/// # Errors
/// Its first mistake: what follows one is seldom worth reading.
pub fn parse(text: &str, parameters: &[String]) -> Read<Script> {
    if text.len() > LARGEST {
        let cursor = Cursor::new("");
        return Err(cursor.mistake_here(format!("a script has at most {LARGEST} bytes")));
    }
    let Preprocessed { text, numbers } = preprocess(text)?;
    let mut parser = Parser {
        cursor: Cursor::new(&text),
        parameters,
        numbers,
        within_expression: 0,
        configured: false,
    };
    parser.script()
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    /// What follows the script on the command line: `$1` in a probe's name stands for the first.
    parameters: &'a [String],
    /// The numbers that `#define` names.
    numbers: HashMap<String, u64>,
    /// Expressions around this statement.
    within_expression: usize,
    /// Whether there was a `config` block.
    configured: bool,
}

impl Parser<'_> {
    fn script(&mut self) -> Read<Script> {
        let mut script = Script::default();
        loop {
            self.cursor.skip()?;
            if self.cursor.rest().is_empty() {
                break;
            }
            self.item(&mut script)?;
        }
        match script.probes.is_empty() {
            true => {
                Err(self.cursor.mistake_here("this script has no probe, so it would do nothing"))
            }
            false => Ok(script),
        }
    }

    /// Reads what can stand outside of probes.
    fn item(&mut self, script: &mut Script) -> Read<()> {
        let start = self.cursor.at;
        let word = self.cursor.name_ahead()?;
        let first = script.probes.is_empty() && script.macros.is_empty() && script.maps.is_empty();
        match word {
            "struct" | "union" | "enum" => {
                let keyword = ["struct", "union", "enum"].into_iter().find(|known| *known == word);
                let keyword = keyword.unwrap_or_default();
                let span = self.definition()?;
                self.must_be_first(first, span, "definitions of types")?;
                script.definitions.push(Definition { keyword, span });
            }
            "config" if self.followed_by('=') => {
                let span = Span { start, end: start + word.len() };
                self.must_be_first(first, span, "the config block")?;
                if self.configured {
                    return Err(self.cursor.mistake(span, "there is a config block already"));
                }
                self.configured = true;
                self.config(script)?;
            }
            "import" if self.followed_by('"') => {
                self.cursor.eat_word("import")?;
                self.cursor.skip()?;
                let path = string(&mut self.cursor)?;
                self.cursor.eat(";")?;
                let span = self.cursor.since(start);
                self.must_be_first(first, span, "imports")?;
                script.imports.push(Import { path, span });
            }
            "let" => script.maps.push(self.map_declaration()?),
            "macro" | "fn" => script.macros.push(self.macro_or_function()?),
            _ => script.probes.push(self.probe()?),
        }
        Ok(())
    }

    /// Whether the name that is next is followed by this character.
    fn followed_by(&mut self, next: char) -> bool {
        self.cursor.look_ahead(|cursor| {
            cursor.name("a name").is_ok()
                && cursor.skip().is_ok()
                && cursor.rest().starts_with(next)
        })
    }

    fn must_be_first(&self, first: bool, span: Span, what: &str) -> Read<()> {
        match first {
            true => Ok(()),
            false => {
                let what = format!("{what} must come before probes, maps and macros");
                Err(self.cursor.mistake(span, what))
            }
        }
    }

    /// Skips `struct NAME { .. };`
    fn definition(&mut self) -> Read<Span> {
        let start = self.cursor.at;
        while !self.cursor.next_is(b'{')? {
            if self.cursor.rest().is_empty() {
                return Err(self.cursor.expected("`{`"));
            }
            self.cursor.at += self.cursor.rest().chars().next().map_or(1, char::len_utf8);
        }
        self.skip_braces()?;
        self.cursor.eat(";")?;
        Ok(self.cursor.since(start))
    }

    /// Skips what is in braces, the first of which is next.
    fn skip_braces(&mut self) -> Read<()> {
        let mut open = 0;
        loop {
            self.cursor.skip()?;
            match self.cursor.byte() {
                b'{' => open += 1,
                b'}' => open -= 1,
                b'"' => {
                    string(&mut self.cursor)?;
                    continue;
                }
                _ if self.cursor.rest().is_empty() => return Err(self.cursor.expected("`}`")),
                _ => {}
            }
            self.cursor.at += self.cursor.rest().chars().next().map_or(1, char::len_utf8);
            self.cursor.end = self.cursor.at;
            if open == 0 {
                return Ok(());
            }
        }
    }

    /// `config = { KEY = VALUE; }`
    fn config(&mut self, script: &mut Script) -> Read<()> {
        self.cursor.eat_word("config")?;
        self.cursor.expect("=")?;
        self.cursor.expect("{")?;
        while !self.cursor.eat("}")? {
            let key = self.cursor.name("a setting's name")?;
            self.cursor.expect("=")?;
            self.cursor.skip()?;
            let value = match self.cursor.byte() {
                b'0'..=b'9' => SettingValue::Int(number(&mut self.cursor)?),
                b'"' => {
                    let text = string(&mut self.cursor)?;
                    SettingValue::Text(String::from_utf8_lossy(&text).into_owned())
                }
                _ => match &*self.cursor.name("a value")?.text {
                    "true" => SettingValue::Bool(true),
                    "false" => SettingValue::Bool(false),
                    word => SettingValue::Text(word.to_owned()),
                },
            };
            let span = self.cursor.since(key.span.start);
            script.config.push(Setting { key, value, span });
            if !self.cursor.eat(";")? && !self.cursor.next_is(b'}')? {
                return Err(self.cursor.expected("`;`"));
            }
        }
        Ok(())
    }

    /// `let @NAME = KIND(ENTRIES);`
    fn map_declaration(&mut self) -> Read<MapDeclaration> {
        let start = self.cursor.at;
        self.cursor.eat_word("let")?;
        if !self.cursor.next_is(b'@')? {
            let span = Span { start, end: start + 3 };
            let mistake = self.cursor.mistake(span, "outside of probes, only maps can be declared");
            return Err(mistake
                .help("such as `let @m = hash(100);`; a variable belongs into a probe's block"));
        }
        let map = self.cursor.name_after_sign();
        self.cursor.expect("=")?;
        let kind = self.cursor.name("a kind of map, such as `hash`,")?;
        self.cursor.expect("(")?;
        self.cursor.skip()?;
        if !self.cursor.byte().is_ascii_digit() {
            return Err(self.cursor.expected("the number of entries"));
        }
        let entries = number(&mut self.cursor)?;
        self.cursor.expect(")")?;
        let span = self.cursor.since(start);
        self.cursor.expect(";")?;
        Ok(MapDeclaration { map, kind, entries, span })
    }

    /// `macro NAME(PARAMETERS) { .. }`: its name is read, the rest is skipped.
    fn macro_or_function(&mut self) -> Read<Macro> {
        let keyword = self.cursor.name("a word")?;
        let name = self.cursor.name("a name")?;
        while !self.cursor.next_is(b'{')? {
            if self.cursor.rest().is_empty() {
                return Err(self.cursor.expected("`{`"));
            }
            self.cursor.at += self.cursor.rest().chars().next().map_or(1, char::len_utf8);
        }
        self.skip_braces()?;
        let span = self.cursor.since(keyword.span.start);
        Ok(Macro { keyword, name, span })
    }
}
