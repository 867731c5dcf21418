//! The page of whatever is in a log: well formed, and its links lead somewhere.

use std::collections::HashSet;
use std::convert::Infallible;

use proptest::prelude::*;
use rawbpf::verifier::draw::page::{About, Page, PageSection};
use rawbpf::verifier::path::Code;
use rawbpf::verifier::verification::Verification;
use rawbpf::verifier::walk::walk;

use crate::recorded;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    /// Any program with the log of any other, cut anywhere.
    #[test]
    fn any_log_of_any_program_makes_a_page(
        program in 0..615usize,
        log in 0..615usize,
        (start, end) in (0..3000usize, 0..6000usize),
        refused in any::<bool>(),
    ) {
        let all = recorded();
        let logs = &all[log].logs;
        let log: String = logs[start % logs.len()].1.chars().skip(start).take(end).collect();
        let code = Code::from_bytes(&all[program].insns);
        let program = Verification::of_log(code, log);
        let mut section = PageSection::new(0, &program);
        let Ok(()) = walk::<Infallible>(&program.code, &program.log, &mut |entry| {
            section.entry(&entry);
            Ok(())
        });
        let mut page = Page::new();
        page.add(section, &About { name: "any", attached: "", refused, missing: "" });
        let html = page.to_html();
        let (listing, _) = html.split_once("<aside ").unwrap();
        for tag in ["section", "div", "details", "summary", "ol", "template"] {
            let opened = listing.matches(&format!("<{tag}")).count();
            prop_assert_eq!(opened, listing.matches(&format!("</{tag}>")).count(), "{}", tag);
        }
        let after = |mark| listing.split(mark).skip(1).map(|rest| rest.split([' ', '>']).next().unwrap());
        let rows: HashSet<&str> = after(" id=p0-").collect();
        let mut links = after("<a href=#p0-");
        prop_assert!(links.all(|link| rows.contains(link)));
    }
}
