//! A walk becomes a web page whose elements are closed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rawbpf::verifier::draw::page::{About, Page, PageSection};
use rawbpf_fuzz::Input;

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::new(data) else { return };
    let mut section = PageSection::new(0, &input.verified.program);
    input.walk(|entry| section.entry(entry));
    let mut page = Page::new();
    let refused = input.verified.refused;
    page.add(section, &About { name: "any", attached: "", refused, missing: "" });
    let html = page.to_html();
    let (listing, _) = html.split_once("<aside ").unwrap();
    for tag in ["section", "div", "details", "summary", "ol", "template"] {
        let opened = listing.matches(&format!("<{tag}")).count();
        assert_eq!(opened, listing.matches(&format!("</{tag}>")).count(), "{tag}");
    }
});
