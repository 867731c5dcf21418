//! The walk as a web page in one file: plain HTML that can be read without scripts. A script adds the
//! state at an instruction, and how each value came about.
//!
//! The rows have the data that the script needs. `data-k` is the state after an instruction, as the
//! difference from the row before; values are given by their numbers in the list that ends the section,
//! and every 256th row has the whole state. `data-d` is what the instruction writes and from what,
//! `data-p` the row that it follows if that is not the row before, `data-x` the row back to which the
//! verifier traced a value that must be exact, `data-l` its line of source if that differs from the row
//! before, `data-f` the depth of calls.

mod section;

pub use section::{About, PageSection};

use std::fmt::Write;

use crate::texts::text;
use section::escape;

/// A page of programs.
#[derive(Default)]
pub struct Page {
    about: String,
    names: Vec<String>,
    sections: String,
}

impl Page {
    /// A page without programs.
    pub fn new() -> Page {
        Page::default()
    }

    /// With a line that tells what was verified, by which kernel and when.
    pub fn about(self, about: String) -> Page {
        Page { about, ..self }
    }

    /// Adds a program with its section, which was made by [`PageSection::new`] with the number of programs
    /// before.
    pub fn add(&mut self, section: PageSection, about: &About) {
        self.names.push(about.name.to_owned());
        section.end(about, &mut self.sections);
    }

    /// How many programs there are.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// The whole page.
    pub fn to_html(&self) -> String {
        let mut contents = String::new();
        if self.count() > 1 {
            contents.push_str("<nav aria-label=\"Programs\"><ul>");
            for (index, name) in self.names.iter().enumerate() {
                let _ = write!(contents, "<li><a href=#p{index}>{}</a></li>", escape(name));
            }
            contents.push_str("</ul></nav>\n");
        }
        let title = escape(&self.names.join(", "));
        let about = match self.about.is_empty() {
            true => String::new(),
            false => format!("<p class=about>{}</p>\n", escape(&self.about)),
        };
        let mut html = String::with_capacity(self.sections.len() + (1 << 16));
        for part in [
            "<!DOCTYPE html>\n<html lang=en>\n<meta charset=utf-8>\n\
             <meta name=viewport content=\"width=device-width\">\n\
             <meta name=color-scheme content=\"light dark\">\n\
             <meta http-equiv=Content-Security-Policy content=\"default-src 'none'; \
             style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n<title>",
            &title,
            ": the verifier's walk</title>\n<style>\n",
            text("src/verifier/draw/page/page.css"),
            "</style>\n<main>\n<h1>The verifier's walk</h1>\n",
            &about,
            &contents,
            &self.sections,
            "</main>\n",
            text("src/verifier/draw/page/panel.html"),
            "<script type=module>\n",
            text("src/verifier/draw/page/page.js"),
            "</script>\n</html>\n",
        ] {
            html.push_str(part);
        }
        html
    }
}
