//! The user's Azure CLI extensions, taken over into a running world.

use std::path::Path;

use super::{CliError, Context, output};
use crate::client_env::{Brought, CONNECTEDK8S, bring_extensions, extension_source, extension_version};
use crate::state::WorldRecord;

/// How to get the extension that onboarding with the Azure CLI needs.
pub(super) const GET_CONNECTEDK8S: &str = "`az extension add --name connectedk8s` outside of the world, where the Internet is reachable, \
     or DRYARC_AZ_EXTENSION_DIR=FOLDER with a folder that has it";

/// Copies extensions that the world lacks, and says what became of them.
///
/// # Errors
/// When the world's folder cannot be written.
pub(super) fn take_over(context: &Context, record: &WorldRecord) -> Result<(), CliError> {
    for brought in bring_extensions(&context.outer, &record.facts)? {
        if let Some(said) = describe(&brought, record.name.as_str()) {
            output::say(&said);
        }
    }
    if let Some(warning) = barren(context) {
        output::say(&warning);
    }
    Ok(())
}

/// What there is to say about one extension.
fn describe(brought: &Brought, world: &str) -> Option<String> {
    match brought {
        Brought::New { name, version } => {
            tracing::info!(extension = %name, %version, "copied into the world");
            None
        }
        Brought::Kept { name, ours, theirs } => Some(format!(
            "warning: world '{world}' keeps {name} {ours}; yours is {theirs}\n  \
             next: end the world and start it again to use {theirs}"
        )),
        Brought::Failed { name, reason } => Some(format!(
            "warning: the Azure CLI extension {name} could not be copied into world '{world}': {reason}\n  \
             next: make it readable, or install it again with `az extension add --name {name}`"
        )),
    }
}

/// A warning about a folder that a variable names and that has no extension in it.
fn barren(context: &Context) -> Option<String> {
    let source = extension_source(&context.outer)?;
    let variable = source.variable?;
    let any = std::fs::read_dir(&source.folder).is_ok_and(|entries| {
        entries
            .flatten()
            .any(|entry| extension_version(&source.folder, &entry.file_name().to_string_lossy()).is_some())
    });
    (!any).then(|| {
        format!(
            "warning: {variable} names {}, in which there is no Azure CLI extension\n  \
             next: name the folder that has one folder per extension, such as ~/.azure/cliextensions",
            source.folder.display()
        )
    })
}

/// Whether the world has the extension that onboarding with the Azure CLI needs.
pub(super) fn has_connectedk8s(record: &WorldRecord) -> bool {
    extension_version(&record.facts.az_extensions(), CONNECTEDK8S).is_some()
}

/// A note for a command that needs the extension where it is missing.
pub(super) fn missing_for(record: &WorldRecord, program: &Path, first: Option<&str>) -> Option<String> {
    let needs = program.file_name().is_some_and(|name| name == "az") && first == Some(CONNECTEDK8S);
    (needs && !has_connectedk8s(record)).then(|| {
        format!(
            "note: world '{}' has no Azure CLI extension connectedk8s\n  next: get it by {GET_CONNECTEDK8S}; \
             `dryarc onboard`, `list` and `offboard` do without",
            record.name
        )
    })
}

/// For somebody who has read the tour's `az connectedk8s` commands and has no extension that knows them.
pub(super) fn hint_after_tour(record: &WorldRecord) -> Option<String> {
    if has_connectedk8s(record) {
        return None;
    }
    let flag = super::error::world_flag(record.name.as_str());
    Some(format!(
        "The `az connectedk8s` commands above need an extension of the Azure CLI that was not found here.\n  \
         Get it by {GET_CONNECTEDK8S};\n  `dryarc exec` takes it over. Without it:\n\n  \
         dryarc list{flag}                         as az connectedk8s list\n  \
         dryarc onboard{flag} -n NAME -g GROUP     as az connectedk8s connect\n  \
         dryarc offboard{flag} -n NAME -g GROUP    as az connectedk8s delete\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::testing::record;

    #[test]
    fn only_a_command_that_needs_the_extension_is_told_that_it_is_missing() {
        let world = record("/nowhere");
        let note = missing_for(&world, Path::new("/usr/bin/az"), Some("connectedk8s")).unwrap();
        assert!(note.contains("az extension add") && note.contains("DRYARC_AZ_EXTENSION_DIR"), "{note}");
        assert_eq!(missing_for(&world, Path::new("az"), Some("group")), None);
        assert_eq!(missing_for(&world, Path::new("kubectl"), Some("connectedk8s")), None);
    }

    #[test]
    fn the_tour_names_the_commands_that_need_no_extension() {
        let hint = hint_after_tour(&record("/nowhere")).unwrap();
        for text in [
            "az extension add",
            "DRYARC_AZ_EXTENSION_DIR",
            "dryarc list",
            "dryarc onboard",
            "dryarc offboard",
        ] {
            assert!(hint.contains(text), "{hint}");
        }
    }

    #[test]
    fn a_world_that_keeps_its_own_version_says_so() {
        let kept =
            Brought::Kept { name: "connectedk8s".into(), ours: "1.10.0".into(), theirs: "1.11.2".into() };
        let said = describe(&kept, "w").unwrap();
        assert!(said.contains("1.10.0") && said.contains("next: "), "{said}");
        assert_eq!(describe(&Brought::New { name: "x".into(), version: String::new() }, "w"), None);
    }
}
