//! The checks of the Pod Security Standards, in the order in which the real plug-in reports them. User namespaces do not
//! relax them here, and Windows pods are held to the same rules.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::api::meta;

/// Capabilities that `baseline` lets containers add.
const DEFAULT_CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Volume types that `restricted` allows.
const VOLUMES: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// System controls that `baseline` allows.
const SYSCTLS: [&str; 12] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
];

/// SELinux types that `baseline` allows.
const SELINUX_TYPES: [&str; 5] =
    ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

fn containers(spec: &Value) -> impl Iterator<Item = &Value> {
    ["initContainers", "containers", "ephemeralContainers"]
        .into_iter()
        .flat_map(|list| spec[list].as_array().into_iter().flatten())
}

fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// Names of the containers of which this holds.
fn those(spec: &Value, bad: impl Fn(&Value) -> bool) -> Vec<String> {
    containers(spec).filter(|one| bad(one)).map(|one| meta::text(one, "/name").to_owned()).collect()
}

fn quoted<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    names.into_iter().map(|name| format!("\"{}\"", name.as_ref())).collect::<Vec<_>>().join(", ")
}

fn plural<'a>(one: &'a str, many: &'a str, count: usize) -> &'a str {
    if count == 1 { one } else { many }
}

/// `container "a"` or `containers "a", "b"`.
fn named(names: &[String]) -> String {
    format!("{} {}", plural("container", "containers", names.len()), quoted(names))
}

fn report(found: &mut Vec<String>, reason: &str, detail: &str) {
    found.push(if detail.is_empty() { reason.to_owned() } else { format!("{reason} ({detail})") });
}

/// `pod and container "c"`: who sets a field to something that `bad` says is wrong.
fn setters(spec: &Value, pointer: &str, bad: impl Fn(&Value) -> bool) -> Vec<String> {
    let wrong = |holder: &Value| holder.pointer(pointer).is_some_and(|value| !value.is_null() && bad(value));
    let mut setters = Vec::new();
    if wrong(spec) {
        setters.push("pod".to_owned());
    }
    let names = those(spec, wrong);
    if !names.is_empty() {
        setters.push(named(&names));
    }
    setters
}

/// The distinct texts at a field of pod and containers that `bad` says are wrong.
fn values(spec: &Value, pointer: &str, bad: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let all = std::iter::once(spec).chain(containers(spec));
    let texts = all.map(|holder| meta::text(holder, pointer)).filter(|text| !text.is_empty() && bad(text));
    texts.map(ToOwned::to_owned).collect()
}

fn is(value: &Value, pointer: &str, wanted: &Value) -> bool {
    value.pointer(pointer) == Some(wanted)
}

/// The checks of `baseline`; those that `restricted` has a stricter form of are left to it.
pub(super) fn baseline(metadata: &Value, spec: &Value, restricted: bool, found: &mut Vec<String>) {
    app_armor(metadata, spec, found);
    if !restricted {
        capabilities(spec, found);
    }
    let host: Vec<_> = ["hostNetwork", "hostPID", "hostIPC"]
        .into_iter()
        .filter(|field| spec[*field] == json!(true))
        .map(|field| format!("{field}=true"))
        .collect();
    if !host.is_empty() {
        report(found, "host namespaces", &host.join(", "));
    }
    let paths: Vec<_> = list(spec, "/volumes").filter(|volume| volume["hostPath"].is_object()).collect();
    if !paths.is_empty() && !restricted {
        let names = quoted(paths.iter().map(|volume| meta::text(volume, "/name")));
        report(found, "hostPath volumes", &format!("{} {names}", plural("volume", "volumes", paths.len())));
    }
    host_ports(spec, found);
    host_probes(spec, found);
    let privileged = those(spec, |one| is(one, "/securityContext/privileged", &json!(true)));
    if !privileged.is_empty() {
        report(
            found,
            "privileged",
            &format!("{} must not set securityContext.privileged=true", named(&privileged)),
        );
    }
    let mounts = values(spec, "/securityContext/procMount", |mount| mount != "Default");
    if !mounts.is_empty() {
        let bad = those(spec, |one| mounts.contains(meta::text(one, "/securityContext/procMount")));
        let detail = format!("{} must not set securityContext.procMount to {}", named(&bad), quoted(&mounts));
        report(found, "procMount", &detail);
    }
    selinux(spec, found);
    if !restricted {
        seccomp_values(spec, found);
    }
    let sysctls: Vec<_> = list(spec, "/securityContext/sysctls")
        .map(|one| meta::text(one, "/name"))
        .filter(|name| !SYSCTLS.contains(name))
        .collect();
    if !sysctls.is_empty() {
        report(found, "forbidden sysctls", &sysctls.join(", "));
    }
    let windows = setters(spec, "/securityContext/windowsOptions/hostProcess", |value| *value == json!(true));
    if !windows.is_empty() {
        let detail =
            format!("{} must not set securityContext.windowsOptions.hostProcess=true", windows.join(" and "));
        report(found, "hostProcess", &detail);
    }
}

fn app_armor(metadata: &Value, spec: &Value, found: &mut Vec<String>) {
    let allowed = |kind: &str| matches!(kind, "RuntimeDefault" | "Localhost");
    let pointer = "/securityContext/appArmorProfile/type";
    let setters = setters(spec, pointer, |value| !value.as_str().is_some_and(allowed));
    let bad = values(spec, pointer, |kind| !allowed(kind));
    if !bad.is_empty() {
        let detail =
            format!("{} must not set AppArmor profile type to {}", setters.join(" and "), quoted(&bad));
        report(
            found,
            plural("forbidden AppArmor profile", "forbidden AppArmor profiles", bad.len()),
            &detail,
        );
    }
    let annotations = metadata["annotations"].as_object().into_iter().flatten();
    let bad: Vec<_> = annotations
        .filter(|(key, _)| key.starts_with("container.apparmor.security.beta.kubernetes.io/"))
        .filter_map(|(key, value)| Some((key, value.as_str()?)))
        .filter(|(_, value)| !matches!(*value, "" | "runtime/default") && !value.starts_with("localhost/"))
        .map(|(key, value)| format!("{key}=\"{value}\""))
        .collect();
    if !bad.is_empty() {
        let detail = format!("{} {}", plural("annotation", "annotations", bad.len()), bad.join(", "));
        report(
            found,
            plural("forbidden AppArmor profile", "forbidden AppArmor profiles", bad.len()),
            &detail,
        );
    }
}

fn capabilities(spec: &Value, found: &mut Vec<String>) {
    let extra = |one: &Value| -> BTreeSet<String> {
        let added = list(one, "/securityContext/capabilities/add").filter_map(Value::as_str);
        added.filter(|name| !DEFAULT_CAPABILITIES.contains(name)).map(ToOwned::to_owned).collect()
    };
    let bad = those(spec, |one| !extra(one).is_empty());
    if !bad.is_empty() {
        let all: BTreeSet<_> = containers(spec).flat_map(extra).collect();
        let detail =
            format!("{} must not include {} in securityContext.capabilities.add", named(&bad), quoted(&all));
        report(found, "non-default capabilities", &detail);
    }
}

fn host_ports(spec: &Value, found: &mut Vec<String>) {
    let ports = |one: &Value| -> BTreeSet<String> {
        let ports = list(one, "/ports").filter_map(|port| port["hostPort"].as_u64());
        ports.filter(|port| *port != 0).map(|port| port.to_string()).collect()
    };
    let bad = those(spec, |one| !ports(one).is_empty());
    if bad.is_empty() {
        return;
    }
    let all: BTreeSet<_> = containers(spec).flat_map(ports).collect();
    let detail = format!(
        "{} {} {} {}",
        named(&bad),
        plural("uses", "use", bad.len()),
        plural("hostPort", "hostPorts", all.len()),
        all.into_iter().collect::<Vec<_>>().join(", ")
    );
    report(found, "hostPort", &detail);
}

fn host_probes(spec: &Value, found: &mut Vec<String>) {
    let hosts = |one: &Value| -> BTreeSet<String> {
        let handlers = [
            "/livenessProbe",
            "/readinessProbe",
            "/startupProbe",
            "/lifecycle/postStart",
            "/lifecycle/preStop",
        ];
        let texts = handlers.iter().flat_map(|handler| {
            ["httpGet", "tcpSocket"].map(|action| meta::text(one, &format!("{handler}/{action}/host")))
        });
        texts.filter(|host| !host.is_empty()).map(ToOwned::to_owned).collect()
    };
    let bad = those(spec, |one| !hosts(one).is_empty());
    if bad.is_empty() {
        return;
    }
    let all: BTreeSet<_> = containers(spec).flat_map(hosts).collect();
    let detail = format!(
        "{} {} probe or lifecycle {} {}",
        named(&bad),
        plural("uses", "use", bad.len()),
        plural("host", "hosts", all.len()),
        quoted(&all)
    );
    report(found, "probe or lifecycle host", &detail);
}

fn selinux(spec: &Value, found: &mut Vec<String>) {
    let field = |name: &str| format!("/securityContext/seLinuxOptions/{name}");
    let types = values(spec, &field("type"), |kind| !SELINUX_TYPES.contains(&kind));
    let users = values(spec, &field("user"), |_| true);
    let roles = values(spec, &field("role"), |_| true);
    let mut data = Vec::new();
    if !types.is_empty() {
        data.push(format!("{} {}", plural("type", "types", types.len()), quoted(&types)));
    }
    if !users.is_empty() {
        data.push("user may not be set".to_owned());
    }
    if !roles.is_empty() {
        data.push("role may not be set".to_owned());
    }
    if data.is_empty() {
        return;
    }
    let setters = setters(spec, "/securityContext/seLinuxOptions", |options| {
        !SELINUX_TYPES.contains(&meta::text(options, "/type"))
            || ["/user", "/role"].iter().any(|field| !meta::text(options, field).is_empty())
    });
    let who = setters.join(" and ");
    report(
        found,
        "seLinuxOptions",
        &format!("{who} set forbidden securityContext.seLinuxOptions: {}", data.join("; ")),
    );
}

const SECCOMP: &str = "/securityContext/seccompProfile/type";

fn good_seccomp(kind: &str) -> bool {
    matches!(kind, "RuntimeDefault" | "Localhost")
}

/// Reports profiles that are set to something bad; says whether there were any.
fn seccomp_values(spec: &Value, found: &mut Vec<String>) -> bool {
    let setters = setters(spec, SECCOMP, |value| !value.as_str().is_some_and(good_seccomp));
    if setters.is_empty() {
        return false;
    }
    let bad = values(spec, SECCOMP, |kind| !good_seccomp(kind));
    let who = setters.join(" and ");
    report(
        found,
        "seccompProfile",
        &format!("{who} must not set securityContext.seccompProfile.type to {}", quoted(&bad)),
    );
    true
}

/// The checks that only `restricted` has.
pub(super) fn restricted(spec: &Value, found: &mut Vec<String>) {
    let escalating = those(spec, |one| !is(one, "/securityContext/allowPrivilegeEscalation", &json!(false)));
    if !escalating.is_empty() {
        let detail =
            format!("{} must set securityContext.allowPrivilegeEscalation=false", named(&escalating));
        report(found, "allowPrivilegeEscalation != false", &detail);
    }
    dropped_capabilities(spec, found);
    restricted_volumes(spec, found);
    not_root(spec, found);
    let root = setters(spec, "/securityContext/runAsUser", |value| *value == json!(0));
    if !root.is_empty() {
        report(found, "runAsUser=0", &format!("{} must not set runAsUser=0", root.join(" and ")));
    }
    if seccomp_values(spec, found) || !meta::text(spec, SECCOMP).is_empty() {
        return;
    }
    let without = those(spec, |one| meta::text(one, SECCOMP).is_empty());
    if !without.is_empty() {
        let detail = format!(
            "pod or {} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"",
            named(&without)
        );
        report(found, "seccompProfile", &detail);
    }
}

fn dropped_capabilities(spec: &Value, found: &mut Vec<String>) {
    let keeping =
        those(spec, |one| !list(one, "/securityContext/capabilities/drop").any(|name| name == "ALL"));
    let extra = |one: &Value| -> BTreeSet<String> {
        let added = list(one, "/securityContext/capabilities/add").filter_map(Value::as_str);
        added.filter(|name| *name != "NET_BIND_SERVICE").map(ToOwned::to_owned).collect()
    };
    let adding = those(spec, |one| !extra(one).is_empty());
    let mut details = Vec::new();
    if !keeping.is_empty() {
        details.push(format!("{} must set securityContext.capabilities.drop=[\"ALL\"]", named(&keeping)));
    }
    if !adding.is_empty() {
        let all: BTreeSet<_> = containers(spec).flat_map(extra).collect();
        details.push(format!(
            "{} must not include {} in securityContext.capabilities.add",
            named(&adding),
            quoted(&all)
        ));
    }
    if !details.is_empty() {
        report(found, "unrestricted capabilities", &details.join("; "));
    }
}

fn restricted_volumes(spec: &Value, found: &mut Vec<String>) {
    let kind = |volume: &Value| -> String {
        let fields = volume.as_object().into_iter().flatten();
        let mut kinds = fields.filter(|(field, value)| *field != "name" && !value.is_null());
        kinds.next().map_or_else(|| "unknown".to_owned(), |(field, _)| field.clone())
    };
    let bad: Vec<_> =
        list(spec, "/volumes").filter(|volume| !VOLUMES.contains(&kind(volume).as_str())).collect();
    if bad.is_empty() {
        return;
    }
    let kinds: BTreeSet<_> = bad.iter().map(|volume| kind(volume)).collect();
    let detail = format!(
        "{} {} {} restricted volume {} {}",
        plural("volume", "volumes", bad.len()),
        quoted(bad.iter().map(|volume| meta::text(volume, "/name"))),
        plural("uses", "use", bad.len()),
        plural("type", "types", kinds.len()),
        quoted(&kinds)
    );
    report(found, "restricted volume types", &detail);
}

fn not_root(spec: &Value, found: &mut Vec<String>) {
    const FIELD: &str = "/securityContext/runAsNonRoot";
    let explicit = setters(spec, FIELD, |value| *value == json!(false));
    if !explicit.is_empty() {
        let detail = format!("{} must not set securityContext.runAsNonRoot=false", explicit.join(" and "));
        report(found, "runAsNonRoot != true", &detail);
        return;
    }
    if is(spec, FIELD, &json!(true)) {
        return;
    }
    let silent = those(spec, |one| one.pointer(FIELD).is_none_or(Value::is_null));
    if !silent.is_empty() {
        let detail = format!("pod or {} must set securityContext.runAsNonRoot=true", named(&silent));
        report(found, "runAsNonRoot != true", &detail);
    }
}
