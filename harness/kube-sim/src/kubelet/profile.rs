//! Nodes by profile: `count=2,arch=arm64,cpu=8,taint=dedicated=gpu:NoSchedule`.

use std::collections::BTreeSet;

use super::config::NodeSpec;
use crate::validate::{canonical_quantity, dns_subdomain_problems, label_key_problems, label_value_problems};

/// Most nodes of one group.
const MOST: u16 = 250;

/// What a profile may name, for errors.
const KNOWN: &str =
    "count, name, arch, os, os-image, cpu, memory, pods, label, taint, provider-id, control-plane";

/// What taints do.
const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// Some nodes that are alike but for their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeGroup {
    /// How many, 1 to 250.
    pub count: u16,
    /// What each is; its name is what the names of all begin with.
    pub spec: NodeSpec,
}

/// Reads a profile: parts `name=value`, separated by commas; `label` and `taint` may come more than once, and
/// `control-plane` stands alone. Parts that are missing are those of [`NodeSpec::default`], whose nodes are called `node-N`.
///
/// # Errors
/// What is wrong with the text.
pub fn parse_nodes(text: &str) -> Result<NodeGroup, String> {
    let mut group = NodeGroup { count: 1, spec: NodeSpec { name: "node".into(), ..NodeSpec::default() } };
    let spec = &mut group.spec;
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        if value.is_empty() && name != "control-plane" {
            return Err(format!("'{part}' says nothing; write {name}=VALUE, where NAME is of {KNOWN}"));
        }
        match name {
            "count" => {
                let count = value.parse().ok().filter(|count| (1..=MOST).contains(count));
                group.count = count.ok_or_else(|| format!("count '{value}' is not between 1 and {MOST}"))?;
            }
            "name" => value.clone_into(&mut spec.name),
            "arch" => value.clone_into(&mut spec.arch),
            "os" => value.clone_into(&mut spec.os),
            "os-image" => value.clone_into(&mut spec.os_image),
            "cpu" => value.clone_into(&mut spec.cpu),
            "memory" => value.clone_into(&mut spec.memory),
            "pods" => spec.pods = value.parse().map_err(|_| format!("pods '{value}' is no number"))?,
            "provider-id" => value.clone_into(&mut spec.provider_id),
            "label" => {
                let (key, value) = value.split_once('=').unwrap_or((value, ""));
                spec.labels.push((key.to_owned(), value.to_owned()));
            }
            "taint" => spec.taints.push(value.to_owned()),
            "control-plane" => spec.control_plane = flag(value)?,
            other => return Err(format!("'{other}' is nothing that nodes have; there are {KNOWN}")),
        }
    }
    check(spec)?;
    Ok(group)
}

fn flag(value: &str) -> Result<bool, String> {
    match value {
        "" | "true" => Ok(true),
        "false" => Ok(false),
        other => Err(format!("control-plane '{other}' is neither true nor false")),
    }
}

/// Whether these can be the nodes of one cluster.
///
/// # Errors
/// The first thing that the API server would refuse, or two nodes of one name.
pub fn check_nodes(nodes: &[NodeSpec]) -> Result<(), String> {
    let mut names = BTreeSet::new();
    for node in nodes {
        check(node)?;
        if !names.insert(&node.name) {
            return Err(format!("two nodes are called '{}'", node.name));
        }
    }
    Ok(())
}

fn check(node: &NodeSpec) -> Result<(), String> {
    let none = |what: &str, text: &str, problems: Vec<String>| match problems.first() {
        Some(problem) => Err(format!("{what} '{text}': {problem}")),
        None => Ok(()),
    };
    none("name", &node.name, dns_subdomain_problems(&node.name))?;
    for (what, text) in [("arch", &node.arch), ("os", &node.os)] {
        none(what, text, label_value_problems(text))?;
    }
    for (what, text) in [("cpu", &node.cpu), ("memory", &node.memory)] {
        if text.starts_with('-') || canonical_quantity(&text.as_str().into()).is_none() {
            return Err(format!("{what} '{text}' is no quantity, as 500m, 4 or 16Gi are"));
        }
    }
    for (key, value) in &node.labels {
        none("label", key, label_key_problems(key))?;
        none("label", value, label_value_problems(value))?;
    }
    node.taints.iter().try_for_each(|taint| {
        let (left, effect) = taint.rsplit_once(':').unwrap_or((taint, ""));
        if !EFFECTS.contains(&effect) {
            let effects = EFFECTS.join(", ");
            return Err(format!("taint '{taint}' is not KEY[=VALUE]:EFFECT with an effect of {effects}"));
        }
        let (key, value) = left.split_once('=').unwrap_or((left, ""));
        none("taint", key, label_key_problems(key))?;
        none("taint", value, label_value_problems(value))
    })
}

/// The nodes of some groups, named `NAME-1`, `NAME-2`, … over all groups of that name.
#[must_use]
pub fn nodes(groups: &[NodeGroup]) -> Vec<NodeSpec> {
    let mut all: Vec<NodeSpec> = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        let earlier = groups.iter().take(index).filter(|one| one.spec.name == group.spec.name);
        let before: usize = earlier.map(|one| usize::from(one.count)).sum();
        let prefix = &group.spec.name;
        let named = |number| NodeSpec { name: format!("{prefix}-{number}"), ..group.spec.clone() };
        all.extend((1..=usize::from(group.count)).map(|number| named(before + number)));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_nodes_are_read_and_named() {
        let groups = [
            "count=2",
            "arch=arm64,cpu=8,taint=dedicated=gpu:NoSchedule,label=pool=gpu",
            "name=cp,control-plane",
        ];
        let groups: Vec<NodeGroup> = groups.iter().map(|text| parse_nodes(text).unwrap()).collect();
        let nodes = nodes(&groups);
        let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["node-1", "node-2", "node-3", "cp-1"]);
        assert_eq!((nodes[2].arch.as_str(), nodes[2].cpu.as_str()), ("arm64", "8"));
        assert_eq!(nodes[2].taints, ["dedicated=gpu:NoSchedule"]);
        assert_eq!(nodes[2].labels, [("pool".to_owned(), "gpu".to_owned())]);
        assert!(nodes[3].control_plane && !nodes[0].control_plane);
        assert_eq!(check_nodes(&nodes), Ok(()));
        assert_eq!(
            check_nodes(&[NodeSpec::default(), NodeSpec::default()]),
            Err("two nodes are called 'node-1'".into())
        );
    }

    #[test]
    fn what_is_no_profile_is_said_to_be_none() {
        for (text, problem) in [
            ("count=0", "count '0' is not between 1 and 250"),
            ("cores=4", "'cores' is nothing that nodes have"),
            ("arch", "'arch' says nothing; write arch=VALUE"),
            ("memory=much", "memory 'much' is no quantity"),
            ("cpu=-1", "cpu '-1' is no quantity"),
            ("name=Big", "name 'Big': a lowercase RFC 1123 subdomain"),
            ("label=a b=c", "label 'a b': "),
            ("taint=gpu", "taint 'gpu' is not KEY[=VALUE]:EFFECT"),
            ("taint=:NoExecute", "taint '': "),
            ("control-plane=maybe", "control-plane 'maybe' is neither true nor false"),
        ] {
            let error = parse_nodes(text).unwrap_err();
            assert!(error.starts_with(problem), "{error}");
        }
    }
}
