//! The roles and bindings of a new cluster, as data. Source: the bootstrap policy of a real v1.34 API server.
//!
//! Left out: the roles of control plane parts that do not exist here as separate callers (controllers, scheduler,
//! aggregator, bootstrap tokens, certificate signers).

use serde_json::{Value, json};

/// `role NAME` begins a role; `group GROUP` and `labels` belong to it. A rule is `groups : resources : verbs`, where
/// `core` is the core group; `url PATHS : verbs` names paths; `bind GROUP...` binds the role to groups.
const ROLES: &str = "
role cluster-admin
* : * : *
url * : *
bind system:masters
role system:discovery
url /api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/ : get
bind system:authenticated
role system:basic-user
authorization.k8s.io : selfsubjectaccessreviews selfsubjectrulesreviews : create
authentication.k8s.io : selfsubjectreviews : create
bind system:authenticated
role system:public-info-viewer
url /healthz /livez /readyz /version /version/ : get
bind system:authenticated system:unauthenticated
role system:service-account-issuer-discovery
url /.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/ : get
bind system:serviceaccounts
role system:monitoring
url /healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/* : get
bind system:monitoring
role system:auth-delegator
authentication.k8s.io : tokenreviews : create
authorization.k8s.io : subjectaccessreviews : create
role system:kubelet-api-admin
core : nodes : get list watch
core : nodes : proxy
core : nodes/log nodes/metrics nodes/proxy nodes/stats : *
role system:kube-dns
core : endpoints services : list watch
role system:node-proxier
core : endpoints services : list watch
core : nodes : get list watch
core,events.k8s.io : events : create patch update
discovery.k8s.io : endpointslices : list watch
role system:node
authentication.k8s.io : tokenreviews : create
authorization.k8s.io : localsubjectaccessreviews subjectaccessreviews : create
core : services : get list watch
core : nodes : create get list watch patch update
core : nodes/status : patch update
core : pods : create delete get list watch
core : pods/status : patch update
core : pods/eviction : create
core : configmaps secrets : get list watch
core : persistentvolumeclaims persistentvolumes : get
core : serviceaccounts/token : create
core,events.k8s.io : events : create patch update
coordination.k8s.io : leases : create delete get patch update
role system:persistent-volume-provisioner
core : persistentvolumes : create delete get list watch
core : persistentvolumeclaims : get list update watch
storage.k8s.io : storageclasses : get list watch
core : events : create patch update watch
role system:aggregate-to-view view
core : configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers replicationcontrollers/scale serviceaccounts services services/status : get list watch
core : bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status resourcequotas resourcequotas/status : get list watch
core : namespaces : get list watch
discovery.k8s.io : endpointslices : get list watch
apps : controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status : get list watch
autoscaling : horizontalpodautoscalers horizontalpodautoscalers/status : get list watch
batch : cronjobs cronjobs/status jobs jobs/status : get list watch
policy : poddisruptionbudgets poddisruptionbudgets/status : get list watch
networking.k8s.io : ingresses ingresses/status networkpolicies : get list watch
role system:aggregate-to-edit edit
core : pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy : get list watch
core : serviceaccounts : impersonate
core : pods pods/attach pods/exec pods/portforward pods/proxy : create delete deletecollection patch update
core : pods/eviction serviceaccounts/token : create
core : configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services services/proxy : create delete deletecollection patch update
apps : daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale : create delete deletecollection patch update
autoscaling : horizontalpodautoscalers : create delete deletecollection patch update
batch : cronjobs jobs : create delete deletecollection patch update
policy : poddisruptionbudgets : create delete deletecollection patch update
networking.k8s.io : ingresses networkpolicies : create delete deletecollection patch update
coordination.k8s.io : leases : create delete deletecollection get list patch update watch
role system:aggregate-to-admin admin
authorization.k8s.io : localsubjectaccessreviews : create
rbac.authorization.k8s.io : rolebindings roles : create delete deletecollection get list patch update watch
";

/// The roles that gather others, from the least to the most: each label, and the roles that it is passed on to.
const AGGREGATED: [(&str, &[&str]); 3] = [("view", &["edit"]), ("edit", &["admin"]), ("admin", &[])];

const API_VERSION: &str = "rbac.authorization.k8s.io/v1";

#[derive(Default)]
struct Role {
    name: String,
    aggregate_to: Option<String>,
    rules: Vec<Value>,
    groups: Vec<String>,
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

fn parse() -> Vec<Role> {
    let mut roles: Vec<Role> = Vec::new();
    for line in ROLES.lines().filter(|line| !line.is_empty()) {
        if let Some(header) = line.strip_prefix("role ") {
            let (name, target) = header.split_once(' ').map_or((header, None), |(name, to)| (name, Some(to)));
            let aggregate_to = target.map(ToOwned::to_owned);
            roles.push(Role { name: name.into(), aggregate_to, ..Role::default() });
            continue;
        }
        let Some(role) = roles.last_mut() else { continue };
        if let Some(groups) = line.strip_prefix("bind ") {
            role.groups = words(groups).into_iter().map(ToOwned::to_owned).collect();
        } else {
            role.rules.extend(rule(line));
        }
    }
    roles
}

fn rule(line: &str) -> Option<Value> {
    let parts: Vec<&str> = line.split(" : ").collect();
    match parts.as_slice() {
        [urls, verbs] => {
            let urls = words(urls.strip_prefix("url ")?);
            Some(json!({"nonResourceURLs": urls, "verbs": words(verbs)}))
        }
        [groups, resources, verbs] => {
            let groups: Vec<&str> =
                groups.split(',').map(|group| if group == "core" { "" } else { group }).collect();
            Some(json!({"apiGroups": groups, "resources": words(resources), "verbs": words(verbs)}))
        }
        _ => None,
    }
}

fn metadata(name: &str) -> Value {
    json!({
        "name": name,
        "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"},
        "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"},
    })
}

fn aggregation_label(target: &str) -> String {
    format!("rbac.authorization.k8s.io/aggregate-to-{target}")
}

/// Roles and bindings, in the order in which they are to be made.
pub(super) fn objects() -> Vec<Value> {
    let roles = parse();
    let mut objects = Vec::new();
    let mut gathered: Vec<Value> = Vec::new();
    for (target, passed_on) in AGGREGATED {
        let own = roles.iter().filter(|role| role.aggregate_to.as_deref() == Some(target));
        gathered.extend(own.flat_map(|role| role.rules.clone()));
        let mut metadata = metadata(target);
        for next in passed_on {
            metadata["labels"][aggregation_label(next)] = json!("true");
        }
        objects.push(json!({
            "apiVersion": API_VERSION, "kind": "ClusterRole", "metadata": metadata,
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {aggregation_label(target): "true"}}]},
            "rules": gathered,
        }));
    }
    for role in roles {
        let mut metadata_of_role = metadata(&role.name);
        if let Some(target) = &role.aggregate_to {
            metadata_of_role["labels"][aggregation_label(target)] = json!("true");
        }
        objects.push(json!({
            "apiVersion": API_VERSION, "kind": "ClusterRole", "metadata": metadata_of_role, "rules": role.rules,
        }));
        if !role.groups.is_empty() {
            objects.push(binding(&role));
        }
    }
    objects.push(json!({
        "apiVersion": API_VERSION, "kind": "Role",
        "metadata": {"name": "extension-apiserver-authentication-reader", "namespace": "kube-system",
            "labels": {"kubernetes.io/bootstrapping": "rbac-defaults"}},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"],
            "resourceNames": ["extension-apiserver-authentication"], "verbs": ["get", "list", "watch"]}],
    }));
    objects
}

fn binding(role: &Role) -> Value {
    let subject =
        |group: &String| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group});
    let subjects: Vec<Value> = role.groups.iter().map(subject).collect();
    json!({
        "apiVersion": API_VERSION, "kind": "ClusterRoleBinding", "metadata": metadata(&role.name),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role.name},
        "subjects": subjects,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_rule_and_greater_roles_include_the_lesser() {
        let lines = ROLES.lines().filter(|line| line.contains(" : ")).count();
        assert_eq!(parse().iter().map(|role| role.rules.len()).sum::<usize>(), lines);
        let objects = objects();
        let rules = |name: &str| {
            let role = objects.iter().find(|o| o["kind"] == "ClusterRole" && o["metadata"]["name"] == name);
            role.unwrap()["rules"].as_array().unwrap().len()
        };
        assert!(rules("view") < rules("edit") && rules("edit") < rules("admin"));
        assert_eq!(rules("cluster-admin"), 2);
    }
}
