//! The colours and sizes of the picture, on light and dark pages, wide and narrow.

use crate::view::color::{DARK, LIGHT};

/// The style sheet. Where the picture is shrunk, as on a phone, letters are drawn larger, and what has no room
/// then is left out.
pub fn style() -> String {
    let shades = |empty: &str, shades: &[&str]| {
        let all = std::iter::once(empty).chain(shades.iter().copied()).enumerate();
        all.map(|(level, shade)| format!("--c{level}:{shade};")).collect::<String>()
    };
    let classes: String = (0..=LIGHT.len())
        .map(|level| format!(".heat .c{level}{{fill:var(--c{level})}}\n"))
        .collect();
    format!(
        "<style>\n\
         .heat{{color-scheme:light dark;--page:#fff;--ink:#1b1b1f;--dim:#5b5b66;--line:#8a8a94;{}\
         font:12px system-ui,sans-serif;font-variant-numeric:tabular-nums;background:var(--page)}}\n\
         @media (prefers-color-scheme:dark){{.heat{{--page:#111113;--ink:#e4e4e8;--dim:#a2a2ac;\
         --line:#74747e;{}}}}}\n\
         .heat .page{{fill:var(--page)}}\n\
         .heat text{{fill:var(--ink)}}\n\
         .heat text.fact,.heat text.minor{{fill:var(--dim)}}\n\
         .heat .title{{font-size:17px;font-weight:600}}\n\
         .heat .middle{{text-anchor:middle}}\n\
         .heat .end{{text-anchor:end}}\n\
         .heat text.minor{{font-size:10px}}\n\
         .heat path{{stroke:var(--line);fill:none;pointer-events:none}}\n\
         .heat path.grid{{stroke-opacity:.35}}\n\
         .heat rect{{shape-rendering:crispEdges}}\n\
         .heat .gap{{fill:url(#heat-gap)}}\n\
         .heat .cell:hover{{stroke:var(--ink);stroke-width:1.5}}\n\
         @media (max-width:640px){{.heat{{font-size:18px}}.heat .title{{font-size:24px}}\
         .heat .minor{{display:none}}}}\n\
         {classes}</style>\n\
         <defs><pattern id=\"heat-gap\" width=\"8\" height=\"8\" patternUnits=\"userSpaceOnUse\">\
         <path d=\"M-2 2L2 -2M0 8L8 0M6 10L10 6\"/></pattern></defs>\n",
        shades("#f3f3f5", &LIGHT),
        shades("#1d1d1f", &DARK),
    )
}
