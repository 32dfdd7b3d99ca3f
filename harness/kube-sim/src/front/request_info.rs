//! What a request is about, read off its method and path.

use std::borrow::Cow;

use http::Method;
use percent_encoding::percent_decode_str;

use crate::auth::Attributes;

/// What a request is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RequestInfo {
    /// `get`, `list`, `watch`, `create`, … or the method in lower case for paths without a resource.
    pub(crate) verb: String,
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) resource: String,
    pub(crate) subresource: String,
    /// What follows the subresource: `proxy/a/b`.
    pub(crate) rest: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The decoded path.
    pub(crate) path: String,
    /// Whether the path names a resource.
    pub(crate) is_resource: bool,
    /// Whether the path is one of those that were for watching, before there was a parameter for it.
    pub(crate) old_watch: bool,
}

/// The parameters of a query, decoded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let decode =
            |part: &str| percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned();
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(name), decode(value))
                })
                .collect(),
        )
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// True unless the parameter is absent, `0` or `false` in any case: the API server's own reading, and the Python
    /// client's `True` counts.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !value.eq_ignore_ascii_case("false") && value != "0")
    }
}

impl RequestInfo {
    pub(crate) fn parse(method: &Method, path: &str, query: &Query) -> Self {
        let path: Cow<'_, str> = percent_decode_str(path).decode_utf8_lossy();
        let steps: Vec<&str> = path.split('/').filter(|step| !step.is_empty()).collect();
        let mut info =
            Self { verb: method.as_str().to_lowercase(), path: path.to_string(), ..Self::default() };
        let rest = match steps.as_slice() {
            ["api", version, rest @ ..] if !rest.is_empty() => {
                info.version = (*version).to_owned();
                rest
            }
            ["apis", group, version, rest @ ..] if !rest.is_empty() => {
                info.group = (*group).to_owned();
                info.version = (*version).to_owned();
                rest
            }
            _ => return info,
        };
        info.is_resource = true;
        info.read_resource(rest);
        info.verb = info.resource_verb(method, query);
        info
    }

    fn read_resource(&mut self, mut rest: &[&str]) {
        if let ["watch", tail @ ..] = rest
            && !tail.is_empty()
        {
            rest = tail;
            self.old_watch = true;
        }
        if let ["namespaces", namespace, tail @ ..] = rest {
            self.namespace = (*namespace).to_owned();
            if !tail.is_empty() && !matches!(tail.first(), Some(&("status" | "finalize"))) {
                rest = tail;
            }
        }
        let step = |index: usize| rest.get(index).map(|step| (*step).to_owned()).unwrap_or_default();
        (self.resource, self.name, self.subresource) = (step(0), step(1), step(2));
        self.rest = rest.get(3..).unwrap_or_default().join("/");
    }

    fn resource_verb(&self, method: &Method, query: &Query) -> String {
        let named = !self.name.is_empty();
        let verb = match method.as_str() {
            "GET" | "HEAD" if self.old_watch => "watch",
            "GET" | "HEAD" if named => "get",
            "GET" | "HEAD" if query.flag("watch") && self.subresource.is_empty() => "watch",
            "GET" | "HEAD" => "list",
            "POST" => "create",
            "PUT" => "update",
            "PATCH" => "patch",
            "DELETE" if named => "delete",
            "DELETE" => "deletecollection",
            other => return other.to_lowercase(),
        };
        verb.to_owned()
    }

    /// The namespace, if the request names one.
    pub(crate) fn namespace(&self) -> Option<&str> {
        Some(self.namespace.as_str()).filter(|namespace| !namespace.is_empty())
    }

    /// What authorization is asked.
    pub(crate) fn attributes(&self) -> Attributes<'_> {
        Attributes {
            verb: &self.verb,
            group: &self.group,
            resource: &self.resource,
            subresource: &self.subresource,
            name: &self.name,
            namespace: &self.namespace,
            path: (!self.is_resource).then_some(self.path.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(method: &str, path: &str, query: &str) -> RequestInfo {
        RequestInfo::parse(&method.parse().unwrap(), path, &Query::parse(query))
    }

    #[test]
    fn paths_are_read_as_the_real_server_reads_them() {
        let info = parse("GET", "/api/v1/namespaces/a/pods/b/log", "follow=true");
        assert_eq!((info.namespace.as_str(), info.resource.as_str(), info.name.as_str()), ("a", "pods", "b"));
        assert_eq!((info.subresource.as_str(), info.verb.as_str()), ("log", "get"));
        let info = parse("GET", "/api/v1/namespaces/a", "");
        assert_eq!(
            (info.resource.as_str(), info.name.as_str(), info.namespace.as_str()),
            ("namespaces", "a", "a")
        );
        let info = parse("PUT", "/api/v1/namespaces/a/finalize", "");
        assert_eq!((info.resource.as_str(), info.subresource.as_str()), ("namespaces", "finalize"));
        let info = parse("GET", "/apis/apps/v1/deployments", "watch=1&labelSelector=a%3Db");
        assert_eq!((info.verb.as_str(), info.group.as_str()), ("watch", "apps"));
        let info = parse("DELETE", "/apis/apps/v1/namespaces/x/deployments", "");
        assert_eq!(info.verb, "deletecollection");
        let info = parse("GET", "/apis/apps/v1", "");
        assert!(!info.is_resource && info.attributes().path == Some("/apis/apps/v1"));
    }
}
