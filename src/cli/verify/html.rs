//! The walk as a web page.

use std::io;

use super::walk::last;
use crate::verifier::draw::page::{About, Page, PageSection};
use crate::verifier::verified::Verified;

/// Adds a program's walk and its verdict to a page.
///
/// # Errors
/// None of its own: the walk may tell errors of whoever writes it.
pub fn add(verified: &Verified, page: &mut Page) -> io::Result<()> {
    let Verified { name, program, refused, .. } = verified;
    let mut section = PageSection::new(page.count(), program);
    let left_out = last(program, &mut |entry| {
        section.entry(&entry);
        Ok(())
    })?;
    let missing = match (verified.too_long(), left_out) {
        (Some(long), _) => long,
        (None, 0) => String::new(),
        (None, left_out) => format!("The first {left_out} lines of the walk are left out"),
    };
    let (attached, refused) = (&verified.attach(), *refused);
    page.add(section, &About { name, attached, refused, missing: &missing });
    Ok(())
}
