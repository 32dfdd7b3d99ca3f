//! Command lines that make no sense: what is wrong, and what to do next.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// The end of clap's own texts, for which a `next:` line stands here.
const HINT: &str = "For more information, try '--help'.";

/// Whether this is help or the version, which arrive as errors too.
pub(super) fn is_help(error: &clap::Error) -> bool {
    !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
}

/// The text for a wrong command line; `arguments` are those behind the program's name.
pub(super) fn explain(error: &clap::Error, root: &clap::Command, arguments: &[String]) -> String {
    let text = error.render().to_string();
    let command = Named::find(root, arguments);
    let text = text.trim_end().trim_end_matches(HINT).trim_end();
    format!("{text}\n\n  next: {}\n", command.advice(error))
}

/// The command that a command line names, as far as it can be understood.
struct Named<'a> {
    path: String,
    command: &'a clap::Command,
}

impl<'a> Named<'a> {
    fn find(root: &'a clap::Command, arguments: &[String]) -> Self {
        let mut named = Self { path: root.get_name().to_owned(), command: root };
        for argument in arguments.iter().take_while(|argument| *argument != "--") {
            if let Some(inner) = named.command.find_subcommand(argument) {
                named = Self { path: format!("{} {}", named.path, inner.get_name()), command: inner };
            }
        }
        named
    }

    fn advice(&self, error: &clap::Error) -> String {
        let path = &self.path;
        match error.kind() {
            ErrorKind::InvalidSubcommand => {
                let commands = self.command.get_subcommands().filter(|one| !one.is_hide_set());
                let names: Vec<&str> = commands.map(clap::Command::get_name).filter(|name| *name != "help").collect();
                format!("choose one of {}; `{path} --help` says what they do", names.join(", "))
            }
            ErrorKind::MissingRequiredArgument if path == "dryarc exec" => {
                "put the command behind `--`, as in `dryarc exec -- az group list`".into()
            }
            ErrorKind::MissingRequiredArgument if path == "dryarc fault add" => {
                "name a file with the rule, `-` for standard input, or give --rule; `dryarc fault add --help` has examples".into()
            }
            ErrorKind::InvalidValue if names_no_value(error) => {
                format!("give the option its value; see `{path} --help`")
            }
            _ => format!("see `{path} --help`, which has examples"),
        }
    }
}

fn names_no_value(error: &clap::Error) -> bool {
    matches!(error.get(ContextKind::InvalidValue), Some(ContextValue::String(value)) if value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::command;
    use super::*;

    fn said(arguments: &[&str]) -> String {
        let root = command();
        let all = std::iter::once("dryarc").chain(arguments.iter().copied());
        let error = root.clone().try_get_matches_from(all).unwrap_err();
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        explain(&error, &root, &arguments)
    }

    #[test]
    fn every_wrong_command_line_ends_with_what_to_do_next() {
        for (arguments, next) in [
            (&["no-such-command"][..], "choose one of quickstart, up, exec"),
            (&["fault", "remove"], "choose one of list, add, explain, clear"),
            (&["fault", "add"], "--rule"),
            (&["exec"], "dryarc exec -- az group list"),
            (&["--world", "a", "up", "--sped", "5"], "`dryarc up --help`"),
            (&["clock", "speed", "abc"], "`dryarc clock speed --help`"),
            (&["up", "--clock", "sundial"], "`dryarc up --help`"),
            (&["up", "--clock"], "give the option its value"),
        ] {
            let text = said(arguments);
            assert!(text.starts_with("error: "), "{text}");
            let last = text.trim_end().lines().last().unwrap();
            assert!(last.starts_with("  next: ") && last.contains(next), "{arguments:?}: {text}");
            assert!(!text.contains(HINT), "{text}");
        }
    }

    #[test]
    fn help_stays_help() {
        for arguments in [&["dryarc", "up", "--help"][..], &["dryarc", "fault"], &["dryarc", "--version"]] {
            assert!(is_help(&command().try_get_matches_from(arguments).unwrap_err()), "{arguments:?}");
        }
    }
}
