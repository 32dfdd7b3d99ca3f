//! Volumes as directories, and mounts as links into them.
//!
//! Every pod has a directory (0700) with one directory per volume and one root per container; a mount at `/etc/x` is a
//! link at `ROOT/etc/x`. Files of ConfigMaps and Secrets follow their source. `hostPath` shows a directory that belongs
//! to the simulated node, never one of this machine; claims show the directory of the volume that they are bound to, the
//! same on every node. Other volume types are refused by name.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::env::{Source, divisor};
use super::fields::{self, PodFacts};
use crate::auth::{TokenAsk, TokenService};
use crate::controllers::objects::{join, list, name, namespace, number, text, uid};
use crate::controllers::store::Store;

/// The least life of a token that Kubernetes issues, and the default: 3607 s.
const TOKEN_LIFE: i64 = 3607;

/// What a mount that waits for the key of tokens fails with; it passes by itself.
pub(crate) const NO_TOKEN_YET: &str = "the key of service account tokens is still being made";

/// Files of a volume: relative path to content and mode.
type Files = BTreeMap<String, (Vec<u8>, u32)>;

/// The volumes of one pod.
#[derive(Debug)]
pub(crate) struct Volumes {
    /// The pod's directory.
    dir: PathBuf,
    /// The simulated node's file system.
    node_dir: PathBuf,
    tokens: BTreeMap<(String, String), IssuedToken>,
    /// Names of the persistent volumes behind claims, by the pod's name for them.
    claimed: BTreeMap<String, String>,
}

#[derive(Debug, Clone)]
struct IssuedToken {
    token: String,
    renew: Timestamp,
}

/// What materialising volumes needs to know.
#[derive(Clone, Copy)]
pub(crate) struct Sources<'a> {
    pub(crate) store: &'a Store,
    pub(crate) tokens: &'a TokenService,
    pub(crate) facts: PodFacts<'a>,
}

/// Why a volume cannot be mounted, in a real kubelet's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MountError {
    /// The volume.
    pub(crate) volume: String,
    /// What is wrong.
    pub(crate) message: String,
}

/// Makes a directory that only this user can read, with its parents.
pub(crate) fn private_dir(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// `base` with a relative or absolute path below it; `None` when that would lead out of it.
pub(crate) fn below(base: &Path, path: &str) -> Option<PathBuf> {
    let mut out = base.to_path_buf();
    for component in Path::new(path).components() {
        match component {
            Component::Normal(part) => out.push(part),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    Some(out)
}

impl Volumes {
    /// The volumes of a pod under `dir`, on the node whose files are under `node_dir`.
    pub(crate) fn new(dir: PathBuf, node_dir: PathBuf) -> Self {
        Self { dir, node_dir, tokens: BTreeMap::new(), claimed: BTreeMap::new() }
    }

    /// The pod's directory.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Brings all volumes of the pod up to date with their sources.
    pub(crate) fn refresh(&mut self, sources: Sources<'_>) -> Result<(), MountError> {
        for volume in list(sources.facts.pod, "/spec/volumes") {
            let fail = |message: String| MountError { volume: name_of(volume).to_owned(), message };
            let Some(files) = self.files(sources, volume).map_err(fail)? else { continue };
            let place = self.place(volume).map_err(fail)?;
            write_files(&place, &files).map_err(|error| fail(error.to_string()))?;
        }
        Ok(())
    }

    /// Where the content of a volume is.
    fn place(&self, volume: &Value) -> Result<PathBuf, String> {
        let host_path = text(volume, "/hostPath/path");
        let place = if let Some(claimed) = self.claimed.get(name_of(volume)) {
            // Beside the directories of all nodes, because they belong to none; no node has such a name.
            below(&self.node_dir.with_file_name(".volumes"), claimed)
        } else if host_path.is_empty() {
            below(&self.dir.join("volumes"), name_of(volume))
        } else {
            below(&self.node_dir, host_path)
        };
        place.ok_or_else(|| "a path that leads out of its volume is refused".to_owned())
    }

    /// The files that a volume must have; `None` when its content is the pod's own business.
    fn files(&mut self, sources: Sources<'_>, volume: &Value) -> Result<Option<Files>, String> {
        let field = volume_type(volume);
        let source = &volume[field];
        let mode = mode(source, "defaultMode", 0o644);
        match field {
            "emptyDir" | "hostPath" | "" => {
                private_dir(&self.place(volume)?).map_err(|error| error.to_string())?;
                Ok(None)
            }
            "persistentVolumeClaim" => {
                let volume_name = bound_volume(sources, text(source, "/claimName"))?;
                self.claimed.insert(name_of(volume).to_owned(), volume_name);
                private_dir(&self.place(volume)?).map_err(|error| error.to_string())?;
                Ok(None)
            }
            "configMap" => keyed(sources, Source::ConfigMap, source, text(source, "/name"), mode).map(Some),
            "secret" => keyed(sources, Source::Secret, source, text(source, "/secretName"), mode).map(Some),
            "downwardAPI" => downward(sources, source, mode).map(Some),
            "projected" => {
                let mut files = Files::new();
                for part in list(source, "/sources") {
                    files.extend(self.projection(sources, name_of(volume), part, mode)?);
                }
                Ok(Some(files))
            }
            other => Err(format!("volume type {other} is not modelled by kube-sim")),
        }
    }

    fn projection(
        &mut self,
        sources: Sources<'_>,
        volume: &str,
        part: &Value,
        mode: u32,
    ) -> Result<Files, String> {
        let field = part.as_object().and_then(|map| map.keys().next()).map_or("", String::as_str);
        let source = &part[field];
        match field {
            "configMap" => keyed(sources, Source::ConfigMap, source, text(source, "/name"), mode),
            "secret" => keyed(sources, Source::Secret, source, text(source, "/name"), mode),
            "downwardAPI" => downward(sources, source, mode),
            "serviceAccountToken" => {
                let path = text(source, "/path").to_owned();
                let token = self.token(sources, volume, &path, source)?;
                Ok(Files::from([(path, (token.into_bytes(), mode))]))
            }
            other => Err(format!("projected source {other} is not modelled by kube-sim")),
        }
    }

    fn token(
        &mut self,
        sources: Sources<'_>,
        volume: &str,
        path: &str,
        source: &Value,
    ) -> Result<String, String> {
        let place = (volume.to_owned(), path.to_owned());
        let wall = sources.store.clock().wall();
        if let Some(issued) = self.tokens.get(&place).filter(|issued| issued.renew > wall) {
            return Ok(issued.token.clone());
        }
        let pod = sources.facts.pod;
        let life = number(source, "/expirationSeconds").unwrap_or(TOKEN_LIFE).max(0);
        let account = text(pod, "/spec/serviceAccountName");
        let ask = TokenAsk {
            namespace: namespace(pod).to_owned(),
            account: if account.is_empty() { "default" } else { account }.to_owned(),
            audiences: Some(text(source, "/audience"))
                .filter(|one| !one.is_empty())
                .map(str::to_owned)
                .into_iter()
                .collect(),
            lifetime: Some(Duration::from_secs(life.unsigned_abs())),
            pod: Some((name(pod).to_owned(), uid(pod).to_owned())),
        };
        let issued = sources.tokens.issue_now(&ask);
        let (token, expires) = issued.map_err(|status| match status.code {
            503 => NO_TOKEN_YET.to_owned(),
            _ => format!("failed to fetch token: {status}"),
        })?;
        // A kubelet renews a token when four fifths of its life are over.
        let left = expires.duration_since(wall).as_secs();
        let renew = wall.checked_add(SignedDuration::from_secs(left / 5 * 4)).unwrap_or(expires);
        self.tokens.insert(place, IssuedToken { token: token.clone(), renew });
        Ok(token)
    }

    /// Makes the root of a container with its mounts, and returns it. What an earlier life left in it is gone.
    pub(crate) fn mount(
        &self,
        pod: &Value,
        container: &Value,
        expand: impl Fn(&str) -> String,
    ) -> Result<PathBuf, String> {
        let odd = || "a path that leads out of the container is refused".to_owned();
        let root = below(&self.dir.join("containers"), name_of(container)).ok_or_else(odd)?;
        let io = |error: io::Error| error.to_string();
        if root.exists() {
            std::fs::remove_dir_all(&root).map_err(io)?;
        }
        private_dir(&root).map_err(io)?;
        let mut mounts: Vec<_> = list(container, "/volumeMounts").iter().collect();
        mounts.sort_by_key(|mount| text(mount, "/mountPath").len());
        for mount in mounts {
            let wanted = text(mount, "/name");
            let volume = list(pod, "/spec/volumes").iter().find(|volume| name_of(volume) == wanted);
            let volume = volume.ok_or_else(|| format!("volume \"{wanted}\" is not in the pod"))?;
            let mut target = self.place(volume)?;
            let sub = match (text(mount, "/subPath"), text(mount, "/subPathExpr")) {
                ("", expression) => expand(expression),
                (path, _) => path.to_owned(),
            };
            if !sub.is_empty() {
                target = below(&target, &sub).ok_or_else(odd)?;
                if !target.exists() {
                    private_dir(&target).map_err(io)?;
                }
            }
            let link = below(&root, text(mount, "/mountPath")).ok_or_else(odd)?;
            if link == root {
                return Err("a mount at / is not modelled by kube-sim".to_owned());
            }
            if let Some(parent) = link.parent() {
                private_dir(parent).map_err(io)?;
            }
            if link.symlink_metadata().is_ok() {
                continue;
            }
            symlink(&target, &link).map_err(io)?;
        }
        Ok(root)
    }

    /// Removes everything the pod left.
    pub(crate) fn remove(&self) {
        if let Err(error) = std::fs::remove_dir_all(&self.dir)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, dir = %self.dir.display(), "a pod's directory could not be removed");
        }
    }
}

/// The name of the volume that a claim of the pod's namespace is bound to.
fn bound_volume(sources: Sources<'_>, claim: &str) -> Result<String, String> {
    let at = join(namespace(sources.facts.pod), claim);
    let found = sources.store.get(&sources.store.kinds().claims, &at);
    let found = found.ok_or_else(|| format!("persistentvolumeclaim \"{claim}\" not found"))?;
    match text(&found, "/spec/volumeName") {
        "" => Err(format!("persistentvolumeclaim \"{claim}\" is not bound")),
        volume => Ok(volume.to_owned()),
    }
}

fn name_of(object: &Value) -> &str {
    text(object, "/name")
}

/// The field that says what a volume is; `emptyDir` when there is none.
fn volume_type(volume: &Value) -> &str {
    let fields = volume.as_object().into_iter().flatten();
    let mut types = fields.filter(|(field, value)| *field != "name" && !value.is_null());
    types.next().map_or("", |(field, _)| field)
}

fn mode(source: &Value, field: &str, default: u32) -> u32 {
    source[field].as_u64().and_then(|mode| u32::try_from(mode).ok()).unwrap_or(default) & 0o777
}

fn keyed(
    sources: Sources<'_>,
    kind: Source,
    source: &Value,
    object: &str,
    mode: u32,
) -> Result<Files, String> {
    let optional = source["optional"].as_bool().unwrap_or_default();
    let mut data = kind.data(sources.store, namespace(sources.facts.pod), object, optional)?;
    let items = list(source, "/items");
    if items.is_empty() {
        return Ok(data.into_iter().map(|(key, value)| (key, (value, mode))).collect());
    }
    let mut files = Files::new();
    for item in items {
        let key = text(item, "/key");
        match data.remove(key) {
            Some(value) => {
                files.insert(text(item, "/path").to_owned(), (value, self::mode(item, "mode", mode)));
            }
            None if optional => {}
            None => {
                let word = if kind == Source::Secret { "secret" } else { "config" };
                return Err(format!("references non-existent {word} key: {key}"));
            }
        }
    }
    Ok(files)
}

fn downward(sources: Sources<'_>, source: &Value, mode: u32) -> Result<Files, String> {
    let mut files = Files::new();
    for item in list(source, "/items") {
        let value = if let Some(reference) = item.get("fieldRef") {
            fields::field(sources.facts, text(reference, "/fieldPath"))?
        } else {
            let reference = &item["resourceFieldRef"];
            let divisor = divisor(reference);
            let container = text(reference, "/containerName");
            fields::resource(sources.facts, container, text(reference, "/resource"), &divisor)?
        };
        files.insert(text(item, "/path").to_owned(), (value.into_bytes(), self::mode(item, "mode", mode)));
    }
    Ok(files)
}

/// Makes the directory hold exactly these files. A file is replaced as a whole, never seen half written.
fn write_files(place: &Path, files: &Files) -> io::Result<()> {
    private_dir(place)?;
    for entry in std::fs::read_dir(place)? {
        let entry = entry?;
        let known = entry.file_name();
        let known = known.to_string_lossy();
        let kept = files.keys().any(|path| path.split('/').find(|part| !part.is_empty()) == Some(&known));
        if !kept && entry.file_type()?.is_file() {
            std::fs::remove_file(entry.path())?;
        }
    }
    for (path, (content, mode)) in files {
        let odd =
            || io::Error::new(io::ErrorKind::InvalidInput, format!("path {path} leads out of its volume"));
        let file = below(place, path).filter(|file| file != place).ok_or_else(odd)?;
        if std::fs::read(&file).is_ok_and(|present| present == *content) {
            continue;
        }
        if let Some(parent) = file.parent() {
            private_dir(parent)?;
        }
        let fresh = file.with_extension("dryarc-new");
        std::fs::write(&fresh, content)?;
        std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(*mode))?;
        std::fs::rename(&fresh, &file)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out_of_its_base() {
        let base = Path::new("/base");
        assert_eq!(below(base, "/etc/x"), Some("/base/etc/x".into()));
        assert_eq!(below(base, "a/./b"), Some("/base/a/b".into()));
        assert_eq!(below(base, "../x"), None);
        assert_eq!(below(base, "a/../../x"), None);
    }

    #[test]
    fn files_follow_their_source() {
        let place = std::env::temp_dir().join(format!("kube-sim-files-{}", std::process::id()));
        let file = |text: &str| (text.as_bytes().to_vec(), 0o600);
        write_files(&place, &Files::from([("a".into(), file("1")), ("d/b".into(), file("2"))])).unwrap();
        write_files(&place, &Files::from([("d/b".into(), file("3"))])).unwrap();
        assert!(!place.join("a").exists());
        assert_eq!(std::fs::read_to_string(place.join("d/b")).unwrap(), "3");
        std::fs::remove_dir_all(&place).unwrap();
    }
}
