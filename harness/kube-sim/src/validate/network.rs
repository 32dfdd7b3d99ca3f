//! Ingresses, their classes, network policies and endpoint slices.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::errors::{Errors, items, text};
use super::{meta, names, pods};

const ADDRESS: &str = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
const NETWORK: &str = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

pub(super) fn check(kind: &str, it: &Value, errors: &mut Errors) {
    match kind {
        "Ingress" => ingress(&it["spec"], errors),
        "IngressClass" => class(&it["spec"], errors),
        "NetworkPolicy" => policy(&it["spec"], errors),
        "EndpointSlice" => slice(it, errors),
        _ => {}
    }
}

fn ingress(spec: &Value, errors: &mut Errors) {
    let rules = items(spec, "spec", "rules");
    if rules.is_empty() && spec["defaultBackend"].is_null() {
        let why = "either `defaultBackend` or `rules` must be specified";
        errors.invalid("spec", &spec["rules"], why);
    }
    if spec["defaultBackend"].is_object() {
        backend(&spec["defaultBackend"], "spec.defaultBackend", errors);
    }
    for (path, rule) in rules {
        host(text(rule, "host"), &format!("{path}.host"), errors);
        for (path, one) in items(&rule["http"], &format!("{path}.http"), "paths") {
            http_path(one, &path, errors);
        }
    }
    for (path, tls) in items(spec, "spec", "tls") {
        for (path, host) in items(tls, &path, "hosts") {
            let host = host.as_str().unwrap_or_default();
            let name = host.strip_prefix("*.").unwrap_or(host);
            errors.invalid_text(&path, host, names::dns_subdomain(name));
        }
    }
    let class = text(spec, "ingressClassName");
    if !class.is_empty() {
        errors.invalid_text("spec.ingressClassName", class, names::dns_subdomain(class));
    }
}

fn host(host: &str, path: &str, errors: &mut Errors) {
    if host.is_empty() {
        return;
    }
    if host.parse::<IpAddr>().is_ok() {
        errors.invalid(path, &json!(host), "must be a DNS name, not an IP address");
        return;
    }
    let name = host.strip_prefix("*.").unwrap_or(host);
    let reasons = names::dns_subdomain(name);
    if !reasons.is_empty() {
        errors.invalid_text(path, host, reasons);
    }
}

fn http_path(one: &Value, path: &str, errors: &mut Errors) {
    let stated = text(one, "path");
    match text(one, "pathType") {
        "" => errors.required(format!("{path}.pathType"), "pathType must be specified"),
        "Exact" | "Prefix" if !stated.starts_with('/') => {
            errors.invalid(format!("{path}.path"), &json!(stated), "must be an absolute path");
        }
        "ImplementationSpecific" if !stated.is_empty() && !stated.starts_with('/') => {
            errors.invalid(format!("{path}.path"), &json!(stated), "must be an absolute path");
        }
        "Exact" | "Prefix" | "ImplementationSpecific" => {}
        _ => errors.not_supported(
            format!("{path}.pathType"),
            &one["pathType"],
            &["Exact", "ImplementationSpecific", "Prefix"],
        ),
    }
    backend(&one["backend"], &format!("{path}.backend"), errors);
}

fn backend(it: &Value, path: &str, errors: &mut Errors) {
    let (service, resource) = (&it["service"], &it["resource"]);
    match (service.is_object(), resource.is_object()) {
        (true, true) => errors.invalid(path, &json!(""), "cannot set both resource and service backends"),
        (false, false) => errors.invalid(path, &json!(""), "resource or service backend is required"),
        (false, true) => {}
        (true, false) => {
            let name = text(service, "name");
            let at = format!("{path}.service.name");
            if name.is_empty() {
                errors.required(at, "");
            } else {
                errors.invalid_text(&at, name, names::dns_1035(name));
            }
            let (named, number) =
                (text(&service["port"], "name"), service["port"]["number"].as_i64().unwrap_or(0));
            match (named.is_empty(), number == 0) {
                (false, false) => errors.invalid(path, &json!(""), "cannot set both port name & port number"),
                (true, true) => errors.required(path, "port name or number is required"),
                (false, true) => {
                    errors.invalid_text(&format!("{path}.service.port.name"), named, names::port_name(named));
                }
                (true, false) => {
                    for why in names::port(number) {
                        errors.invalid(format!("{path}.service.port.number"), &json!(number), &why);
                    }
                }
            }
        }
    }
}

fn class(spec: &Value, errors: &mut Errors) {
    let controller = text(spec, "controller");
    let good = controller
        .split_once('/')
        .is_some_and(|(domain, rest)| names::dns_subdomain(domain).is_empty() && !rest.is_empty());
    if !controller.is_empty() && !good {
        let why = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        errors.invalid("spec.controller", &spec["controller"], why);
    }
}

fn policy(spec: &Value, errors: &mut Errors) {
    meta::selector(&spec["podSelector"], "spec.podSelector", errors);
    for (rules, peers) in [("ingress", "from"), ("egress", "to")] {
        for (path, rule) in items(spec, "spec", rules) {
            for (path, port) in items(rule, &path, "ports") {
                if !port["port"].is_null() {
                    pods::port_or_name(&port["port"], &format!("{path}.port"), errors);
                }
            }
            for (path, one) in items(rule, &path, peers) {
                peer(one, &path, errors);
            }
        }
    }
    let kinds = items(spec, "spec", "policyTypes");
    if kinds.len() > 2 {
        let why = "may not specify more than two policyTypes";
        return errors.invalid("spec.policyTypes", &spec["policyTypes"], why);
    }
    for (path, one) in kinds {
        if !matches!(one.as_str(), Some("Ingress" | "Egress")) {
            errors.not_supported(path, one, &["Ingress", "Egress"]);
        }
    }
}

fn peer(it: &Value, path: &str, errors: &mut Errors) {
    let given = |field: &str| it[field].is_object();
    for field in ["podSelector", "namespaceSelector"].into_iter().filter(|field| given(field)) {
        meta::selector(&it[field], &format!("{path}.{field}"), errors);
    }
    match (given("podSelector") || given("namespaceSelector"), given("ipBlock")) {
        (false, false) => errors.required(path, "must specify a peer"),
        (true, true) => errors.forbidden(path, "may not specify both ipBlock and another peer"),
        (_, true) => block(&it["ipBlock"], &format!("{path}.ipBlock"), errors),
        _ => {}
    }
}

/// First address and length of a network.
fn network(text: &str) -> Option<(u128, u32, bool)> {
    let (address, length) = text.split_once('/')?;
    let length: u32 = length.parse().ok()?;
    match address.parse().ok()? {
        IpAddr::V4(four) => (length <= 32).then(|| (u128::from(four.to_bits()) << 96, length, true)),
        IpAddr::V6(six) => (length <= 128).then(|| (six.to_bits(), length, false)),
    }
}

fn block(it: &Value, path: &str, errors: &mut Errors) {
    let stated = text(it, "cidr");
    let Some((base, length, four)) = network(stated) else {
        errors.invalid(format!("{path}.cidr"), &json!(stated), NETWORK);
        return;
    };
    let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
    for (path, one) in items(it, path, "except") {
        match network(one.as_str().unwrap_or_default()) {
            None => errors.invalid(path, one, NETWORK),
            Some((inner, inner_length, kind)) => {
                if kind != four || inner & mask != base & mask || inner_length <= length {
                    errors.invalid(path, one, "must be a strict subset of `cidr`");
                }
            }
        }
    }
}

fn slice(it: &Value, errors: &mut Errors) {
    let kind = text(it, "addressType");
    if kind.is_empty() {
        errors.required("addressType", "");
    } else if !["IPv4", "IPv6", "FQDN"].contains(&kind) {
        errors.not_supported("addressType", &it["addressType"], &["FQDN", "IPv4", "IPv6"]);
    }
    for (path, endpoint) in items(it, "", "endpoints") {
        for (path, address) in items(endpoint, &path[1..], "addresses") {
            if kind != "FQDN" && address.as_str().unwrap_or_default().parse::<IpAddr>().is_err() {
                errors.invalid(path, address, ADDRESS);
            }
        }
    }
}
