//! Service addresses and node ports: allocated by looking at what is taken, so that there is no second truth.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde_json::{Value, json};
use sim_core::ledger::Txn;

use super::meta;
use crate::registry::Kind;
use crate::status::{Cause, Status};

/// The range of service addresses, as kind and kubeadm have it: 10.96.0.0/16.
const NETWORK: [u8; 2] = [10, 96];

/// The range of node ports.
const NODE_PORTS: std::ops::Range<u64> = 30_000..32_768;

pub(super) fn on_create(txn: &Txn<'_>, kind: &Kind, service: &mut Value) -> Result<(), Status> {
    meta::child(service, "status").insert("loadBalancer".into(), json!({}));
    let spec = meta::child(service, "spec");
    let kind_of_service = spec.entry("type").or_insert_with(|| "ClusterIP".into()).clone();
    spec.entry("sessionAffinity").or_insert_with(|| "None".into());
    if kind_of_service == "ExternalName" {
        return Ok(());
    }
    spec.entry("internalTrafficPolicy").or_insert_with(|| "Cluster".into());
    let stated = spec.get("clusterIP").and_then(Value::as_str).unwrap_or_default().to_owned();
    let address = match stated.as_str() {
        "None" => stated,
        "" => free_address(txn).ok_or_else(|| Status::internal("no service address is free"))?,
        _ => taken_or_given(txn, kind, service, &stated)?,
    };
    give_address(service, &address);
    if kind_of_service == "NodePort" || kind_of_service == "LoadBalancer" {
        give_node_ports(txn, service);
    }
    Ok(())
}

/// What was allocated stays unless it is named anew.
pub(super) fn on_update(before: &Value, service: &mut Value) {
    let spec = meta::child(service, "spec");
    if spec.get("type").is_some_and(|kind| kind == "ExternalName") {
        return;
    }
    for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        if let Some(value) = before["spec"].get(field)
            && spec.get(field).is_none_or(|own| own.is_null() || own == "")
        {
            spec.insert(field.into(), value.clone());
        }
    }
    let old = before["spec"]["ports"].as_array().cloned().unwrap_or_default();
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        let same = |other: &&Value| other["port"] == port["port"] && other["name"] == port["name"];
        if let Some(node_port) = old.iter().find(same).and_then(|other| other.get("nodePort"))
            && port.get("nodePort").is_none()
        {
            port["nodePort"] = node_port.clone();
        }
    }
}

fn services<'a>(txn: &'a Txn<'_>) -> impl Iterator<Item = &'a Value> {
    txn.scan("core/services", "").map(|(_, row)| &*row.value)
}

fn free_address(txn: &Txn<'_>) -> Option<String> {
    let taken: BTreeSet<&str> = services(txn).map(|service| meta::text(service, "/spec/clusterIP")).collect();
    // The first ten are left for addresses that are asked for by name, as 10.96.0.1 and 10.96.0.10 are.
    (11..u16::MAX)
        .map(|host| {
            let [high, low] = host.to_be_bytes();
            Ipv4Addr::new(NETWORK[0], NETWORK[1], high, low).to_string()
        })
        .find(|address| !taken.contains(address.as_str()))
}

fn taken_or_given(txn: &Txn<'_>, kind: &Kind, service: &Value, stated: &str) -> Result<String, Status> {
    let problem = match stated.parse::<Ipv4Addr>() {
        Ok(address) if !address.octets().starts_with(&NETWORK) => {
            "failed to allocate IP: the provided network does not match the current range"
        }
        Ok(_) if services(txn).any(|other| meta::text(other, "/spec/clusterIP") == stated) => {
            "failed to allocate IP: provided IP is already allocated"
        }
        Ok(_) => return Ok(stated.to_owned()),
        Err(_) => "must be a valid IPv4 address; IPv6 services are not modelled by kube-sim",
    };
    let message = format!("Invalid value: [\"{stated}\"]: {problem}");
    let cause = Cause::new("FieldValueInvalid", "spec.clusterIPs", message);
    Err(Status::invalid(kind, meta::name(service), &[cause]))
}

fn give_address(service: &mut Value, address: &str) {
    let spec = meta::child(service, "spec");
    spec.insert("clusterIP".into(), address.into());
    spec.insert("clusterIPs".into(), json!([address]));
    spec.entry("ipFamilies").or_insert_with(|| json!(["IPv4"]));
    spec.entry("ipFamilyPolicy").or_insert_with(|| "SingleStack".into());
}

fn give_node_ports(txn: &Txn<'_>, service: &mut Value) {
    let ports_of = |service: &Value| -> Vec<u64> {
        let ports = service["spec"]["ports"].as_array();
        ports.into_iter().flatten().filter_map(|port| port["nodePort"].as_u64()).collect()
    };
    let mut taken: BTreeSet<u64> = services(txn).flat_map(ports_of).chain(ports_of(service)).collect();
    let ports = service["spec"]["ports"].as_array_mut();
    for port in ports.into_iter().flatten() {
        if port["nodePort"].as_u64().is_none_or(|stated| stated == 0)
            && let Some(free) = NODE_PORTS.clone().find(|candidate| !taken.contains(candidate))
        {
            taken.insert(free);
            meta::as_map(port).insert("nodePort".into(), free.into());
        }
    }
    meta::child(service, "spec").entry("externalTrafficPolicy").or_insert_with(|| "Cluster".into());
}
