//! Long texts that few runs need: small in the binary, unpacked when one is first asked for.

use std::sync::OnceLock;

/// As `build.rs` packs them: path, zero, text, zero of each.
const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/texts.deflate"));

/// The text at this path of the project's tree; empty if it is none of those that are packed.
pub fn text(path: &str) -> &'static str {
    static ALL: OnceLock<String> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let bytes = miniz_oxide::inflate::decompress_to_vec(PACKED).unwrap_or_default();
        String::from_utf8(bytes).unwrap_or_default()
    });
    let mut parts = all.split('\0');
    while let (Some(found), Some(text)) = (parts.next(), parts.next()) {
        if found == path {
            return text;
        }
    }
    ""
}
