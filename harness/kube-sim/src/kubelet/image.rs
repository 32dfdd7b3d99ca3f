//! Image names, and whether a node has an image.

use aws_lc_rs::digest::{SHA256, digest as hash};

/// The name with registry, repository and tag spelled out, as the container runtime keeps it.
pub(crate) fn normalised(image: &str) -> String {
    let (first, rest) = image.split_once('/').unwrap_or(("", image));
    let has_registry = first.contains(['.', ':']) || first == "localhost";
    let full = match (has_registry, rest.contains('/') || !first.is_empty()) {
        (true, _) => image.to_owned(),
        (false, true) => format!("docker.io/{image}"),
        (false, false) => format!("docker.io/library/{image}"),
    };
    let last = full.rsplit('/').next().unwrap_or_default();
    if last.contains([':', '@']) { full } else { format!("{full}:latest") }
}

/// `repository@sha256:…`. There are no real layers to hash, so the digest is made from the name: equal names have
/// equal digests.
pub(crate) fn digest(image: &str) -> String {
    let full = normalised(image);
    if full.contains("@sha256:") {
        return full;
    }
    let repository = match full.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => &full,
    };
    format!("{repository}@sha256:{}", hex(hash(&SHA256, full.as_bytes()).as_ref()))
}

/// Whether the image is to be pulled before each start although the node has it.
pub(crate) fn always_pulled(image: &str, policy: &str) -> bool {
    match policy {
        "Always" => true,
        "" => !image.contains('@') && normalised(image).ends_with(":latest"),
        _ => false,
    }
}

/// Whether a container runtime could read this name: repositories are in lower case, registries and tags need not be.
pub(crate) fn is_valid(image: &str) -> bool {
    let letter = |c: char| c.is_ascii_alphanumeric() || "./:@_-".contains(c);
    let (first, rest) = image.split_once('/').unwrap_or(("", image));
    let registry =
        first.contains(['.', ':']) || first == "localhost" || first.chars().any(char::is_uppercase);
    let path = if registry { rest } else { image };
    let path = path.split('@').next().unwrap_or_default();
    let (folders, last) = path.rsplit_once('/').unwrap_or(("", path));
    let title = last.split(':').next().unwrap_or_default();
    let lower = |part: &str| !part.chars().any(char::is_uppercase);
    image.chars().all(letter)
        && image.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !title.is_empty()
        && lower(folders)
        && lower(title)
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelled_out_as_the_runtime_does() {
        let cases = [
            ("nginx", "docker.io/library/nginx:latest"),
            ("bitnami/redis:7", "docker.io/bitnami/redis:7"),
            ("mcr.microsoft.com/a/b:1.0", "mcr.microsoft.com/a/b:1.0"),
            ("localhost:5000/x", "localhost:5000/x:latest"),
        ];
        for (image, full) in cases {
            assert_eq!(normalised(image), full);
        }
        assert!(digest("localhost:5000/x").starts_with("localhost:5000/x@sha256:"));
        assert!(always_pulled("nginx", "") && !always_pulled("nginx:1.27", ""));
        for good in ["nginx", "Registry.example/a/b:V1", "localhost:5000/x@sha256:AB", "a/b:Tag"] {
            assert!(is_valid(good), "{good}");
        }
        for bad in ["Bad Image", "Nginx", "Not/Valid", "a/", ""] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
