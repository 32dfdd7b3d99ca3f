//! Which form of the answer a client wants.

/// The form of an answer about objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// The objects.
    Plain,
    /// A `meta.k8s.io/v1 Table`.
    Table,
    /// Metadata only.
    Metadata,
}

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Syntax {
    Json,
    Yaml,
    /// Of objects and lists of built-in kinds; everything else is JSON then.
    Protobuf,
}

/// What was negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) form: Form,
    pub(crate) syntax: Syntax,
}

impl Accepted {
    pub(crate) const JSON: Self = Self { form: Form::Plain, syntax: Syntax::Json };
}

/// One media type of an `Accept` header with its parameters.
struct Media<'a> {
    name: &'a str,
    parameters: Vec<(&'a str, &'a str)>,
}

impl<'a> Media<'a> {
    fn parse(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        Self { name, parameters: parts.filter_map(|part| part.split_once('=')).collect() }
    }

    fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters.iter().find(|(own, _)| *own == name).map(|(_, value)| *value)
    }
}

/// The media types of a header, those that are preferred first.
fn medias(accept: &str) -> impl Iterator<Item = Media<'_>> {
    let weight = |media: &Media<'_>| {
        let stated = media.parameter("q").and_then(|text| text.parse::<f64>().ok());
        stated.unwrap_or(1.0).clamp(0.0, 1.0)
    };
    let mut all: Vec<Media<'_>> = accept.split(',').map(|text| Media::parse(text.trim())).collect();
    all.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
    all.into_iter()
}

/// The first form that this server can give; `None` when there is none. Custom resources have no `protobuf`.
pub(crate) fn accepted(accept: Option<&str>, protobuf: bool) -> Option<Accepted> {
    let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else {
        return Some(Accepted::JSON);
    };
    medias(accept).find_map(|media| {
        let syntax = match media.name {
            "application/json" | "application/*" | "*/*" => Syntax::Json,
            "application/yaml" => Syntax::Yaml,
            "application/vnd.kubernetes.protobuf" if protobuf && media.parameter("as").is_none() => {
                Syntax::Protobuf
            }
            _ => return None,
        };
        let form = match media.parameter("as") {
            None => Form::Plain,
            Some("Table") if media.parameter("v") == Some("v1") => Form::Table,
            Some("PartialObjectMetadata" | "PartialObjectMetadataList") => Form::Metadata,
            Some(_) => return None,
        };
        Some(Accepted { form, syntax })
    })
}

/// Whether any of the media types is one that this server knows, in whatever form.
pub(crate) fn known(accept: Option<&str>) -> bool {
    const KNOWN: [&str; 5] = [
        "application/json",
        "application/*",
        "*/*",
        "application/yaml",
        "application/vnd.kubernetes.protobuf",
    ];
    medias(accept.unwrap_or_default()).any(|media| KNOWN.contains(&media.name))
}

/// The version of aggregated discovery that is asked for before anything else, if one is.
pub(crate) fn aggregated_discovery(accept: Option<&str>) -> Option<&'static str> {
    for media in medias(accept.unwrap_or_default()) {
        match (media.name, media.parameter("as"), media.parameter("v")) {
            ("application/json", Some("APIGroupDiscoveryList"), Some("v2")) => return Some("v2"),
            ("application/json", Some("APIGroupDiscoveryList"), Some("v2beta1")) => return Some("v2beta1"),
            ("application/json" | "*/*", None, _) => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_form_that_can_be_given_wins() {
        let kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(accepted(Some(kubectl), true).unwrap().form, Form::Table);
        let typed = "application/vnd.kubernetes.protobuf,application/json";
        assert_eq!(accepted(Some(typed), true).unwrap().syntax, Syntax::Protobuf);
        assert_eq!(accepted(Some(typed), false), Some(Accepted::JSON));
        assert_eq!(accepted(Some("application/vnd.kubernetes.protobuf"), false), None);
        assert_eq!(accepted(None, false), Some(Accepted::JSON));
        let discovery =
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
        assert_eq!(aggregated_discovery(Some(discovery)), Some("v2"));
        assert_eq!(aggregated_discovery(Some("application/json")), None);
    }
}
