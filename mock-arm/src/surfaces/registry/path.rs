//! The paths of a registry.

/// What a path of a registry stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint<'a> {
    /// `/v2/`: whether this is a registry.
    Root,
    /// `/v2/_catalog`.
    Catalog,
    /// `/v2/NAME/tags/list`.
    Tags { name: &'a str },
    /// `/v2/NAME/manifests/REFERENCE`.
    Manifest { name: &'a str, reference: &'a str },
    /// `/v2/NAME/blobs/DIGEST`.
    Blob { name: &'a str, digest: &'a str },
}

impl<'a> Endpoint<'a> {
    /// Reads a path. Names may hold slashes, and even a component `v2`, so it is read from its end.
    pub(super) fn parse(path: &'a str) -> Option<Self> {
        let below = path.strip_prefix("/v2")?;
        if below.is_empty() || below == "/" {
            return Some(Self::Root);
        }
        let below = below.strip_prefix('/')?;
        if below == "_catalog" {
            return Some(Self::Catalog);
        }
        if let Some(name) = below.strip_suffix("/tags/list") {
            return is_name(name).then_some(Self::Tags { name });
        }
        let (rest, last) = below.rsplit_once('/')?;
        let (name, kind) = rest.rsplit_once('/')?;
        if !is_name(name) || last.is_empty() {
            return None;
        }
        match kind {
            "manifests" => Some(Self::Manifest { name, reference: last }),
            "blobs" => Some(Self::Blob { name, digest: last }),
            _ => None,
        }
    }
}

/// Whether this can be the name of a repository (OCI distribution specification).
fn is_name(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-');
    name.split('/').all(|part| {
        part.chars().all(letter)
            && part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.ends_with(|c: char| c.is_ascii_alphanumeric())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_a_component_v2() {
        let name = "azurearck8s/batch1/stable/v2/azure-arc-k8sagents";
        let path = format!("/v2/{name}/manifests/1.37.2");
        assert_eq!(Endpoint::parse(&path), Some(Endpoint::Manifest { name, reference: "1.37.2" }));
        let path = format!("/v2/{name}/blobs/sha256:00");
        assert_eq!(Endpoint::parse(&path), Some(Endpoint::Blob { name, digest: "sha256:00" }));
        let path = format!("/v2/{name}/tags/list");
        assert_eq!(Endpoint::parse(&path), Some(Endpoint::Tags { name }));
        assert_eq!(Endpoint::parse("/v2/"), Some(Endpoint::Root));
        assert_eq!(Endpoint::parse("/v2/_catalog"), Some(Endpoint::Catalog));
        for bad in [
            "/v2/x",
            "/v2//manifests/1",
            "/v2/Big/manifests/1",
            "/v2/x/manifests/",
            "/v20/x",
            "/v2/x/uploads/1",
        ] {
            assert_eq!(Endpoint::parse(bad), None, "{bad}");
        }
    }
}
