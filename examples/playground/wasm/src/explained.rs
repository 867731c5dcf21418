//! Logs of the verifier that somebody pasted.

use std::convert::Infallible;

use rawbpf::verifier::draw::page::{About, Page, PageSection};
use rawbpf::verifier::draw::text;
use rawbpf::verifier::explain::explain;
use rawbpf::verifier::verified::Verified;
use rawbpf::verifier::walk::walk;
use serde_json::{Value as Json, json};

/// The explanation of each log in a text, as `rawbpf explain` prints it, and the page to go through the walks.
pub fn logs(pasted: &str) -> Json {
    let found = explain(pasted);
    let several = found.len() > 1;
    let texts: Vec<_> = found.iter().map(|one| text::explained(one, several, false)).collect();
    json!({"text": texts.join("\n"), "count": found.len(), "page": page(&found)})
}

/// The page to go through these walks; empty if there are none.
pub fn page(programs: &[Verified]) -> String {
    let mut page = Page::new();
    for one in programs {
        let mut section = PageSection::new(page.count(), &one.program);
        let Ok(()) = walk::<Infallible>(&one.program.code, &one.program.log, &mut |entry| {
            section.entry(&entry);
            Ok(())
        });
        let (name, attached) = (&one.name, &one.attach());
        page.add(section, &About { name, attached, refused: one.refused, missing: "" });
    }
    if page.count() == 0 { String::new() } else { page.to_html() }
}
