//! Tags and locations in request bodies.

use serde_json::{Map, Value};

use super::catalog::regions::{self, Region};
use super::refusal::{Kind, Refusal};
use crate::profile::Profile;

/// How many tags a resource may have, and how long their names and values may be (Azure documentation).
const MOST: usize = 50;
const LONGEST_NAME: usize = 512;
const LONGEST_VALUE: usize = 256;
const FORBIDDEN: &[char] = &['<', '>', '%', '&', '\\', '?', '/'];

/// The tags of a body; `None` when it has none, or null.
///
/// # Errors
/// A [`Refusal`] for what tags cannot be.
pub fn read(body: &Map<String, Value>) -> Result<Option<Map<String, Value>>, Refusal> {
    let tags = match body.get("tags") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Object(tags)) => tags,
        Some(_) => return Err(Refusal::invalid_content("'tags' is not an object").target("tags")),
    };
    if tags.len() > MOST {
        let text = format!("A resource can have {MOST} tags; {} were given.", tags.len());
        return Err(Refusal::gateway(Kind::Invalid, "InvalidTags", text).target("tags"));
    }
    for (name, value) in tags {
        if name.is_empty() || name.len() > LONGEST_NAME || name.contains(FORBIDDEN) {
            let text = format!(
                "The tag name '{name}' is empty, longer than {LONGEST_NAME} characters, or has one of < > % & \\ ? /."
            );
            return Err(Refusal::gateway(Kind::Invalid, "InvalidTagNameCharacters", text).target("tags"));
        }
        match value {
            Value::String(text) if text.chars().count() <= LONGEST_VALUE => {}
            _ => {
                let text =
                    format!("the value of tag '{name}' is no text of at most {LONGEST_VALUE} characters");
                return Err(Refusal::invalid_content(&text).target("tags"));
            }
        }
    }
    Ok(Some(tags.clone()))
}

/// The text at `name` in a body; `None` when it is absent, null or empty.
///
/// # Errors
/// A [`Refusal`] when it is something else.
pub fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Refusal> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(_) => Err(Refusal::invalid_content(&format!("'{name}' is not a text")).target(name)),
    }
}

/// The region of this name, if the world has it.
#[must_use]
pub fn region(profile: &Profile, location: &str) -> Option<&'static Region> {
    let region = regions::find(location)?;
    let open =
        profile.regions.is_empty() || profile.regions.iter().any(|name| regions::is(name, region.name));
    open.then_some(region)
}

/// The regions of the world.
pub fn regions(profile: &Profile) -> impl Iterator<Item = &'static Region> {
    regions::REGIONS.iter().filter(|one| region(profile, one.name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tags(value: Value) -> Result<Option<Map<String, Value>>, Refusal> {
        read(json!({ "tags": value }).as_object().unwrap())
    }

    #[test]
    fn tags_are_texts_and_few() {
        assert_eq!(tags(Value::Null).unwrap(), None);
        assert_eq!(tags(json!({"a": "b"})).unwrap().unwrap().len(), 1);
        for wrong in [json!([]), json!({"a": 1}), json!({"a/b": "c"}), json!({"": "c"}), json!("x")] {
            assert_eq!(tags(wrong).unwrap_err().kind, Kind::Invalid);
        }
        let many: Map<String, Value> = (0..51).map(|n| (n.to_string(), json!(""))).collect();
        assert!(tags(Value::Object(many)).is_err());
    }

    #[test]
    fn a_profile_can_close_regions() {
        let profile = Profile { regions: vec!["westeurope".into()], ..Profile::default() };
        assert!(region(&profile, "West Europe").is_some());
        assert!(region(&profile, "eastus").is_none());
        assert!(region(&Profile::default(), "East US").is_some());
    }
}
