//! Volumes, claims and classes.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::texts::int_or_string;
use super::{Cells, Print, age, count, list, name, text};

pub(super) fn layout(kind: &str) -> Option<(&'static str, Print)> {
    Some(match kind {
        "PersistentVolume" => (
            "Name@,Capacity,Access Modes,Reclaim Policy,Status,Claim,StorageClass,VolumeAttributesClass,Reason,Age,\
             VolumeMode*",
            volume,
        ),
        "PersistentVolumeClaim" => (
            "Name@,Status,Volume,Capacity,Access Modes,StorageClass,VolumeAttributesClass,Age,VolumeMode*",
            claim,
        ),
        "StorageClass" => {
            ("Name@,Provisioner,ReclaimPolicy,VolumeBindingMode,AllowVolumeExpansion,Age", storage_class)
        }
        "VolumeAttributesClass" => ("Name@,DriverName,Age", attributes_class),
        "VolumeAttachment" => ("Name@,Attacher@,PV,Node,Attached?,Age", attachment),
        "CSINode" => ("Name@,Drivers#,Age", csi_node),
        "CSIDriver" => (
            "Name@,AttachRequired?,PodInfoOnMount?,StorageCapacity?,TokenRequests,RequiresRepublish?,Modes,Age",
            csi_driver,
        ),
        "CSIStorageCapacity" => ("Name@,StorageClassName,Capacity", csi_capacity),
        _ => return None,
    })
}

fn access_modes(modes: &Value) -> String {
    let short = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let has = |mode: &str| list(modes).iter().any(|it| it == mode);
    short.into_iter().filter(|(mode, _)| has(mode)).map(|(_, short)| short).collect::<Vec<_>>().join(",")
}

fn phase(it: &Value) -> &str {
    if it["metadata"]["deletionTimestamp"].is_null() {
        text(&it["status"]["phase"], "")
    } else {
        "Terminating"
    }
}

/// The storage class; the old annotation wins.
fn class(it: &Value) -> &str {
    let annotation = &it["metadata"]["annotations"]["volume.beta.kubernetes.io/storage-class"];
    text(annotation, text(&it["spec"]["storageClassName"], ""))
}

fn volume(it: &Value, now: Timestamp) -> Cells {
    let (spec, claim) = (&it["spec"], &it["spec"]["claimRef"]);
    let claim = if claim.is_object() {
        format!("{}/{}", text(&claim["namespace"], ""), text(&claim["name"], ""))
    } else {
        String::new()
    };
    vec![
        name(it),
        json!(int_or_string(&spec["capacity"]["storage"], "0")),
        json!(access_modes(&spec["accessModes"])),
        json!(text(&spec["persistentVolumeReclaimPolicy"], "")),
        json!(phase(it)),
        json!(claim),
        json!(class(it)),
        json!(text(&spec["volumeAttributesClassName"], "<unset>")),
        json!(text(&it["status"]["reason"], "")),
        age(it, now),
        json!(text(&spec["volumeMode"], "<unset>")),
    ]
}

fn claim(it: &Value, now: Timestamp) -> Cells {
    let spec = &it["spec"];
    let bound = !text(&spec["volumeName"], "").is_empty();
    let (capacity, modes) = if bound {
        (int_or_string(&it["status"]["capacity"]["storage"], "0"), access_modes(&it["status"]["accessModes"]))
    } else {
        Default::default()
    };
    vec![
        name(it),
        json!(phase(it)),
        json!(text(&spec["volumeName"], "")),
        json!(capacity),
        json!(modes),
        json!(class(it)),
        json!(text(&spec["volumeAttributesClassName"], "<unset>")),
        age(it, now),
        json!(text(&spec["volumeMode"], "<unset>")),
    ]
}

fn storage_class(it: &Value, now: Timestamp) -> Cells {
    let annotations = &it["metadata"]["annotations"];
    let default =
        ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"]
            .iter()
            .any(|key| annotations[*key] == "true");
    let suffix = if default { " (default)" } else { "" };
    vec![
        json!(format!("{}{suffix}", text(&it["metadata"]["name"], ""))),
        json!(text(&it["provisioner"], "")),
        json!(text(&it["reclaimPolicy"], "Delete")),
        json!(text(&it["volumeBindingMode"], "Immediate")),
        json!(it["allowVolumeExpansion"] == true),
        age(it, now),
    ]
}

fn attributes_class(it: &Value, now: Timestamp) -> Cells {
    vec![name(it), json!(text(&it["driverName"], "")), age(it, now)]
}

fn attachment(it: &Value, now: Timestamp) -> Cells {
    vec![
        name(it),
        json!(text(&it["spec"]["attacher"], "")),
        json!(text(&it["spec"]["source"]["persistentVolumeName"], "")),
        json!(text(&it["spec"]["nodeName"], "")),
        json!(it["status"]["attached"] == true),
        age(it, now),
    ]
}

fn csi_node(it: &Value, now: Timestamp) -> Cells {
    vec![name(it), json!(count(&it["spec"]["drivers"])), age(it, now)]
}

fn csi_driver(it: &Value, now: Timestamp) -> Cells {
    let spec = &it["spec"];
    let join = |field: &Value, of: fn(&Value) -> Option<&str>| {
        list(field).iter().filter_map(of).collect::<Vec<_>>().join(",")
    };
    let modes = join(&spec["volumeLifecycleModes"], Value::as_str);
    let audiences = join(&spec["tokenRequests"], |it| it["audience"].as_str());
    vec![
        name(it),
        json!(spec["attachRequired"] != false),
        json!(spec["podInfoOnMount"] == true),
        json!(spec["storageCapacity"] == true),
        json!(if spec["tokenRequests"].is_array() { &audiences } else { "<unset>" }),
        json!(spec["requiresRepublish"] == true),
        json!(if modes.is_empty() { "<none>" } else { &modes }),
        age(it, now),
    ]
}

fn csi_capacity(it: &Value, _now: Timestamp) -> Cells {
    vec![name(it), json!(text(&it["storageClassName"], "")), json!(int_or_string(&it["capacity"], "<unset>"))]
}
