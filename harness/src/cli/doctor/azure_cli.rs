//! The Azure CLI and its extension.

use serde_json::Value;
use sim_core::clock::Clock;

use super::super::extensions::GET_CONNECTEDK8S;
use super::finding::Finding;
use super::programs::{ask, command};
use crate::client_env::{CONNECTEDK8S, OuterEnv, extension_source, extension_version};

/// The Azure CLI, asked in a folder of its own, because it writes to its folder whatever it is asked.
pub(super) async fn az(outer: &OuterEnv, clock: &Clock) -> Finding {
    let finding = Finding::missing(
        "az",
        "`dryarc exec -- az …` and scripts around it; `dryarc onboard`, `list` and `offboard` do without",
        "install the Azure CLI (learn.microsoft.com/cli/azure/install-azure-cli) and put it on PATH",
    );
    let Some(place) = outer.program("az") else { return finding };
    let folder = match scratch() {
        Ok(folder) => folder,
        Err(reason) => return finding.unusable(Some(place), reason),
    };
    let mut asked = command(&place, outer, &["version", "--output", "json"]);
    asked.env("AZURE_CONFIG_DIR", &folder).env("AZURE_EXTENSION_DIR", folder.join("cliextensions"));
    asked.env("AZURE_CORE_COLLECT_TELEMETRY", "no");
    let said = ask(asked, clock).await;
    // A folder that stays is in the system's place for such.
    let _ = std::fs::remove_dir_all(&folder);
    match said {
        Ok(said) => finding.found(Some(place), version(&said)),
        Err(reason) => finding.unusable(Some(place), reason),
    }
}

fn scratch() -> Result<std::path::PathBuf, String> {
    let name = sim_core::keys::secret("doctor").map_err(|error| error.to_string())?;
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
    let folder = std::env::temp_dir().join(format!("dryarc-doctor-{name}"));
    crate::state::create_private_dir(&folder).map_err(|error| error.to_string())?;
    Ok(folder)
}

fn version(said: &str) -> Option<String> {
    let said: Value = serde_json::from_str(said).ok()?;
    said.get("azure-cli")?.as_str().map(str::to_owned)
}

/// The extension, where a world would take it from.
pub(super) fn connectedk8s(outer: &OuterEnv) -> Finding {
    let finding = Finding::missing(
        "az extension connectedk8s",
        "`az connectedk8s …` in a world; `dryarc onboard`, `list` and `offboard` do without",
        GET_CONNECTEDK8S,
    );
    let Some(source) = extension_source(outer) else { return finding };
    let by = source.variable.map(|variable| format!(" (named by {variable})")).unwrap_or_default();
    match extension_version(&source.folder, CONNECTEDK8S) {
        Some(version) => {
            let place = source.folder.join(CONNECTEDK8S);
            let mut found = finding.found(Some(place), Some(version));
            found.place = found.place.map(|place| place + &by);
            found
        }
        None => Finding { detail: Some(format!("it is not in {}{by}", source.folder.display())), ..finding },
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn the_extension_is_found_where_a_world_would_take_it_from() {
        let folder = std::env::temp_dir().join(format!("dryarc-doctor-ext-{}", std::process::id()));
        let outer = OuterEnv::new([("DRYARC_AZ_EXTENSION_DIR".to_owned(), folder.display().to_string())]);
        let missing = connectedk8s(&outer);
        assert_eq!(missing.state, State::Missing);
        assert!(missing.detail.unwrap().contains("named by DRYARC_AZ_EXTENSION_DIR"));
        std::fs::create_dir_all(folder.join("connectedk8s/connectedk8s-1.11.2.dist-info")).unwrap();
        let found = connectedk8s(&outer);
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!((found.state, found.version.as_deref()), (State::Ok, Some("1.11.2")));
    }

    #[test]
    fn the_version_is_the_one_of_the_program() {
        assert_eq!(version(r#"{"azure-cli":"2.91.0","azure-cli-core":"2.91.0"}"#).unwrap(), "2.91.0");
        assert_eq!(version("azure-cli 2.91.0"), None);
    }
}
