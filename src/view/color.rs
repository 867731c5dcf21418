//! The shades of a heat map, for each kind of terminal.

/// The number of shades: one for no requests, and one for each level.
pub const SHADES: usize = 9;

/// A way to draw cells in nine levels, from no requests to the most. A cell without requests has the
/// background of the terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Palette {
    /// By characters.
    Text,
    /// By five of sixteen colours, with the characters on them.
    Ansi16,
    /// By 256 colours.
    Ansi256(Background),
    /// By colours of 24 bits.
    True(Background),
}

/// The background of a terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Background {
    /// More is lighter.
    Dark,
    /// More is darker.
    Light,
    /// It is not known: shades that differ from both.
    Unknown,
}

/// The facts that decide on the palette: the output and its environment.
#[derive(Clone, Copy, Default, Debug)]
pub struct Terminal<'a> {
    /// Whether the output is a terminal.
    pub is_one: bool,
    /// `$NO_COLOR`: any value but an empty one asks for no colours.
    pub no_color: &'a str,
    /// `$TERM`.
    pub term: &'a str,
    /// `$COLORTERM`.
    pub colorterm: &'a str,
    /// `$COLORFGBG`, by which some terminals tell the numbers of their colours: `15;0`.
    pub colorfgbg: &'a str,
}

impl Terminal<'_> {
    /// Whether a terminal of this type has colours. Of one that is not known, it does not.
    fn has_colors(&self) -> bool {
        const WITH: [&str; 33] = [
            "aixterm",
            "alacritty",
            "ansi",
            "aterm",
            "con",
            "contour",
            "cygwin",
            "dtterm",
            "eterm",
            "foot",
            "gnome",
            "hurd",
            "interix",
            "iterm",
            "jfbterm",
            "kitty",
            "konsole",
            "kterm",
            "linux",
            "mach",
            "mlterm",
            "mintty",
            "ms-terminal",
            "nsterm",
            "putty",
            "rxvt",
            "screen",
            "st",
            "teraterm",
            "terminator",
            "terminology",
            "tmux",
            "xterm",
        ];
        let term = self.term.to_ascii_lowercase();
        // `xterm-mono` and `linux-m` are those without.
        if term.split('-').any(|part| matches!(part, "m" | "mono" | "nc" | "nocolor" | "old")) {
            return false;
        }
        let is = |name: &&str| {
            let rest = term.strip_prefix(*name);
            rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_lowercase()))
        };
        ["color", "direct", "truecolor"].iter().any(|word| term.contains(word))
            || ["vte", "wezterm", "xterm", "ghostty"].iter().any(|name| term.starts_with(name))
            || WITH.iter().any(is)
    }

    fn background(&self) -> Background {
        let last = self.colorfgbg.rsplit(';').next().and_then(|number| number.parse::<u8>().ok());
        match last {
            Some(0..=6 | 8) => Background::Dark,
            Some(7 | 9..=15) => Background::Light,
            _ => Background::Unknown,
        }
    }
}

const SYMBOLS: [char; SHADES] = [' ', '.', ':', '*', 'o', 'O', '8', '#', '@'];

/// Background and, for the characters, foreground: blue, magenta, red, yellow and bright yellow.
const OF_16: [(u8, u8); SHADES - 1] =
    [(44, 97), (44, 97), (45, 97), (45, 97), (41, 97), (41, 97), (43, 30), (103, 30)];

/// The numbers of the shades among 256 colours, those that are nearest to the shades of 24 bits.
const DARK_OF_256: [u8; SHADES - 1] = [54, 90, 126, 161, 203, 215, 222, 229];
const LIGHT_OF_256: [u8; SHADES - 1] = [222, 215, 208, 202, 161, 125, 53, 17];
const EITHER_OF_256: [u8; SHADES - 1] = [55, 91, 126, 162, 197, 202, 208, 214];

/// The shades of levels 1 to 8 on a dark page, from violet by red to light yellow: steps that look even, of
/// rising lightness, so that no kind of colour blindness confuses them.
pub const DARK: [&str; SHADES - 1] =
    ["#402584", "#752596", "#ad2192", "#dc3672", "#fb5e48", "#fe9d54", "#ffce7b", "#fffaa8"];
/// The shades of levels 1 to 8 on a light page, from light yellow by red to violet.
pub const LIGHT: [&str; SHADES - 1] =
    ["#f9dc82", "#fbba51", "#fb9329", "#f26132", "#d43256", "#a11171", "#600c6e", "#260650"];
/// Shades that can be seen on a page of either kind.
const EITHER: [&str; SHADES - 1] =
    ["#4b2a9a", "#76249e", "#a01793", "#ca1a76", "#ec324a", "#fb6522", "#fd951f", "#fac131"];

impl Palette {
    /// The richest palette that this terminal can show. `wanted` is `None` without `--color`; `background` is
    /// that which the user names.
    pub fn of(
        terminal: Terminal<'_>,
        wanted: Option<bool>,
        background: Option<Background>,
    ) -> Palette {
        let Terminal { is_one, no_color, term, colorterm, .. } = terminal;
        let is_true = matches!(colorterm, "truecolor" | "24bit");
        let able = is_one && no_color.is_empty() && (terminal.has_colors() || is_true);
        if !wanted.unwrap_or(able) {
            return Palette::Text;
        }
        let background = background.unwrap_or(terminal.background());
        match term {
            _ if is_true => Palette::True(background),
            // Colours are wanted, but the terminal is unknown: use what every terminal has today.
            "" | "dumb" => Palette::Ansi256(background),
            term if term.contains("256color") => Palette::Ansi256(background),
            term if term.contains("direct") => Palette::Ansi256(background),
            _ => Palette::Ansi16,
        }
    }

    /// Cells of these levels, each drawn as wide as its number of characters.
    pub fn cells(self, cells: impl IntoIterator<Item = (usize, usize)>) -> String {
        let mut text = String::new();
        let mut before = 0;
        for (level, width) in cells {
            if self != Palette::Text && before != level {
                text.push_str(&self.escape(level));
                before = level;
            }
            let symbol = match self {
                Palette::Text | Palette::Ansi16 => SYMBOLS[level],
                Palette::Ansi256(_) | Palette::True(_) => ' ',
            };
            text.extend(std::iter::repeat_n(symbol, width));
        }
        if before != 0 {
            text.push_str(RESET);
        }
        text
    }

    /// The escape sequence that begins a level.
    fn escape(self, level: usize) -> String {
        let Some(shade) = level.checked_sub(1) else { return RESET.into() };
        match self {
            Palette::Text => String::new(),
            Palette::Ansi16 => {
                let (background, foreground) = OF_16[shade];
                format!("\x1b[{background};{foreground}m")
            }
            Palette::Ansi256(background) => {
                let shades = match background {
                    Background::Dark => DARK_OF_256,
                    Background::Light => LIGHT_OF_256,
                    Background::Unknown => EITHER_OF_256,
                };
                format!("\x1b[48;5;{}m", shades[shade])
            }
            Palette::True(background) => {
                let shades = match background {
                    Background::Dark => DARK,
                    Background::Light => LIGHT,
                    Background::Unknown => EITHER,
                };
                let part = |at| u8::from_str_radix(&shades[shade][at..at + 2], 16).unwrap_or(0);
                format!("\x1b[48;2;{};{};{}m", part(1), part(3), part(5))
            }
        }
    }
}

const RESET: &str = "\x1b[0m";

#[cfg(test)]
mod tests {
    use super::*;

    const TERMINAL: Terminal<'_> = Terminal {
        is_one: true,
        no_color: "",
        term: "xterm-256color",
        colorterm: "",
        colorfgbg: "15;0",
    };

    fn of(terminal: Terminal<'_>) -> Palette {
        Palette::of(terminal, None, None)
    }

    #[test]
    fn a_terminal_gets_what_it_can() {
        assert_eq!(of(TERMINAL), Palette::Ansi256(Background::Dark));
        let colorterm = "truecolor";
        assert_eq!(of(Terminal { colorterm, ..TERMINAL }), Palette::True(Background::Dark));
        for term in
            ["linux", "xterm", "screen", "screen.linux", "ansi", "rxvt-unicode", "xterm-kitty"]
        {
            assert_eq!(of(Terminal { term, ..TERMINAL }), Palette::Ansi16, "{term}");
        }
        for term in
            ["", "dumb", "vt100", "vt220", "vt52", "xterm-mono", "linux-m", "sun", "unknown"]
        {
            assert_eq!(of(Terminal { term, ..TERMINAL }), Palette::Text, "{term}");
        }
        assert_eq!(of(Terminal { is_one: false, ..TERMINAL }), Palette::Text);
    }

    #[test]
    fn no_color_is_heard_and_asking_is_heard_louder() {
        let quiet = Terminal { no_color: "1", ..TERMINAL };
        assert_eq!(of(quiet), Palette::Text);
        let wanted = |terminal, wanted| Palette::of(terminal, Some(wanted), None);
        assert_eq!(wanted(quiet, true), Palette::Ansi256(Background::Dark));
        assert_eq!(wanted(Terminal::default(), true), Palette::Ansi256(Background::Unknown));
        assert_eq!(wanted(TERMINAL, false), Palette::Text);
    }

    #[test]
    fn the_background_is_that_of_the_user_or_of_the_terminal() {
        for (colorfgbg, background) in [
            ("", Background::Unknown),
            ("0;15", Background::Light),
            ("0;default;7", Background::Light),
            ("12;8", Background::Dark),
            ("default;default", Background::Unknown),
        ] {
            assert_eq!(of(Terminal { colorfgbg, ..TERMINAL }), Palette::Ansi256(background));
        }
        let light = Palette::of(TERMINAL, None, Some(Background::Light));
        assert_eq!(light, Palette::Ansi256(Background::Light));
    }

    /// No field of another colour, in which the terminal's own would be a hole.
    #[test]
    fn no_requests_are_the_background() {
        let palette = Palette::True(Background::Dark);
        assert_eq!(palette.cells([(0, 9)]), "         ");
        let one = "   \x1b[48;2;64;37;132m  \x1b[0m  ";
        assert_eq!(palette.cells([(0, 3), (1, 2), (0, 2)]), one);
        assert_eq!(palette.cells([(8, 1)]), "\x1b[48;2;255;250;168m \x1b[0m");
        assert_eq!(
            Palette::Ansi256(Background::Light).cells([(1, 1), (8, 2)]),
            "\x1b[48;5;222m \x1b[48;5;17m  \x1b[0m"
        );
        assert_eq!(Palette::Ansi16.cells([(1, 1)]), "\x1b[44;97m.\x1b[0m");
        let all = (0..SHADES).map(|level| (level, 1));
        assert_eq!(Palette::Text.cells(all), " .:*oO8#@");
    }

    /// Lightness and the two opponent colours of OKLab, in which distance is difference to the eye.
    fn oklab(shade: &str) -> [f64; 3] {
        let part = |at: usize| u8::from_str_radix(&shade[at..at + 2], 16).unwrap();
        oklab_of([part(1), part(3), part(5)])
    }

    fn oklab_of(rgb: [u8; 3]) -> [f64; 3] {
        let [r, g, b] = rgb.map(|part| {
            let value = f64::from(part) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        });
        let l = (0.412_221_47 * r + 0.536_332_54 * g + 0.051_445_99 * b).cbrt();
        let m = (0.211_903_5 * r + 0.680_699_55 * g + 0.107_396_96 * b).cbrt();
        let s = (0.088_302_46 * r + 0.281_718_84 * g + 0.629_978_7 * b).cbrt();
        [
            0.210_454_26 * l + 0.793_617_79 * m - 0.004_072_05 * s,
            1.977_998_5 * l - 2.428_592_2 * m + 0.450_593_7 * s,
            0.025_904_04 * l + 0.782_771_77 * m - 0.808_675_77 * s,
        ]
    }

    /// One of the 256 colours beyond the first 16.
    fn of_256(number: u8) -> [f64; 3] {
        const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];
        let index = usize::from(number - 16);
        oklab_of([CUBE[index / 36], CUBE[index / 6 % 6], CUBE[index % 6]])
    }

    fn differ(one: [f64; 3], other: [f64; 3]) -> f64 {
        one.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
    }

    /// A difference of 0.02 can just be seen side by side; four times that can be told apart anywhere.
    /// Lightness alone orders the shades, so that no kind of colour blindness confuses them.
    #[test]
    fn shades_can_be_told_apart_from_each_other_and_from_the_page() {
        let (black, white) = (oklab("#000000"), oklab("#ffffff"));
        let ramps = [
            (DARK.map(oklab), vec![black, oklab("#1d1d1f")], 1.0),
            (LIGHT.map(oklab), vec![white, oklab("#f3f3f5")], -1.0),
            (EITHER.map(oklab), vec![black, white], 1.0),
            (DARK_OF_256.map(of_256), vec![black], 1.0),
            (LIGHT_OF_256.map(of_256), vec![white], -1.0),
            (EITHER_OF_256.map(of_256), vec![black, white], 1.0),
        ];
        for (shades, pages, sign) in ramps {
            for pair in shades.windows(2) {
                assert!(differ(pair[0], pair[1]) > 0.078, "{pair:?}");
                assert!((pair[1][0] - pair[0][0]) * sign > 0.038, "{pair:?}");
            }
            for (page, shade) in pages.iter().flat_map(|page| shades.map(|shade| (page, shade))) {
                assert!(differ(*page, shade) > 0.12, "{shade:?} on {page:?}");
            }
        }
        for pair in OF_16.windows(2).zip(SYMBOLS[1..].windows(2)) {
            assert!(pair.0[0] != pair.0[1] || pair.1[0] != pair.1[1]);
        }
    }
}
