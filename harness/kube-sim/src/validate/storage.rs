//! Claims, volumes and storage classes.

use serde_json::{Value, json};

use super::errors::{Errors, items, text};
use super::quantity;

const MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];

pub(super) fn claim(spec: &Value, old: Option<&Value>, errors: &mut Errors) {
    if let Some(old) = old {
        return changed_claim(spec, old, errors);
    }
    modes(spec, "at least 1 access mode is required", errors);
    let storage = &spec["resources"]["requests"]["storage"];
    if storage.is_null() {
        errors.required("spec.resources[storage]", "");
    } else if quantity::nano(storage).is_some_and(|amount| amount <= 0) {
        errors.invalid("spec.resources[storage]", storage, "must be greater than zero");
    }
    if spec["volumeMode"].as_str().is_some_and(|mode| !["Block", "Filesystem"].contains(&mode)) {
        errors.not_supported("spec.volumeMode", &spec["volumeMode"], &["Block", "Filesystem"]);
    }
}

/// Of a claim's specification only a few fields change: the volume is named once, a class is given to one that has none,
/// and a bound claim may ask for more room.
fn changed_claim(spec: &Value, old: &Value, errors: &mut Errors) {
    let mut kept = old["spec"].clone();
    for field in ["volumeName", "storageClassName"] {
        if kept[field].as_str().is_none_or(str::is_empty) && !spec[field].is_null() {
            kept[field] = spec[field].clone();
        }
    }
    if old["status"]["phase"] == "Bound" {
        kept["resources"]["requests"] = spec["resources"]["requests"].clone();
        kept["volumeAttributesClassName"] = spec["volumeAttributesClassName"].clone();
    }
    if without_null(spec) != without_null(&kept) {
        errors.forbidden(
            "spec",
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims",
        );
    }
}

fn without_null(spec: &Value) -> serde_json::Map<String, Value> {
    let fields = spec.as_object().into_iter().flatten();
    fields.filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn modes(spec: &Value, required: &str, errors: &mut Errors) {
    let stated = items(spec, "spec", "accessModes");
    if stated.is_empty() {
        errors.required("spec.accessModes", required);
    }
    for (_, mode) in
        stated.iter().filter(|(_, mode)| !mode.as_str().is_some_and(|mode| MODES.contains(&mode)))
    {
        errors.not_supported("spec.accessModes", mode, &MODES);
    }
    let once = |mode: &Value| *mode == "ReadWriteOncePod";
    let others = |mode: &Value| !once(mode) && mode.as_str().is_some_and(|mode| MODES.contains(&mode));
    if stated.iter().any(|(_, mode)| once(mode)) && stated.iter().any(|(_, mode)| others(mode)) {
        errors.forbidden("spec.accessModes", "may not use ReadWriteOncePod with other access modes");
    }
}

/// Fields of a volume that are not its source.
const COMMON: [&str; 9] = [
    "accessModes",
    "capacity",
    "claimRef",
    "mountOptions",
    "nodeAffinity",
    "persistentVolumeReclaimPolicy",
    "storageClassName",
    "volumeMode",
    "volumeAttributesClassName",
];

pub(super) fn volume(spec: &Value, old: Option<&Value>, errors: &mut Errors) {
    if old.is_some() {
        return;
    }
    modes(spec, "", errors);
    if spec["capacity"].as_object().is_none_or(serde_json::Map::is_empty) {
        errors.required("spec.capacity", "");
    }
    if spec["capacity"].get("storage").is_none()
        || spec["capacity"].as_object().is_some_and(|all| all.len() > 1)
    {
        errors.not_supported("spec.capacity", &spec["capacity"], &["storage"]);
    }
    let sources =
        spec.as_object().map_or(0, |all| all.keys().filter(|key| !COMMON.contains(&key.as_str())).count());
    match sources {
        0 => errors.required("spec", "must specify a volume type"),
        1 => {}
        _ => errors.forbidden("spec", "may not specify more than 1 volume type"),
    }
}

pub(super) fn class(it: &Value, old: Option<&Value>, errors: &mut Errors) {
    if text(it, "provisioner").is_empty() {
        errors.required("provisioner", "");
    }
    let policy = text(it, "reclaimPolicy");
    if !policy.is_empty() && !["Delete", "Retain"].contains(&policy) {
        errors.not_supported("reclaimPolicy", &json!(policy), &["Delete", "Retain"]);
    }
    let binding = text(it, "volumeBindingMode");
    if !["Immediate", "WaitForFirstConsumer"].contains(&binding) {
        errors.not_supported("volumeBindingMode", &json!(binding), &["Immediate", "WaitForFirstConsumer"]);
    }
    let Some(old) = old else { return };
    for (field, why) in [
        ("parameters", "updates to parameters are forbidden."),
        ("provisioner", "updates to provisioner are forbidden."),
    ] {
        if it[field] != old[field] {
            errors.forbidden(field, why);
        }
    }
}
