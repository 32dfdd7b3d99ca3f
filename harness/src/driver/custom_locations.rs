//! The feature that `connect` switches on by itself where it can: custom locations.

use http::Method;
use serde_json::Value;

use super::{Driver, Stage, StageState};

const PROVIDER: &str = "Microsoft.ExtendedLocation";
/// The application of custom locations, the same in every tenant.
const APPLICATION: &str = "bc313c14-388c-4e7d-a58e-70017303ee3b";

impl Driver {
    /// The object id of the application of custom locations in this tenant; `None`, with a warning, where the provider is not
    /// registered or Microsoft Graph does not tell and none was `given`. As in the Azure CLI, onboarding goes on without.
    pub(super) async fn custom_locations(&self, given: Option<&str>) -> Option<String> {
        self.begin(Stage::CustomLocations);
        let warn = |text: String| {
            self.report(Stage::CustomLocations, StageState::Warning, text);
            None
        };
        let provider = self.azure.provider(PROVIDER).await;
        let state = provider.as_ref().map(|provider| provider["registrationState"].as_str());
        match state {
            Ok(Some("Registered")) => {}
            Ok(_) => {
                return warn(format!(
                    "'Custom-locations' feature couldn't be enabled: {PROVIDER} is not registered"
                ));
            }
            Err(error) => return warn(format!("'Custom-locations' feature couldn't be enabled: {error}")),
        }
        let url = format!(
            "{}/v1.0/servicePrincipals?$filter=appId%20eq%20%27{APPLICATION}%27",
            self.azure.endpoints().graph
        );
        match self.azure.send(Method::GET, &url, None).await {
            Ok(answer) => {
                let id = answer.body.pointer("/value/0/id").and_then(Value::as_str);
                id.or(given).map(str::to_owned).or_else(|| {
                    warn(
                        "Unable to fetch the Custom Location OID: the tenant does not have the application"
                            .into(),
                    )
                })
            }
            Err(error) => {
                warn(format!("Unable to fetch the Custom Location OID: {error}"));
                given.map(str::to_owned)
            }
        }
    }
}
