//! Whether the cluster is as it should be.

use serde_json::Value;

use super::super::expect::ClusterCheck;
use super::fields;
use super::reference::Reference;
use super::theatre::Theatre;

const PODS: &str = "/api/v1/namespaces/azure-arc/pods";
const EVENTS: &str = "/api/v1/namespaces/azure-arc/events";

/// What is not as it should be.
pub(super) async fn unmet(theatre: &Theatre, checks: &[ClusterCheck]) -> Vec<String> {
    let mut unmet = Vec::new();
    for check in checks {
        let found = match check {
            ClusterCheck { object: Some(object), .. } => of_object(theatre, object, check).await,
            ClusterCheck { pod: Some(pod), .. } => of_pods(theatre, pod, check).await,
            ClusterCheck { event: Some(event), .. } => of_event(theatre, event, check).await,
            _ => Ok(Vec::new()),
        };
        match found {
            Ok(found) => unmet.extend(found),
            Err(reason) => unmet.push(reason),
        }
    }
    unmet
}

async fn of_object(theatre: &Theatre, text: &str, check: &ClusterCheck) -> Result<Vec<String>, String> {
    let found = theatre.cluster.find_object(&Reference::parse(text)?.object()).await;
    Ok(match (found.map_err(|error| format!("{text} cannot be read: {error}"))?, check.absent) {
        (None, true) => Vec::new(),
        (None, false) => vec![format!("{text} does not exist")],
        (Some(_), true) => vec![format!("{text} exists")],
        (Some(object), false) => fields::unmet(text, &object, &check.is),
    })
}

/// A row of `kubectl get pods`.
struct Row {
    name: String,
    ready: String,
    status: String,
}

async fn of_pods(theatre: &Theatre, wanted: &str, check: &ClusterCheck) -> Result<Vec<String>, String> {
    let rows: Vec<Row> = rows(theatre)
        .await?
        .into_iter()
        .filter(|row| row.name.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('-')))
        .collect();
    if check.absent {
        return Ok(rows.iter().map(|row| format!("pod {} exists", row.name)).collect());
    }
    if rows.is_empty() {
        return Ok(vec![format!("there is no pod of {wanted}")]);
    }
    let mut unmet = Vec::new();
    for row in &rows {
        let pairs = [("STATUS", &check.status, &row.status), ("READY", &check.ready, &row.ready)];
        for (column, wanted, found) in pairs {
            if let Some(wanted) = wanted.as_ref().filter(|wanted| *wanted != found) {
                unmet.push(format!("{column} of pod {} is {found}, not {wanted}", row.name));
            }
        }
        if !check.log.0.is_empty() {
            let log = log(theatre, &row.name, check.container.as_deref()).await?;
            let missing = check.log.0.iter().filter(|text| !log.contains(text.as_str()));
            let shown = || log.lines().rev().take(5).collect::<Vec<_>>().join("\n");
            unmet.extend(
                missing.map(|text| format!("the log of pod {} has no '{text}':\n{}", row.name, shown())),
            );
        }
    }
    Ok(unmet)
}

async fn rows(theatre: &Theatre) -> Result<Vec<Row>, String> {
    let table = theatre.cluster.table(PODS).await;
    let table = table.map_err(|error| format!("the agents' pods cannot be listed: {error}"))?;
    let columns: Vec<&str> = table["columnDefinitions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|column| column["name"].as_str())
        .collect();
    let row = |row: &Value| {
        let cell = |name: &str| {
            let index = columns.iter().position(|column| *column == name);
            let cell = index.and_then(|index| row["cells"].get(index)).and_then(Value::as_str);
            cell.unwrap_or_default().to_owned()
        };
        Row { name: cell("Name"), ready: cell("Ready"), status: cell("Status") }
    };
    Ok(table["rows"].as_array().into_iter().flatten().map(row).collect())
}

/// The log of one container, or of the first.
async fn log(theatre: &Theatre, pod: &str, container: Option<&str>) -> Result<String, String> {
    let container = match container {
        Some(container) => container.to_owned(),
        None => {
            let found = theatre.cluster.get(&format!("{PODS}/{pod}")).await;
            let found = found.map_err(|error| format!("pod {pod} cannot be read: {error}"))?;
            found["spec"]["containers"][0]["name"].as_str().unwrap_or_default().to_owned()
        }
    };
    let log = theatre.cluster.text(&format!("{PODS}/{pod}/log?container={container}")).await;
    log.map_err(|error| format!("the log of pod {pod} cannot be read: {error}"))
}

async fn of_event(theatre: &Theatre, reason: &str, check: &ClusterCheck) -> Result<Vec<String>, String> {
    let list = theatre.cluster.get(EVENTS).await;
    let list = list.map_err(|error| format!("events cannot be listed: {error}"))?;
    let messages: Vec<&str> = list["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|event| event["reason"] == reason)
        .filter_map(|event| event["message"].as_str())
        .collect();
    let told = |message: &&&str| check.text.0.iter().all(|text| message.contains(text.as_str()));
    let found = messages.iter().find(told);
    Ok(match (found, check.absent) {
        (Some(_), false) | (None, true) => Vec::new(),
        (Some(message), true) => vec![format!("there is an event {reason}: {message}")],
        (None, false) => {
            vec![format!("no event {reason} says {:?}, but: {}", check.text.0, messages.join(" | "))]
        }
    })
}
