//! Services and what is around them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::texts::{at_most_three, labels, selector_or_none};
use super::{Cells, Print, age, list, name, number, text};

pub(super) fn layout(kind: &str) -> Option<(&'static str, Print)> {
    Some(match kind {
        "Service" => ("Name@,Type,Cluster-IP,External-IP,Port(s),Age,Selector*", service),
        "Endpoints" => ("Name@,Endpoints,Age", endpoints),
        "EndpointSlice" => ("Name@,AddressType,Ports,Endpoints,Age", slice),
        "Ingress" => ("Name@,Class,Hosts,Address,Ports,Age", ingress),
        "IngressClass" => ("Name@,Controller,Parameters,Age", ingress_class),
        "NetworkPolicy" => ("Name@,Pod-Selector,Age", network_policy),
        "ServiceCIDR" => ("Name@,CIDRs,Age", service_cidr),
        "IPAddress" => ("Name@,ParentRef", ip_address),
        _ => return None,
    })
}

fn strings(value: &Value) -> Vec<String> {
    list(value).iter().filter_map(|it| it.as_str().map(ToOwned::to_owned)).collect()
}

/// Addresses of a load balancer, sorted.
fn balancer(status: &Value) -> Vec<String> {
    let ingress = list(&status["loadBalancer"]["ingress"]);
    let mut all: Vec<String> =
        ingress.iter().map(|it| text(&it["ip"], text(&it["hostname"], "")).to_owned()).collect();
    all.retain(|address| !address.is_empty());
    all.sort();
    all.dedup();
    all
}

fn external_ip(it: &Value) -> String {
    let external = strings(&it["spec"]["externalIPs"]);
    let shown = match it["spec"]["type"].as_str() {
        Some("ClusterIP" | "NodePort") => external,
        Some("LoadBalancer") => {
            let all = [balancer(&it["status"]), external].concat();
            return if all.is_empty() { "<pending>".into() } else { all.join(",") };
        }
        Some("ExternalName") => return text(&it["spec"]["externalName"], "").to_owned(),
        _ => return "<unknown>".into(),
    };
    if shown.is_empty() { "<none>".into() } else { shown.join(",") }
}

fn ports(it: &Value) -> String {
    let one = |port: &Value| {
        let (number_, protocol) = (number(&port["port"]), text(&port["protocol"], "TCP"));
        match number(&port["nodePort"]) {
            0 => format!("{number_}/{protocol}"),
            node => format!("{number_}:{node}/{protocol}"),
        }
    };
    let all: Vec<String> = list(&it["spec"]["ports"]).iter().map(one).collect();
    if all.is_empty() { "<none>".into() } else { all.join(",") }
}

fn service(it: &Value, now: Timestamp) -> Cells {
    vec![
        name(it),
        json!(text(&it["spec"]["type"], "")),
        json!(text(&it["spec"]["clusterIPs"][0], text(&it["spec"]["clusterIP"], "<none>"))),
        json!(external_ip(it)),
        json!(ports(it)),
        age(it, now),
        json!(labels(&it["spec"]["selector"])),
    ]
}

fn endpoints(it: &Value, now: Timestamp) -> Cells {
    let mut all = Vec::new();
    for subset in list(&it["subsets"]) {
        let addresses = || list(&subset["addresses"]).iter().map(|one| text(&one["ip"], "").to_owned());
        let ports = list(&subset["ports"]);
        if ports.is_empty() {
            all.extend(addresses());
        }
        for port in ports {
            let port = number(&port["port"]);
            all.extend(
                addresses().map(|ip| {
                    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
                }),
            );
        }
    }
    vec![name(it), json!(at_most_three(&all, "<none>")), age(it, now)]
}

fn slice(it: &Value, now: Timestamp) -> Cells {
    let port = |port: &Value| match port["port"].as_i64() {
        Some(number) => number.to_string(),
        None => port["name"].as_str().unwrap_or("*").to_owned(),
    };
    let ports: Vec<String> = list(&it["ports"]).iter().map(port).collect();
    let addresses: Vec<String> =
        list(&it["endpoints"]).iter().flat_map(|one| strings(&one["addresses"])).collect();
    vec![
        name(it),
        json!(text(&it["addressType"], "")),
        json!(at_most_three(&ports, "<unset>")),
        json!(at_most_three(&addresses, "<unset>")),
        age(it, now),
    ]
}

fn ingress(it: &Value, now: Timestamp) -> Cells {
    let rules = list(&it["spec"]["rules"]);
    let hosts: Vec<String> =
        rules.iter().map(|rule| text(&rule["host"], "").to_owned()).filter(|host| !host.is_empty()).collect();
    let tls = !list(&it["spec"]["tls"]).is_empty();
    vec![
        name(it),
        json!(text(&it["spec"]["ingressClassName"], "<none>")),
        json!(at_most_three(&hosts, "*")),
        json!(balancer(&it["status"]).join(",")),
        json!(if tls { "80, 443" } else { "80" }),
        age(it, now),
    ]
}

fn ingress_class(it: &Value, now: Timestamp) -> Cells {
    let reference = &it["spec"]["parameters"];
    let parameters = if reference.is_object() {
        let group = reference["apiGroup"].as_str().map(|group| format!(".{group}")).unwrap_or_default();
        format!("{}{group}/{}", text(&reference["kind"], ""), text(&reference["name"], ""))
    } else {
        "<none>".into()
    };
    vec![name(it), json!(text(&it["spec"]["controller"], "")), json!(parameters), age(it, now)]
}

fn network_policy(it: &Value, now: Timestamp) -> Cells {
    vec![name(it), json!(selector_or_none(&it["spec"]["podSelector"])), age(it, now)]
}

fn service_cidr(it: &Value, now: Timestamp) -> Cells {
    vec![name(it), json!(strings(&it["spec"]["cidrs"]).join(",")), age(it, now)]
}

fn ip_address(it: &Value, _now: Timestamp) -> Cells {
    let reference = &it["spec"]["parentRef"];
    let mut parent = text(&reference["resource"], "").to_owned();
    for (separator, field) in [('.', "group"), ('/', "namespace"), ('/', "name")] {
        let part = text(&reference[field], "");
        if !part.is_empty() {
            parent.push(separator);
            parent.push_str(part);
        }
    }
    vec![name(it), json!(if parent.is_empty() { "<none>" } else { &parent })]
}
