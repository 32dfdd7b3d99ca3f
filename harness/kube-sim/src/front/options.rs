//! Options that come in the query or, for deletions, in the body: what they say, and whether they may say it.
//!
//! Source of the rules and their wording: apimachinery's validation of `meta/v1` options.

use serde_json::{Value, json};

use super::request_info::Query;
use crate::api::{DeleteOptions, Propagation, go_number_error, meta};
use crate::status::{Cause, Status};

/// The longest name of a field manager, in bytes.
const MANAGER_LIMIT: usize = 128;

/// Refuses options of `kind` for these reasons, unless there are none.
fn refuse(kind: &str, causes: &[Cause]) -> Result<(), Status> {
    if causes.is_empty() {
        return Ok(());
    }
    let texts: Vec<String> =
        causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
    let problem = match texts.as_slice() {
        [only] => only.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    let details = json!({"group": "meta.k8s.io", "kind": kind, "causes": causes});
    let message = format!("{kind}.meta.k8s.io \"\" is invalid: {problem}");
    Err(Status::new(422, "Invalid", message).with_details(details))
}

/// What a write is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Write {
    /// Do everything but commit.
    pub(super) dry_run: bool,
    /// What to do about unknown fields.
    pub(super) fields: FieldValidation,
    /// Take over fields that others own.
    pub(super) force: bool,
}

/// What becomes of unknown and duplicate fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldValidation {
    Ignore,
    Warn,
    Strict,
}

/// Which options are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Create,
    Update,
    Patch,
    Apply,
}

impl Verb {
    fn kind(self) -> &'static str {
        match self {
            Self::Create => "CreateOptions",
            Self::Update => "UpdateOptions",
            Self::Patch | Self::Apply => "PatchOptions",
        }
    }
}

/// The options of a write.
pub(super) fn write(query: &Query, verb: Verb) -> Result<Write, Status> {
    let mut causes = Vec::new();
    let manager = query.get("fieldManager").unwrap_or_default();
    // Anything that is no flag reads as true here.
    let force = query.get("force").filter(|text| !text.is_empty()).map(|text| !is_false(text));
    match verb {
        Verb::Apply if manager.is_empty() => {
            causes.push(Cause::new(
                "FieldValueRequired",
                "fieldManager",
                "Required value: is required for apply patch",
            ));
        }
        Verb::Patch if force.is_some() => {
            let message = "Forbidden: may not be specified for non-apply patch";
            causes.push(Cause::new("FieldValueForbidden", "force", message));
        }
        _ => {}
    }
    check_manager(manager, &mut causes);
    let dry_run = dry_run(query.all("dryRun"), &mut causes);
    let fields = match query.get("fieldValidation") {
        Some("Ignore") => FieldValidation::Ignore,
        Some("Strict") => FieldValidation::Strict,
        Some("Warn" | "") | None => FieldValidation::Warn,
        Some(other) => {
            let message = format!(
                "Unsupported value: {other:?}: supported values: \"\", \"Ignore\", \"Strict\", \"Warn\""
            );
            causes.push(Cause::new("FieldValueNotSupported", "fieldValidation", message));
            FieldValidation::Warn
        }
    };
    refuse(verb.kind(), &causes)?;
    Ok(Write { dry_run, fields, force: force.unwrap_or(false) })
}

fn is_false(text: &str) -> bool {
    matches!(text, "false" | "0")
}

fn check_manager(manager: &str, causes: &mut Vec<Cause>) {
    if manager.len() > MANAGER_LIMIT {
        let message = format!("Too long: may not be more than {MANAGER_LIMIT} bytes");
        causes.push(Cause::new("FieldValueTooLong", "fieldManager", message));
    }
    for (at, letter) in manager.char_indices().filter(|(_, letter)| letter.is_control()) {
        let shown = go_quoted(manager);
        let code = u32::from(letter);
        let message = format!("Invalid value: {shown}: invalid character U+{code:04X} (at position {at})");
        causes.push(Cause::new("FieldValueInvalid", "fieldManager", message));
    }
}

/// A text as Go quotes it.
fn go_quoted(text: &str) -> String {
    let escaped = |letter: char| match letter {
        '\u{7}' => "\\a".to_owned(),
        '\u{8}' => "\\b".to_owned(),
        '\u{b}' => "\\v".to_owned(),
        '\u{c}' => "\\f".to_owned(),
        other if other.is_control() && !matches!(other, '\n' | '\r' | '\t') => {
            format!("\\x{:02x}", u32::from(other))
        }
        other => other.escape_debug().to_string(),
    };
    format!("\"{}\"", text.chars().map(escaped).collect::<String>())
}

fn dry_run<'a>(values: impl Iterator<Item = &'a str>, causes: &mut Vec<Cause>) -> bool {
    let values: Vec<&str> = values.filter(|value| !value.is_empty()).collect();
    if values.iter().any(|value| *value != "All") {
        let message = format!("Unsupported value: {}: supported values: \"All\"", json!(values));
        causes.push(Cause::new("FieldValueNotSupported", "dryRun", message));
    }
    !values.is_empty()
}

/// A whole number of the query, if it is there.
pub(super) fn number(query: &Query, name: &str) -> Result<Option<i64>, Status> {
    let Some(text) = query.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let read = text.parse::<i64>();
    read.map(Some).map_err(|error| Status::bad_request(go_number_error("ParseInt", text, error.kind())))
}

/// Whether the revision that a read asks for has come; the real server waits three seconds for one that has not, this
/// one says so at once.
pub(super) fn reached(query: &Query, current: u64) -> Result<(), Status> {
    let Some(text) = query.get("resourceVersion").filter(|text| !text.is_empty()) else { return Ok(()) };
    let wanted: u64 = text.parse().map_err(|_| {
        let why = revision_problem(text);
        Status::bad_request(format!("invalid resource version: {why}"))
    })?;
    if wanted <= current {
        return Ok(());
    }
    let message = format!("Timeout: Too large resource version: {wanted}, current: {current}");
    let cause = Cause::new("ResourceVersionTooLarge", "", "Too large resource version");
    Err(Status::new(504, "Timeout", message).with_details(json!({"causes": [cause], "retryAfterSeconds": 1})))
}

/// What is wrong with a revision that is no number.
pub(super) fn revision_problem(text: &str) -> String {
    let why = match text.parse::<u64>() {
        Err(error) => go_number_error("ParseUint", text, error.kind()),
        Ok(_) => String::new(),
    };
    format!("resourceVersion: Invalid value: {text:?}: {why}")
}

/// The options of lists and watches that concern revisions; the revision that a list is to show, if it must be that one.
pub(super) fn revisions(query: &Query, watch: bool) -> Result<Option<u64>, Status> {
    let get = |name: &str| query.get(name).filter(|text| !text.is_empty());
    let (matching, version) = (get("resourceVersionMatch"), get("resourceVersion"));
    let initial = get("sendInitialEvents");
    let mut causes = Vec::new();
    let mut forbid = |field: &str, why: String| {
        causes.push(Cause::new("FieldValueForbidden", field, format!("Forbidden: {why}")));
    };
    if watch {
        match (initial, matching) {
            (None, Some(_)) => forbid(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided".into(),
            ),
            (Some(_), Some("NotOlderThan")) | (None, None) => {}
            (Some(_), found) => {
                let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
                forbid("resourceVersionMatch", why.into());
                if let Some(found) = found {
                    let message = format!("Unsupported value: {found:?}: supported values: \"NotOlderThan\"");
                    causes.push(Cause::new("FieldValueNotSupported", "resourceVersionMatch", message));
                }
            }
        }
        refuse("ListOptions", &causes)?;
        return Ok(None);
    }
    if initial.is_some() {
        forbid("sendInitialEvents", "sendInitialEvents is forbidden for list".into());
    }
    if let Some(found) = matching {
        if version.is_none() {
            let why = "resourceVersionMatch is forbidden unless resourceVersion is provided";
            forbid("resourceVersionMatch", why.into());
        }
        if get("continue").is_some() {
            forbid(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden when continue is provided".into(),
            );
        }
        if found == "Exact" && version == Some("0") {
            let why = "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"";
            forbid("resourceVersionMatch", why.into());
        }
        if !["Exact", "NotOlderThan"].contains(&found) {
            let message =
                format!("Unsupported value: {found:?}: supported values: \"Exact\", \"NotOlderThan\", \"\"");
            causes.push(Cause::new("FieldValueNotSupported", "resourceVersionMatch", message));
        }
    }
    refuse("ListOptions", &causes)?;
    Ok(version.filter(|_| matching == Some("Exact")).and_then(|text| text.parse().ok()))
}

/// Refuses options of a deletion that are of a wrong type, in the words of Go's decoder.
pub(super) fn check_types(sent: &Value) -> Result<(), String> {
    type Fits = fn(&Value) -> bool;
    const FIELDS: [(&str, &str, Fits); 6] = [
        ("gracePeriodSeconds", "int64", |value| value.as_i64().is_some()),
        ("preconditions", "v1.Preconditions", Value::is_object),
        ("orphanDependents", "bool", Value::is_boolean),
        ("propagationPolicy", "v1.DeletionPropagation", Value::is_string),
        ("dryRun", "[]string", Value::is_array),
        ("ignoreStoreReadErrorWithClusterBreakingPotential", "bool", Value::is_boolean),
    ];
    for (field, wanted, fits) in FIELDS {
        let value = &sent[field];
        if !value.is_null() && !fits(value) {
            let found = super::body::go_name(value);
            return Err(format!(
                "json: cannot unmarshal {found} into Go struct field DeleteOptions.{field} of type {wanted}"
            ));
        }
    }
    Ok(())
}

/// How to delete: the body's options, else the query's.
pub(super) fn delete(query: &Query, sent: &Value) -> Result<DeleteOptions, Status> {
    let mut causes = Vec::new();
    let grace = match sent["gracePeriodSeconds"].as_i64() {
        Some(stated) => Some(stated),
        None => number(query, "gracePeriodSeconds")?,
    };
    let policy = match meta::text(sent, "/propagationPolicy") {
        "" => query.get("propagationPolicy").unwrap_or_default(),
        stated => stated,
    };
    let orphan = match sent["orphanDependents"].as_bool() {
        Some(stated) => Some(stated),
        None => query.get("orphanDependents").map(|text| !is_false(text)),
    };
    let mut propagation = propagation(policy, &mut causes);
    if orphan.is_some() && !policy.is_empty() {
        let why = "orphanDependents and deletionPropagation cannot be both set";
        let message = format!("Invalid value: {policy:?}: {why}");
        causes.push(Cause::new("FieldValueInvalid", "propagationPolicy", message));
    }
    if propagation.is_none() && orphan == Some(true) {
        propagation = Some(Propagation::Orphan);
    }
    let in_body = sent["dryRun"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let dry_run = dry_run(in_body.chain(query.all("dryRun")), &mut causes);
    refuse("DeleteOptions", &causes)?;
    let text = |pointer: &str| Some(meta::text(sent, pointer).to_owned()).filter(|text| !text.is_empty());
    Ok(DeleteOptions {
        dry_run,
        grace,
        propagation,
        uid: text("/preconditions/uid"),
        resource_version: text("/preconditions/resourceVersion"),
    })
}

fn propagation(text: &str, causes: &mut Vec<Cause>) -> Option<Propagation> {
    match text {
        "" => None,
        "Background" => Some(Propagation::Background),
        "Foreground" => Some(Propagation::Foreground),
        "Orphan" => Some(Propagation::Orphan),
        other => {
            let supported = "\"Foreground\", \"Background\", \"Orphan\", \"nil\"";
            let message = format!("Unsupported value: {other:?}: supported values: {supported}");
            causes.push(Cause::new("FieldValueNotSupported", "propagationPolicy", message));
            None
        }
    }
}
