//! The checks, and the lines in which the Azure CLI looks for their results.

use super::outbound::{self, codes, worst};
use super::{Surroundings, definitions};

/// The name that is looked up in the cluster's DNS.
const CLUSTER_NAME: &str = "kubernetes.default.svc.cluster.local";

const CLUSTER_CONNECT: &str = "Outbound Network Connectivity Cluster Connect Precheck Result";
const ONBOARDING: &str = "Outbound Network Connectivity Onboarding Precheck Result";
const ENTRA: &str = "Entra Authentication Endpoint Connectivity Check Result";

/// Before onboarding.
pub(super) async fn before_onboarding(surroundings: &Surroundings) -> Vec<String> {
    let region = region(surroundings);
    let mut lines = dns(surroundings).await;
    let connect = format!("https://{region}.obo.arc.azure.com:8084/");
    let code = outbound::code(surroundings, &connect).await;
    lines.push(format!("{CLUSTER_CONNECT} : {connect} : {code}"));
    let registry = surroundings.variable("MCR_REPOSITORY", "mcr.microsoft.com");
    let hosts = onboarding_hosts(&region, &registry);
    lines.push(onboarding(surroundings, &hosts).await);
    let login = "https://login.microsoftonline.com".to_owned();
    let code = outbound::code(surroundings, &login).await;
    lines.push(format!("{ENTRA} : {login} : {code}"));
    if let Some(kube) = &surroundings.kube {
        lines.extend(definitions::foreign(kube).await);
    }
    lines
}

/// For `az connectedk8s troubleshoot`, which reads the last line as that of the outbound connectivity.
pub(super) async fn of_an_onboarded_cluster(surroundings: &Surroundings) -> Vec<String> {
    let hosts = onboarding_hosts(&region(surroundings), "mcr.microsoft.com");
    let mut lines = dns(surroundings).await;
    lines.push(onboarding(surroundings, &hosts).await);
    lines
}

/// The region, as host names have it. Where nobody says it, a host of any region does.
fn region(surroundings: &Surroundings) -> String {
    surroundings.variable("AZURE_REGION", "eastus").replace(' ', "").to_lowercase()
}

fn onboarding_hosts(region: &str, registry: &str) -> Vec<String> {
    [
        "management.azure.com",
        "gbl.his.arc.azure.com",
        &format!("{region}.dp.kubernetesconfiguration.azure.com"),
        registry,
    ]
    .map(|host| format!("https://{host}"))
    .into()
}

/// One line for all hosts: those without an answer when there are any, else all of them.
async fn onboarding(surroundings: &Surroundings, hosts: &[String]) -> String {
    let codes = codes(surroundings, hosts).await;
    let silent = hosts.iter().zip(&codes).filter(|(_, code)| *code == outbound::NONE);
    let silent: Vec<&str> = silent.map(|(host, _)| host.as_str()).collect();
    let shown = if silent.is_empty() { hosts.join(" ") } else { silent.join(" ") };
    format!("{ONBOARDING} : {shown} : {}", worst(&codes))
}

/// Looks the API server's name up, and says it in the words of `nslookup`. A process of the embedded cluster has no DNS:
/// its names lead to the addresses that its environment gives.
async fn dns(surroundings: &Surroundings) -> Vec<String> {
    let embedded = surroundings.variable("DRYARC_ROOT", "");
    if !embedded.is_empty() {
        let address = surroundings.variable("KUBERNETES_SERVICE_HOST", "");
        return answer(&address);
    }
    match tokio::net::lookup_host((CLUSTER_NAME, 443)).await {
        Ok(mut found) => match found.next() {
            Some(address) => answer(&address.ip().to_string()),
            None => vec![format!("DNS Result:** server can't find {CLUSTER_NAME}: NXDOMAIN")],
        },
        Err(error) => vec![format!("DNS Result:{}", failure(&error.to_string()))],
    }
}

fn answer(address: &str) -> Vec<String> {
    vec![format!("DNS Result:Name: {CLUSTER_NAME}"), format!("Address: {address}")]
}

/// The resolver's failure, with the word that the Azure CLI knows it by.
fn failure(error: &str) -> String {
    let again = error.contains("Temporary failure") || error.contains("Try again");
    if again {
        return format!(";; communications error: no servers could be reached ({error})");
    }
    format!("** server can't find {CLUSTER_NAME}: NXDOMAIN ({error})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::clock::Clock;
    use sim_core::net::Net;

    /// A network in which nothing answers.
    fn alone(pairs: &'static [(&'static str, &'static str)]) -> Surroundings {
        let get = |name: &str| (name == "DRYARC_EGRESS").then(|| "127.0.0.1:1".to_owned());
        Surroundings {
            clock: Clock::running(1.0),
            net: Net::from_env(get).unwrap(),
            kube: None,
            variables: Box::new(|name| {
                pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            }),
        }
    }

    #[tokio::test]
    async fn hosts_that_do_not_answer_are_named_with_code_000() {
        let environment =
            &[("DRYARC_ROOT", "/r"), ("KUBERNETES_SERVICE_HOST", "10.0.0.1"), ("AZURE_REGION", "East US")];
        let lines = before_onboarding(&alone(environment)).await;
        assert_eq!(lines[0], format!("DNS Result:Name: {CLUSTER_NAME}"));
        assert_eq!(lines[2], format!("{CLUSTER_CONNECT} : https://eastus.obo.arc.azure.com:8084/ : 000"));
        assert!(lines[3].contains("https://eastus.dp.kubernetesconfiguration.azure.com"), "{}", lines[3]);
        assert!(lines[3].ends_with(" : 000"));
        assert_eq!(lines[4], format!("{ENTRA} : https://login.microsoftonline.com : 000"));
    }

    #[test]
    fn one_silent_host_decides() {
        let codes = |list: &[&str]| list.iter().map(|code| (*code).to_owned()).collect::<Vec<_>>();
        assert_eq!(worst(&codes(&["200", "000", "404"])), "000");
        assert_eq!(worst(&codes(&["200", "404"])), "404");
        assert!(failure("Temporary failure in name resolution").contains("communications error"));
        assert!(failure("Name or service not known").contains("NXDOMAIN"));
    }
}
