//! A line of the screen.

/// The style of a text.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[allow(missing_docs)] // What each is for.
pub enum TextStyle {
    #[default]
    Plain,
    Dim,
    Bold,
    /// The first line and the last.
    Bar,
    /// The current row.
    Current,
    /// A line of the program's source.
    Source,
    /// A value that the step changed.
    Changed,
    /// A step that made the followed register's value.
    Chain,
    Error,
}

/// A text of one style.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StyledText {
    /// Its style.
    pub style: TextStyle,
    /// The text: characters of one column each, and no control characters.
    pub text: String,
}

/// A line of the screen.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ScreenLine(pub Vec<StyledText>);

impl ScreenLine {
    /// A line of one style.
    pub(super) fn of(style: TextStyle, text: &str) -> ScreenLine {
        ScreenLine(vec![StyledText { style, text: plain(text) }])
    }

    /// The line's text without styles.
    pub fn text(&self) -> String {
        self.0.iter().map(|span| span.text.as_str()).collect()
    }

    /// The line cut or filled to a width.
    pub(super) fn fit(mut self, width: usize) -> ScreenLine {
        let mut left = width;
        for span in &mut self.0 {
            if let Some((end, _)) = span.text.char_indices().nth(left) {
                span.text.truncate(end);
            }
            left -= span.text.chars().count();
        }
        if left > 0 {
            // A bar reaches to the end.
            let style = match self.0.last() {
                Some(StyledText {
                    style: style @ (TextStyle::Bar | TextStyle::Current), ..
                }) => *style,
                _ => TextStyle::Plain,
            };
            self.0.push(StyledText { style, text: " ".repeat(left) });
        }
        self
    }
}

/// A text in which each character is one column wide: other characters become question marks.
fn plain(text: &str) -> String {
    let known = |c: char| match c {
        '\t' => ' ',
        ' '..='~' | '\u{a1}'..='\u{ac}' | '\u{ae}'..='\u{2ff}' | '\u{370}'..='\u{3ff}' => c,
        '\u{2010}'..='\u{2027}' | '\u{2190}'..='\u{21ff}' | '\u{2500}'..='\u{257f}' => c,
        _ => '?',
    };
    text.chars().map(known).collect()
}

/// A paragraph in lines of a width, all but the first indented.
pub(super) fn wrap(text: &str, width: usize, indent: &str) -> Vec<String> {
    let indent = if indent.len() + 16 > width { "" } else { indent };
    let width = width.max(1);
    let mut lines = vec![];
    let mut line: Vec<char> = plain(text).trim_end().chars().collect();
    while line.len() > width {
        // At a space, but not in the indentation.
        let space = line[..=width].iter().rposition(|c| *c == ' ').filter(|at| *at > indent.len());
        let rest = line.split_off(space.unwrap_or(width));
        lines.push(line.iter().collect());
        let rest = rest.into_iter().skip_while(|c| *c == ' ');
        line = indent.chars().chain(rest).collect();
        if line.len() == indent.len() {
            return lines;
        }
    }
    lines.push(line.into_iter().collect());
    lines
}
