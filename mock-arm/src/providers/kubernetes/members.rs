//! The properties that clients may send, and what each has to be (API models of all versions).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::super::refusal::{Kind, Refusal};

/// The member that holds the agents' key.
pub(super) const KEY: &str = "properties.agentPublicKeyCertificate";

/// What JSON type a member has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    Object,
    List,
}

const KNOWN: &[(&str, Shape)] = &[
    ("agentPublicKeyCertificate", Shape::Text),
    ("distribution", Shape::Text),
    ("distributionVersion", Shape::Text),
    ("infrastructure", Shape::Text),
    ("privateLinkState", Shape::Text),
    ("privateLinkScopeResourceId", Shape::Text),
    ("azureHybridBenefit", Shape::Text),
    ("aadProfile", Shape::Object),
    ("arcAgentProfile", Shape::Object),
    ("oidcIssuerProfile", Shape::Object),
    ("securityProfile", Shape::Object),
    ("gateway", Shape::Object),
    ("arcAgentryConfigurations", Shape::List),
];

/// Whether any version knows the property as one that clients write. Others are dropped, as typed providers do.
pub(super) fn is_known(name: &str) -> bool {
    KNOWN.iter().any(|(known, _)| *known == name)
}

/// The enumerations and their values. The API models call them open; what the real service does with another value is not
/// known, and its replies are described with these only.
const VALUES: &[(&str, &[&str])] = &[
    ("privateLinkState", &["Enabled", "Disabled"]),
    ("azureHybridBenefit", &["True", "False", "NotApplicable"]),
];

fn check_values(properties: &Map<String, Value>) -> Result<(), Refusal> {
    for (name, values) in VALUES {
        let Some(given) = properties.get(*name).and_then(Value::as_str) else { continue };
        if !values.contains(&given) {
            let text = format!("'{given}' is no value of 'properties.{name}': {}", values.join(", "));
            return Err(Refusal::invalid_content(&text).target(format!("properties.{name}")));
        }
    }
    Ok(())
}

/// Checks the JSON types of what is sent, and the values of enumerations.
pub(super) fn check(properties: &Map<String, Value>) -> Result<(), Refusal> {
    for (name, shape) in KNOWN {
        let good = match properties.get(*name) {
            None | Some(Value::Null) => true,
            Some(Value::String(_)) => *shape == Shape::Text,
            Some(Value::Object(_)) => *shape == Shape::Object,
            Some(Value::Array(_)) => *shape == Shape::List,
            Some(_) => false,
        };
        if !good {
            let kind = match shape {
                Shape::Text => "a text",
                Shape::Object => "an object",
                Shape::List => "a list",
            };
            let text = format!("'properties.{name}' is not {kind}");
            return Err(Refusal::invalid_content(&text).target(format!("properties.{name}")));
        }
    }
    check_values(properties)
}

/// Checks the agents' key: base64 of the DER of a PKCS#1 public key, or of an X.509 certificate as in the API's own
/// examples. Only clusters of a kind that has no agents, or none yet, may have an empty one, and provisioned clusters must.
/// The real service's text is not known; this one is ours.
pub(super) fn check_key(key: &str, kind: Option<&str>) -> Result<(), Refusal> {
    let refuse = |text: String| Err(Refusal::service(Kind::Invalid, "BadRequest", text).target(KEY));
    let provisioned = kind.is_some_and(|kind| kind.eq_ignore_ascii_case("ProvisionedCluster"));
    match (key.is_empty(), kind) {
        (true, None) => refuse("The agentPublicKeyCertificate is empty.".into()),
        (true, Some(_)) => Ok(()),
        (false, Some(kind)) if provisioned => {
            refuse(format!("The agentPublicKeyCertificate of a cluster of kind '{kind}' must be empty."))
        }
        (false, _) => match STANDARD.decode(key) {
            Ok(der) if is_key(&der) => Ok(()),
            Ok(_) => refuse("The agentPublicKeyCertificate is not the DER of a public key.".into()),
            Err(error) => refuse(format!("The agentPublicKeyCertificate is not base64: {error}.")),
        },
    }
}

/// One DER element: its tag, its content, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let count = usize::from(first & 0x7f);
        let digits = rest.get(..count).filter(|digits| (1..=4).contains(&digits.len()))?;
        let length = digits.iter().fold(0_usize, |length, digit| (length << 8) | usize::from(*digit));
        (length, rest.get(count..)?)
    };
    Some((tag, rest.get(..length)?, rest.get(length..)?))
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

/// Whether this is a sequence of two integers (PKCS#1), or one that begins with a sequence (a certificate), and no more.
fn is_key(der: &[u8]) -> bool {
    let Some((SEQUENCE, content, [])) = element(der) else { return false };
    match element(content) {
        Some((INTEGER, _, rest)) => matches!(element(rest), Some((INTEGER, _, []))),
        Some((SEQUENCE, ..)) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "MEgCQQC7VJTUt9Us8cKjMzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvuNMoSfm76AgMBAAE=";

    #[test]
    fn a_key_is_the_der_of_a_public_key_in_base64() {
        assert!(check_key(SMALL, None).is_ok());
        for bad in ["no base64!", "aGVsbG8=", "MIICCgKCAgEA", &SMALL[4..], ""] {
            let refusal = check_key(bad, None).unwrap_err();
            assert_eq!((refusal.kind, refusal.error.target.as_deref()), (Kind::Invalid, Some(KEY)), "{bad}");
        }
    }

    #[test]
    fn clusters_without_agents_have_an_empty_key() {
        assert!(check_key("", Some("ProvisionedCluster")).is_ok());
        assert!(check_key("", Some("AWS")).is_ok());
        assert!(check_key(SMALL, Some("AWS")).is_ok());
        assert!(check_key(SMALL, Some("provisionedCluster")).is_err());
    }

    #[test]
    fn members_have_the_types_of_the_model() {
        let check = |value: Value| check(value.as_object().unwrap());
        assert!(
            check(serde_json::json!({"distribution": "kind", "gateway": {}, "aadProfile": null})).is_ok()
        );
        for bad in [
            serde_json::json!({"distribution": 3}),
            serde_json::json!({"gateway": "on"}),
            serde_json::json!({"arcAgentryConfigurations": {}}),
        ] {
            assert!(check(bad).is_err());
        }
    }
}
