//! `rawbpf completions`: what a shell offers when Tab is pressed.

use std::fmt::Write as _;
use std::io::Write as _;

use clap::{Arg, ArgAction, Args, Command, ValueEnum};

use super::stop::Stop;
use super::streams::Stdout;

/// Print a script that completes commands, options and values in a shell
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The shell: bash, zsh or fish
    #[arg(hide_possible_values = true)]
    shell: Shell,
}

/// A shell.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Shell {
    /// GNU bash.
    Bash,
    /// The Z shell.
    Zsh,
    /// The fish shell.
    Fish,
}

const EXAMPLES: &str = "\
Examples:
  source <(rawbpf completions bash)          for this shell; in ~/.bashrc: for each
  rawbpf completions zsh > ~/.zfunc/_rawbpf  in a folder of $fpath
  rawbpf completions fish > ~/.config/fish/completions/rawbpf.fish";

pub fn run(options: &Options) -> Result<(), Stop> {
    let mut out = Stdout::plain();
    out.write_all(script(options.shell, super::command()).as_bytes())?;
    Ok(out.flush()?)
}

/// The script of a shell for these commands.
pub fn script(shell: Shell, mut command: Command) -> String {
    command.build();
    let commands: Vec<_> = command.get_subcommands().filter(|one| !one.is_hide_set()).collect();
    match shell {
        Shell::Bash => bash(&commands),
        Shell::Zsh => zsh(&commands),
        Shell::Fish => fish(&commands),
    }
}

/// The options and positional arguments that the help shows.
fn arguments(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| !arg.is_hide_set())
}

/// `-d --disk`
fn flags(arg: &Arg) -> Vec<String> {
    let short = arg.get_short().map(|short| format!("-{short}"));
    short.into_iter().chain(arg.get_long().map(|long| format!("--{long}"))).collect()
}

/// Whether the next word is the option's value.
fn takes_word(arg: &Arg) -> bool {
    let takes = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    takes && !arg.is_require_equals_set()
}

fn values(arg: &Arg) -> Vec<String> {
    let values = arg.get_possible_values();
    let takes = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
    values.iter().filter(|_| takes).map(|value| value.get_name().to_owned()).collect()
}

/// The first sentence of the help, on one line and without what a shell would expand.
fn about(help: Option<&clap::builder::StyledStr>) -> String {
    let help = help.map_or(String::new(), ToString::to_string);
    let sentence = help.split([';', '\n']).next().unwrap_or_default();
    let sentence = sentence.split(". ").next().unwrap_or_default();
    sentence.replace(['\'', '"', '`', '$', '\\', '[', ']', ':'], " ")
}

fn names(commands: &[&Command]) -> String {
    commands.iter().map(|command| command.get_name()).collect::<Vec<_>>().join(" ")
}

fn bash(commands: &[&Command]) -> String {
    let mut text = String::from(
        "_rawbpf() {\n    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n    \
         local command=${COMP_WORDS[1]} words=\n    (( COMP_CWORD == 1 )) && command= prev=\n    \
         case \"$command $prev\" in\n",
    );
    for command in commands {
        for arg in arguments(command).filter(|arg| takes_word(arg)) {
            let name = command.get_name();
            let patterns: Vec<_> =
                flags(arg).iter().map(|flag| format!("\"{name} {flag}\"")).collect();
            if !patterns.is_empty() {
                let (patterns, values) = (patterns.join("|"), values(arg).join(" "));
                let _ = writeln!(text, "        {patterns}) words=\"{values}\" ;;");
            }
        }
    }
    text += "        *) case \"$command\" in\n";
    let _ = writeln!(text, "            \"\"|help) words=\"{}\" ;;", names(commands));
    for command in commands {
        let words = arguments(command).flat_map(|arg| {
            let mut words = flags(arg);
            if arg.is_positional() {
                words.extend(values(arg));
            }
            words
        });
        let words = words.collect::<Vec<_>>().join(" ");
        let _ = writeln!(text, "            {}) words=\"{words}\" ;;", command.get_name());
    }
    text += "        esac ;;\n    esac\n    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n\
             complete -o default -F _rawbpf rawbpf\n";
    text
}

fn zsh(commands: &[&Command]) -> String {
    let mut text = String::from(
        "#compdef rawbpf\n_rawbpf() {\n    local -a commands\n    if (( CURRENT == 2 )); then\n        \
         commands=(\n",
    );
    for command in commands {
        let (name, about) = (command.get_name(), about(command.get_about()));
        let _ = writeln!(text, "            '{name}:{about}'");
    }
    text += "        )\n        _describe command commands\n        return\n    fi\n    \
             local command=$words[2]\n    shift words\n    (( CURRENT-- ))\n    case $command in\n";
    let _ = writeln!(text, "    help) _values command {} ;;", names(commands));
    for command in commands {
        let _ = write!(text, "    {}) _arguments", command.get_name());
        for arg in arguments(command) {
            let (flags, values) = (flags(arg), values(arg).join(" "));
            let action = if values.is_empty() { "_files".into() } else { format!("({values})") };
            let value = if takes_word(arg) { format!(":value:{action}") } else { String::new() };
            for flag in &flags {
                let others = flags.join(" ");
                let about = about(arg.get_help());
                let _ = write!(text, " \\\n        '({others}){flag}[{about}]{value}'");
            }
        }
        let words = arguments(command).filter(|arg| arg.is_positional()).flat_map(values);
        let words = words.collect::<Vec<_>>().join(" ");
        let action = if words.is_empty() { "_files".into() } else { format!("({words})") };
        let _ = writeln!(text, " \\\n        '*:argument:{action}' ;;");
    }
    text + "    esac\n}\nif [ \"$funcstack[1]\" = _rawbpf ]; then _rawbpf \"$@\"; else compdef _rawbpf rawbpf; fi\n"
}

fn fish(commands: &[&Command]) -> String {
    let mut text = String::new();
    for command in commands {
        let (name, told) = (command.get_name(), about(command.get_about()));
        let _ =
            writeln!(text, "complete -c rawbpf -n __fish_use_subcommand -f -a {name} -d '{told}'");
        for arg in arguments(command) {
            let values = values(arg).join(" ");
            let mut line = format!("complete -c rawbpf -n '__fish_seen_subcommand_from {name}'");
            match (arg.is_positional(), values.is_empty()) {
                (true, true) => continue,
                (true, false) => {}
                (false, _) => {
                    let short = arg.get_short().map(|short| format!(" -s {short}"));
                    let long = arg.get_long().map(|long| format!(" -l {long}"));
                    line.extend(short.into_iter().chain(long));
                    if takes_word(arg) {
                        line += if values.is_empty() { " -r" } else { " -x" };
                    }
                }
            }
            if !values.is_empty() {
                line += &format!(" -a '{values}'");
            }
            let _ = writeln!(text, "{line} -d '{}'", about(arg.get_help()));
        }
    }
    text
}
