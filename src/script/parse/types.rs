//! The names of types.

use crate::script::ast::TypeName;
use crate::script::cursor::{Cursor, Read, begins_name};
use crate::script::literal::number;

/// The types that have names of their own.
const KNOWN: [&str; 14] = [
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "int",
    "string", "buffer", "inet", "void",
];

const KEYWORDS: [&str; 3] = ["struct", "union", "enum"];

/// Reads a type: `uint64`, `string[16]`, `struct task_struct *`, `int8[4]`.
pub(super) fn type_name(cursor: &mut Cursor) -> Read<TypeName> {
    cursor.skip()?;
    let start = cursor.at;
    let mut keyword = None;
    for word in KEYWORDS {
        if cursor.eat_word(word)? {
            keyword = Some(word);
            break;
        }
    }
    let name = cursor.name("a type")?.text;
    let mut arrays = vec![];
    let mut pointers = 0;
    while cursor.eat("*")? {
        cursor.operator()?;
        pointers += 1;
    }
    while cursor.eat("[")? {
        cursor.operator()?;
        cursor.skip()?;
        let length = cursor.byte().is_ascii_digit().then(|| number(cursor)).transpose()?;
        cursor.expect("]")?;
        arrays.push(length);
    }
    let sized =
        keyword.is_none() && pointers == 0 && matches!(&*name, "string" | "buffer" | "inet");
    let size = if sized && !arrays.is_empty() { arrays.remove(0) } else { None };
    Ok(TypeName { keyword, name, size, pointers, arrays, span: cursor.since(start) })
}

/// Whether the parenthesis that is next holds the type of a cast, and not a value: its name is that of a
/// type, or only a type can be written like it, or a value follows it directly.
pub(super) fn is_cast(cursor: &mut Cursor) -> bool {
    cursor.look_ahead(|cursor| {
        cursor.at += 1;
        let Ok(word) = cursor.name_ahead() else { return false };
        if KNOWN.contains(&word) || KEYWORDS.contains(&word) {
            return true;
        }
        let Ok(of) = type_name(cursor) else { return false };
        if !cursor.eat(")").unwrap_or(false) || cursor.skip().is_err() {
            return false;
        }
        let next = cursor.byte();
        let value =
            begins_name(next) || next.is_ascii_digit() || matches!(next, b'$' | b'@' | b'(' | b'"');
        of.pointers > 0 || value && of.arrays.is_empty()
    })
}

/// Whether a type is next, where a value may stand too.
pub(super) fn is_type(cursor: &mut Cursor) -> bool {
    cursor.look_ahead(|cursor| {
        let known =
            cursor.name_ahead().is_ok_and(|word| KNOWN.contains(&word) || KEYWORDS.contains(&word));
        known
            || type_name(cursor).is_ok_and(|of| of.pointers > 0)
                && cursor.next_is(b')').unwrap_or(false)
    })
}
