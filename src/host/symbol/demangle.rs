//! Symbols as the source calls the functions: those of C++ and of Rust.

use std::fmt;

use cpp_demangle::{BorrowedSymbol, DemangleOptions, DemangleWrite};

/// The longest name that is made, in bytes: a symbol may refer to parts of itself again and again.
const LONGEST: usize = 4096;

/// A function as its source calls it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceName {
    /// With what tells overloads apart, in C++: `Foo::bar(int)`.
    pub full: String,
    /// Without its parameters: `Foo::bar`.
    pub short: String,
}

impl SourceName {
    /// The name of a symbol of C++ or Rust.
    pub fn of(symbol: &str) -> Option<SourceName> {
        if let Ok(name) = rustc_demangle::try_demangle(symbol) {
            // Without the hash that the compiler adds.
            let name = format!("{name:#}");
            return Some(SourceName { full: name.clone(), short: name });
        }
        if !symbol.starts_with("_Z") {
            return None;
        }
        // What the compiler adds to a function that it changed: `.constprop.0`.
        let (mangled, added) = symbol.split_at(symbol.find('.').unwrap_or(symbol.len()));
        let (parsed, rest) = BorrowedSymbol::with_tail(mangled.as_bytes()).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let options = DemangleOptions::new().no_return_type();
        let name = |options| {
            let mut name = Bounded(String::new());
            parsed.structured_demangle(&mut name, &options).ok()?;
            Some(name.0)
        };
        let (full, short) = (name(options)?, name(options.no_params())?);
        // What follows the parameters belongs to them.
        let short = [" &&", " &", " volatile", " const"]
            .iter()
            .fold(&*short, |name, end| name.strip_suffix(end).unwrap_or(name));
        Some(SourceName { short: format!("{short}{added}"), full: full + added })
    }

    /// Whether a text is this name: with its parameters or without, with what it returns or without.
    pub fn is(&self, text: &str) -> bool {
        text == self.short
            || text == self.full
            || text.strip_suffix(&*self.full).is_some_and(|returned| returned.ends_with(' '))
    }
}

/// A text that is refused as soon as it is too long.
struct Bounded(String);

impl DemangleWrite for Bounded {
    fn write_string(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > LONGEST {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_of_cpp_is_called_with_and_without_its_parameters() {
        for (symbol, full, short) in [
            ("_Z4worki", "work(int)", "work"),
            ("_ZN3Foo3barEi", "Foo::bar(int)", "Foo::bar"),
            ("_ZNK3Foo3barEPKc", "Foo::bar(char const*) const", "Foo::bar"),
            ("_ZN3FooC1Ev", "Foo::Foo()", "Foo::Foo"),
            ("_Z3maxIiET_S0_S0_", "max<int>(int, int)", "max<int>"),
            (
                "_ZN12_GLOBAL__N_16hiddenEv",
                "(anonymous namespace)::hidden()",
                "(anonymous namespace)::hidden",
            ),
            ("_ZN3Foo3barEi.constprop.0", "Foo::bar(int).constprop.0", "Foo::bar.constprop.0"),
        ] {
            let name = SourceName::of(symbol).unwrap();
            assert_eq!((&*name.full, &*name.short), (full, short), "{symbol}");
        }
        let name = SourceName::of("_Z3maxIiET_S0_S0_").unwrap();
        assert!(name.is("int max<int>(int, int)") && name.is("max<int>"));
        assert!(!name.is("climax<int>(int, int)"));
    }

    #[test]
    fn a_name_that_grows_without_end_is_none() {
        // Each pair has the one before twice.
        let mut symbol = "_Z1fSt4pairIiiE".to_owned();
        for number in 0..30 {
            let before = match number {
                0 => "S0_".to_owned(),
                _ => format!("S{}_", number),
            };
            symbol += &format!("St4pairI{before}{before}E");
        }
        assert!(SourceName::of(&symbol).is_none_or(|name| name.full.len() <= LONGEST));
        for symbol in ["malloc", "_Z", "_ZN", "_ZZZZ", "_Zx.y"] {
            assert_eq!(SourceName::of(symbol), None, "{symbol}");
        }
    }
}
