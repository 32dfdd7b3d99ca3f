//! Verbs and options of `az connectedk8s` that were seen working: read from the transcripts under `fixtures/golden`, which replay what
//! the real extension did, and put together to a table, `fixtures/seen/CONNECTEDK8S.md`.
//!
//! `fixtures/seen/connectedk8s.options` names the options that there are, as the extension's own help lists them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::repository;

/// Columns: where the command ran and by which program, and the folders of transcripts that say so.
const PLACES: &[(&str, &str, &[&str])] = &[
    ("embedded cluster", "az connectedk8s ", &["connectedk8s"]),
    ("kind", "az connectedk8s ", &["kind"]),
    ("native driver", "dryarc ", &["connectedk8s", "native", "world"]),
];

/// Commands of the native driver, and the verbs whose options they have.
const NATIVE: &[(&str, &str)] = &[("onboard", "connect"), ("offboard", "delete"), ("list", "list")];

/// A script of the transcripts that connects by both programs with the options it is given.
const BOTH: &str = "sh inputs/parity.sh";

/// Other ways to write an option.
const SAME: &[(&str, &str)] = &[
    ("-n", "--name"),
    ("-g", "--resource-group"),
    ("-l", "--location"),
    ("-y", "--yes"),
    ("-f", "--file"),
    ("--custom-ca-cert", "--proxy-cert"),
    ("--pls-arm-id", "--private-link-scope-resource-id"),
    ("--enable-wi", "--enable-workload-identity"),
    ("--disable-wi", "--disable-workload-identity"),
    ("--config", "--configuration-settings"),
    ("--config-protected", "--config-protected-settings"),
];

/// Options that the Azure CLI gives to commands of every extension.
const OF_AZ: &[&str] = &["--acquire-policy-token", "--change-reference", "--ids", "--subscription"];

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// Only as part of a command that was to be refused.
    Refused,
    /// In a command that did what it says.
    Worked,
}

/// Verb, option and column, with the best that was seen. The verb alone has an empty option.
type Marks = BTreeMap<(String, String, usize), Outcome>;

/// The commands of a line of shell, roughly: what stands between separators that are not quoted.
fn commands(line: &str) -> Vec<String> {
    let (mut all, mut quote) = (vec![String::new()], None);
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), close) if open == close => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            (None, ';' | '|' | '&') => {
                all.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = all.last_mut() {
            last.push(letter);
        }
    }
    all.into_iter().map(|command| command.trim().to_owned()).filter(|command| !command.is_empty()).collect()
}

/// The options of a command, by their first names.
fn options(command: &str) -> impl Iterator<Item = String> {
    let words = command.split_whitespace().filter(|word| word.starts_with('-') && word.len() > 1);
    let names = words.map(|word| word.split('=').next().unwrap_or(word));
    names.map(|word| {
        let same = SAME.iter().find(|(other, _)| *other == word);
        same.map_or(word, |(_, name)| name).to_owned()
    })
}

/// The verb of `az connectedk8s` that a command is for, and what follows, if this column's program is at work.
fn verb<'c>(command: &'c str, program: &str) -> Option<(&'c str, &'c str)> {
    // What a shell keeps going while a command is at work, and variables before it.
    let command = command.trim_start_matches(['(', '{', ' ']);
    if let Some(options) = command.strip_prefix(BOTH) {
        return Some(("connect", options));
    }
    let at = command.find(program).filter(|at| {
        let before = &command[..*at];
        before
            .split_whitespace()
            .all(|word| word.contains('=') || ["timeout", "exec", "if", "!"].contains(&word))
    })?;
    let (name, rest) =
        command[at + program.len()..].split_once(' ').unwrap_or((&command[at + program.len()..], ""));
    let known = |(own, verb): &(&'static str, &'static str)| (*own == name).then_some(*verb);
    if program.starts_with("dryarc") {
        return NATIVE.iter().find_map(known).map(|verb| (verb, rest));
    }
    (!name.is_empty() && !name.starts_with('-')).then_some((name, rest))
}

/// Reads one transcript into the marks of a column.
fn read(text: &str, column: usize, program: &str, marks: &mut Marks) {
    for step in text.split("\n$ ").map(|step| step.trim_start_matches("$ ")) {
        let (line, output) = step.split_once('\n').unwrap_or((step, ""));
        let refused = output.lines().any(|said| {
            let said = said.trim_start_matches("! ");
            said.starts_with("ERROR")
                || said.starts_with("error:")
                || said.starts_with("[exit ")
                || said.contains(": different")
        });
        let outcome = if refused { Outcome::Refused } else { Outcome::Worked };
        for command in commands(line) {
            let Some((verb, rest)) = verb(&command, program) else { continue };
            for option in std::iter::once(String::new()).chain(options(rest)) {
                let mark = marks.entry((verb.to_owned(), option, column)).or_insert(outcome);
                *mark = (*mark).max(outcome);
            }
        }
    }
}

fn golden(folder: &str) -> Vec<PathBuf> {
    let folder = repository::root().join("fixtures/golden").join(folder);
    let mut files: Vec<PathBuf> =
        folder.read_dir().into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "transcript"));
    files.sort();
    files
}

fn all_marks() -> Result<Marks, String> {
    let mut marks = Marks::new();
    for (column, (_, program, folders)) in PLACES.iter().enumerate() {
        for file in folders.iter().flat_map(|folder| golden(folder)) {
            let text =
                std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            read(&text, column, program, &mut marks);
        }
    }
    Ok(marks)
}

/// Where the options are kept that the extension has: `VERB --option --option …`, a line a verb.
#[must_use]
pub fn listed() -> PathBuf {
    repository::root().join("fixtures/seen/connectedk8s.options")
}

/// The line of [`listed`] for a verb, from what `az connectedk8s VERB --help` prints; options of every `az` command are left out.
#[must_use]
pub fn of_help(verb: &str, help: &str) -> String {
    let own = help.split("\nGlobal Arguments").next().unwrap_or(help);
    let named = own.lines().filter_map(|line| line.strip_prefix("    --"));
    let names: BTreeSet<String> =
        named.filter_map(|line| Some(format!("--{}", line.split_whitespace().next()?))).collect();
    let names = names.into_iter().map(|name| {
        let same = SAME.iter().find(|(other, _)| *other == name);
        same.map_or(name, |(_, first)| (*first).to_owned())
    });
    let names: BTreeSet<String> = names.filter(|name| !OF_AZ.contains(&name.as_str())).collect();
    format!("{verb} {}\n", names.into_iter().collect::<Vec<_>>().join(" "))
}

/// The table that transcripts and list make.
///
/// # Errors
/// A file that cannot be read.
pub fn table() -> Result<String, String> {
    let marks = all_marks()?;
    let path = listed();
    let list = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let names: Vec<&str> = PLACES.iter().map(|(name, ..)| *name).collect();
    let mut text = format!(
        "# az connectedk8s, seen working\n\n\
         Verb × option: made from the transcripts under `fixtures/golden`, which replay the unmodified extension 1.11.2 and the native driver.\n\
         `yes`: in a command that did what it says; `refused`: only in commands that are meant to be refused; nothing: in no transcript.\n\
         Options are listed by the extension's own help.\n\n\
         | verb | option | {} |\n|---|---|{}\n",
        names.join(" | "),
        "---|".repeat(names.len())
    );
    for line in list.lines() {
        let mut words = line.split(' ');
        let verb = words.next().unwrap_or_default();
        for option in std::iter::once("").chain(words) {
            let mark = |column| match marks.get(&(verb.to_owned(), option.to_owned(), column)) {
                Some(Outcome::Worked) => "yes",
                Some(Outcome::Refused) => "refused",
                None => "",
            };
            let cells: Vec<&str> = (0..PLACES.len()).map(mark).collect();
            let shown = if option.is_empty() { String::new() } else { format!("`{option}`") };
            text.push_str(&format!("| {verb} | {shown} | {} |\n", cells.join(" | ")));
        }
    }
    Ok(text)
}

/// Whether the table in the repository is the one that is made here; with `UPDATE_GOLDEN` set, it is written instead.
///
/// # Errors
/// A readable difference, or why something cannot be read.
pub fn up_to_date(name: &str, table: &str) -> Result<(), String> {
    crate::transcript::held_against(&Path::new(&repository::root()).join("fixtures/seen").join(name), table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_tells_verbs_and_options_and_whether_they_worked() {
        let text = "# a comment\n$ x=1; az connectedk8s connect -n c --tags 'a;b' --custom-ca-cert=f 2>&1 | tail -1\ndone\n\n\
                    $ az connectedk8s connect -n c --tags a --gateway-resource-id no\n! ERROR: no\n[exit 1]\n\n\
                    $ dryarc onboard -n c && sh inputs/parity.sh --enable-wi\nresource: same\n";
        let mut marks = Marks::new();
        read(text, 0, "az connectedk8s ", &mut marks);
        let of = |marks: &Marks, option: &str| marks.get(&("connect".into(), option.into(), 0)).copied();
        assert_eq!(of(&marks, "--tags"), Some(Outcome::Worked));
        assert_eq!(of(&marks, "--proxy-cert"), Some(Outcome::Worked));
        assert_eq!(of(&marks, "--gateway-resource-id"), Some(Outcome::Refused));
        assert_eq!(of(&marks, "--enable-workload-identity"), Some(Outcome::Worked));
        let mut native = Marks::new();
        read(text, 0, "dryarc ", &mut native);
        assert_eq!(of(&native, "--name"), Some(Outcome::Worked));
        assert_eq!(of(&native, "--tags"), None);
    }

    #[test]
    fn help_lists_an_option_once_by_its_first_name() {
        let help = "Arguments\n    --name -n [Required] : The name.\n    --custom-ca-cert --proxy-cert : P.\n\nGlobal Arguments\n    --debug : D.\n";
        assert_eq!(of_help("connect", help), "connect --name --proxy-cert\n");
    }
}
