//! The options of `dryarc onboard` that switch features on, and the settings that it passes on.

use clap::Args;
use clap::builder::BoolishValueParser;

use crate::driver::{FeatureOptions, OnboardOptions, Setting};

/// The values that Azure has for the hybrid benefit.
const BENEFITS: [&str; 3] = ["True", "False", "NotApplicable"];

/// Features and settings, named as with `az connectedk8s connect`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Features")]
pub(super) struct FeatureArgs {
    /// Put the cluster behind a private link scope; leaves cluster connect and custom locations out
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    enable_private_link: Option<bool>,
    /// The private link scope, by its ARM id
    #[arg(long, visible_alias = "pls-arm-id", value_name = "ID")]
    private_link_scope_resource_id: Option<String>,
    /// The Arc gateway that the cluster goes through, by its ARM id
    #[arg(long, value_name = "ID")]
    gateway_resource_id: Option<String>,
    /// Let Azure publish an OIDC issuer for the cluster
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    enable_oidc_issuer: Option<bool>,
    /// The issuer that the cluster has already, which clusters of a public cloud need to name
    #[arg(long, value_name = "URL")]
    self_hosted_issuer: Option<String>,
    /// Switch workload identity on
    #[arg(long, visible_alias = "enable-wi", value_name = "true|false", num_args = 0..=1, default_missing_value = "true", value_parser = BoolishValueParser::new())]
    enable_workload_identity: Option<bool>,
    /// The object id of the application of custom locations, where Microsoft Graph does not tell it
    #[arg(long, value_name = "ID")]
    custom_locations_oid: Option<String>,
    /// The version of the distribution
    #[arg(long, value_name = "VERSION")]
    distribution_version: Option<String>,
    /// The Azure Hybrid Benefit: True, False or NotApplicable
    #[arg(long, value_name = "VALUE", value_parser = benefit)]
    azure_hybrid_benefit: Option<String>,
    /// Where the containers' logs are on the nodes
    #[arg(long, value_name = "PATH")]
    container_log_path: Option<String>,
    /// Settings of features, which Azure shows
    #[arg(long, visible_alias = "config", value_name = "FEATURE.NAME=VALUE", num_args = 1.., value_parser = setting)]
    configuration_settings: Vec<Setting>,
    /// Settings of features, of which Azure learns the names only
    #[arg(long, visible_alias = "config-protected", value_name = "FEATURE.NAME=VALUE", num_args = 1.., value_parser = setting)]
    config_protected_settings: Vec<Setting>,
}

fn benefit(text: &str) -> Result<String, String> {
    let known = BENEFITS.iter().find(|known| known.eq_ignore_ascii_case(text));
    known
        .map(|known| (*known).to_owned())
        .ok_or_else(|| format!("'{text}' is none of {}", BENEFITS.join(", ")))
}

fn setting(text: &str) -> Result<Setting, String> {
    let read = || {
        let (key, value) = text.split_once('=')?;
        let (feature, name) = key.split_once('.')?;
        let named = !feature.is_empty() && !name.is_empty() && !name.contains('.');
        named.then(|| Setting { feature: feature.into(), name: name.into(), value: value.into() })
    };
    // The text may hold a secret, so that it is not repeated.
    read().ok_or_else(|| "write FEATURE.NAME=VALUE".to_owned())
}

impl FeatureArgs {
    /// Puts what was given into the driver's options.
    pub(super) fn fill(&self, options: &mut OnboardOptions) {
        options.features = FeatureOptions {
            private_link: self.enable_private_link,
            private_link_scope: self.private_link_scope_resource_id.clone(),
            gateway: self.gateway_resource_id.clone(),
            oidc_issuer: self.enable_oidc_issuer == Some(true),
            self_hosted_issuer: self.self_hosted_issuer.clone(),
            workload_identity: self.enable_workload_identity == Some(true),
            custom_locations: self.custom_locations_oid.clone(),
        };
        options.distribution_version.clone_from(&self.distribution_version);
        options.azure_hybrid_benefit.clone_from(&self.azure_hybrid_benefit);
        options.container_log_path.clone_from(&self.container_log_path);
        options.settings.clone_from(&self.configuration_settings);
        options.protected_settings.clone_from(&self.config_protected_settings);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        features: FeatureArgs,
    }

    fn parsed(arguments: &[&str]) -> Result<OnboardOptions, clap::Error> {
        let line = Line::try_parse_from(["onboard"].iter().chain(arguments))?;
        let mut options = OnboardOptions::new("n", "g");
        line.features.fill(&mut options);
        Ok(options)
    }

    #[test]
    fn switches_are_read_with_and_without_a_value_as_the_azure_cli_reads_them() {
        let options =
            parsed(&["--enable-private-link", "--enable-oidc-issuer", "true", "--enable-wi"]).unwrap();
        assert_eq!(options.features.private_link, Some(true));
        assert!(options.features.oidc_issuer && options.features.workload_identity);
        let options = parsed(&["--enable-private-link", "false", "--enable-oidc-issuer", "False"]).unwrap();
        assert_eq!((options.features.private_link, options.features.oidc_issuer), (Some(false), false));
        assert_eq!(parsed(&[]).unwrap().features, FeatureOptions::default());
    }

    #[test]
    fn settings_name_their_feature_and_a_wrong_one_is_not_repeated() {
        let options = parsed(&["--config", "a.b=c=d", "e.f=", "--config-protected", "s.w=hidden"]).unwrap();
        let read = |all: &[Setting]| {
            all.iter().map(|it| format!("{} {} {}", it.feature, it.name, it.value)).collect::<Vec<_>>()
        };
        assert_eq!(read(&options.settings), ["a b c=d", "e f "]);
        assert_eq!(read(&options.protected_settings), ["s w hidden"]);
        for wrong in ["a=b", "a.b.c=d", "a.b", ".b=c"] {
            let reason = setting(wrong).unwrap_err();
            assert!(!reason.contains(wrong), "{reason}");
        }
        assert_eq!(
            parsed(&["--azure-hybrid-benefit", "true"]).unwrap().azure_hybrid_benefit.unwrap(),
            "True"
        );
        assert!(parsed(&["--azure-hybrid-benefit", "maybe"]).is_err());
    }
}
