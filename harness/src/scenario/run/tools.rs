//! Whether the real programs of a driver are there.

use std::path::Path;

use super::super::driver::Driver;
use super::super::model::Scenario;
use crate::client_env::{CONNECTEDK8S, OuterEnv, extension_source, extension_version};

/// Why `driver` cannot perform the scenario here; `None` when it can. Tools that single steps name are not looked for: such a step fails.
pub(super) fn missing(scenario: &Scenario, driver: Driver, outer: &OuterEnv) -> Option<String> {
    if driver == Driver::Native || !scenario.all_steps().any(super::super::step::Step::is_of_az) {
        return None;
    }
    if outer.program("az").is_none() {
        return Some("the Azure CLI (az) was not found on PATH".into());
    }
    if !scenario.all_steps().any(|step| step.onboard.is_some() || step.offboard.is_some()) {
        return None;
    }
    let there = extension_source(outer)
        .is_some_and(|source| extension_version(&source.folder, CONNECTEDK8S).is_some());
    if !there {
        return Some(format!(
            "the Azure CLI's extension {CONNECTEDK8S} was not found: `az extension add --name {CONNECTEDK8S}`, or name its \
             folder in DRYARC_AZ_EXTENSION_DIR"
        ));
    }
    // The extension uses both, and fetches from the Internet what it is not told of.
    [("helm", "HELM_CLIENT_PATH"), ("kubectl", "KUBECTL_CLIENT_PATH")].into_iter().find_map(
        |(name, variable)| {
            let named = outer.get(variable).is_some_and(|path| Path::new(path).is_file());
            (!named && outer.program(name).is_none())
                .then(|| format!("{name}, which the extension {CONNECTEDK8S} uses, was not found on PATH"))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(step: &str) -> Scenario {
        let text = format!(
            "title: t\nsymptom: s\ncause: c\nsources: [x]\ntags: [x]\ndrivers: [native, az]\n\
             steps: [{{{step}: {{}}, expect: {{exit: 1}}}}]\nremedy: {{what: w, steps: [{{group: {{}}}}]}}\n"
        );
        Scenario::read("one", &text).unwrap()
    }

    #[test]
    fn what_a_driver_lacks_is_named() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let outer = OuterEnv::new([
            ("PATH".to_owned(), bin.display().to_string()),
            ("DRYARC_AZ_EXTENSION_DIR".to_owned(), folder.path().join("ext").display().to_string()),
        ]);
        let lacks = |step: &str, driver| missing(&scenario(step), driver, &outer).unwrap_or_default();
        let install = |name: &str| {
            let file = bin.join(name);
            std::fs::write(&file, "").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        assert_eq!(lacks("onboard", Driver::Native), "");
        assert!(lacks("group", Driver::Az).contains("(az)"));
        install("az");
        assert_eq!(lacks("group", Driver::Az), "");
        assert!(lacks("onboard", Driver::Az).contains("extension connectedk8s"));
        std::fs::create_dir_all(folder.path().join("ext/connectedk8s/connectedk8s-1.11.2.dist-info"))
            .unwrap();
        assert!(lacks("onboard", Driver::Az).starts_with("helm"));
        install("helm");
        install("kubectl");
        assert_eq!(lacks("onboard", Driver::Az), "");
    }
}
