//! Texts in the picture.

use crate::plain;

/// What a gap is, for the mouse and for the legend.
pub const GAP: &str = "not read: the next row has the counts";

/// A text for XML.
pub fn escape(text: &str) -> String {
    plain::lines(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
