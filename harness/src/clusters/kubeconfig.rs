//! One context of the user's kubeconfig files, alone and complete.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{ClusterError, Trouble};
use crate::client_env::OuterEnv;

/// Files that a kubeconfig may name, by the key of the same content inline.
const FILES: [(&str, &str); 3] = [
    ("certificate-authority", "certificate-authority-data"),
    ("client-certificate", "client-certificate-data"),
    ("client-key", "client-key-data"),
];

/// The text of a kubeconfig with this context only, which is its current one. Certificates and keys in files are taken in, because
/// clients of a world have another home folder.
///
/// # Errors
/// [`Trouble::Missing`] when no file has that context; [`Trouble::Unusable`] when a file cannot be read.
pub fn of_context(outer: &OuterEnv, context: &str) -> Result<String, ClusterError> {
    let files = files(outer);
    let mut read = Vec::new();
    for file in files.iter().filter(|file| file.exists()) {
        read.push((file.clone(), parse(file)?));
    }
    let lists = |list: &str| -> Vec<(&Path, &Value)> {
        read.iter()
            .flat_map(|(file, config)| {
                config[list].as_array().into_iter().flatten().map(|entry| (file.as_path(), entry))
            })
            .collect()
    };
    let find = |list: &str, name: &str| {
        lists(list)
            .into_iter()
            .find(|(_, entry)| entry["name"] == name)
            .map(|(file, entry)| (file, entry.clone()))
    };
    let Some((_, entry)) = find("contexts", context) else {
        let known: Vec<&str> =
            lists("contexts").iter().filter_map(|(_, entry)| entry["name"].as_str()).collect();
        let what = format!("no context is named '{context}'");
        let next = match known.as_slice() {
            [] => "set KUBECONFIG to the file that has it".to_owned(),
            known => format!("choose one of these: {}", known.join(", ")),
        };
        return Err(ClusterError::new(Trouble::Missing, what, next));
    };
    let part = |list: &str, key: &str| -> Result<Value, ClusterError> {
        let name = entry["context"][key].as_str().unwrap_or_default();
        let (file, found) = find(list, name).ok_or_else(|| {
            let what = format!("context '{context}' speaks of '{name}', which is not in {list}");
            ClusterError::new(Trouble::Unusable, what, "mend the kubeconfig: kubectl config view")
        })?;
        inlined(found, key, file)
    };
    let (cluster, user) = (part("clusters", "cluster")?, part("users", "user")?);
    Ok(json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context,
        "contexts": [entry],
        "clusters": [cluster],
        "users": [user],
    })
    .to_string())
}

/// The API server of the current context's cluster.
#[must_use]
pub(super) fn server(text: &str) -> String {
    let config: Value = serde_saphyr::from_str(text).unwrap_or_default();
    config.pointer("/clusters/0/cluster/server").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// `KUBECONFIG`, else the file in the home folder.
fn files(outer: &OuterEnv) -> Vec<PathBuf> {
    match outer.get("KUBECONFIG") {
        Some(list) => std::env::split_paths(list).filter(|path| !path.as_os_str().is_empty()).collect(),
        None => outer.get("HOME").map(|home| Path::new(home).join(".kube/config")).into_iter().collect(),
    }
}

fn parse(file: &Path) -> Result<Value, ClusterError> {
    let unusable = |reason: String| {
        let what = format!("the kubeconfig {} cannot be read: {reason}", file.display());
        ClusterError::new(Trouble::Unusable, what, "mend it, or set KUBECONFIG to another one")
    };
    let text = std::fs::read_to_string(file).map_err(|error| unusable(error.to_string()))?;
    serde_saphyr::from_str(&text).map_err(|error| unusable(error.to_string()))
}

fn inlined(mut entry: Value, key: &str, file: &Path) -> Result<Value, ClusterError> {
    let Some(content) = entry.get_mut(key).and_then(Value::as_object_mut) else { return Ok(entry) };
    for (name, data) in FILES {
        let Some(path) = content.get(name).and_then(Value::as_str) else { continue };
        let path = file.parent().unwrap_or(Path::new("/")).join(path);
        let bytes = std::fs::read(&path).map_err(|error| {
            let what = format!("{name} {} cannot be read: {error}", path.display());
            ClusterError::new(Trouble::Unusable, what, "mend the kubeconfig, or choose another context")
        })?;
        content.insert(data.into(), STANDARD.encode(bytes).into());
        content.shift_remove(name);
    }
    Ok(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outer(files: &[&Path]) -> OuterEnv {
        let list = std::env::join_paths(files).unwrap().into_string().unwrap();
        OuterEnv::new([("KUBECONFIG".to_owned(), list)])
    }

    #[test]
    fn a_context_is_found_in_any_file_and_carries_its_certificates_along() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.crt"), "CA").unwrap();
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        std::fs::write(&one, "contexts: [{name: other, context: {cluster: x, user: x}}]\n").unwrap();
        std::fs::write(
            &two,
            "contexts: [{name: mine, context: {cluster: c, user: u, namespace: team}}]\n\
             clusters: [{name: c, cluster: {server: 'https://10.0.0.1:6443', certificate-authority: ca.crt}}]\n\
             users: [{name: u, user: {token: t}}]\n",
        )
        .unwrap();
        let env = outer(&[&one, &two, &folder.path().join("absent")]);
        let text = of_context(&env, "mine").unwrap();
        let config: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(config["clusters"][0]["cluster"]["certificate-authority-data"], "Q0E=");
        assert_eq!(config["contexts"][0]["context"]["namespace"], "team");
        assert_eq!(server(&text), "https://10.0.0.1:6443");
        let error = of_context(&env, "nobody").unwrap_err();
        assert_eq!(error.next, "choose one of these: other, mine");
        assert!(of_context(&env, "other").unwrap_err().what.contains("'x'"));
    }
}
