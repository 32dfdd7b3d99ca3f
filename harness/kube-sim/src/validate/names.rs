//! What names, labels and keys must look like, and why one does not. Source of the rules and their wording:
//! apimachinery's `validation` package.

const QUALIFIED: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an \
                         alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for \
                         validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or \
                           '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or \
                           'my_value',  or '12345', regex used for validation is \
                           '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const DNS_LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must \
                         start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for \
                         validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const DNS_SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or \
                             '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used \
                             for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const DNS_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an \
                        alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', \
                        regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  \
                          or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const ENVIRONMENT: &str = "a valid environment variable name must consist only of printable ASCII characters other than \
                           '='";

/// Why something is wrong; nothing when it is right.
pub(crate) type Reasons = Vec<String>;

fn too_long(limit: usize) -> String {
    format!("must be no more than {limit} characters")
}

fn lower(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// Whether a text begins and ends with `edge` and has only `inner` in between.
fn shaped(text: &str, edge: impl Fn(u8) -> bool, inner: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    ends.iter().all(|end| end.is_some_and(|byte| edge(*byte))) && bytes.iter().all(|byte| inner(*byte))
}

fn is_label(text: &str) -> bool {
    shaped(text, lower, |byte| lower(byte) || byte == b'-')
}

fn is_subdomain(text: &str) -> bool {
    text.split('.').all(is_label)
}

fn is_qualified(text: &str) -> bool {
    shaped(
        text,
        |byte| byte.is_ascii_alphanumeric(),
        |byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte),
    )
}

/// `my-name`, at most 63 characters.
pub(super) fn dns_label(text: &str) -> Reasons {
    let mut reasons = Reasons::new();
    if text.len() > 63 {
        reasons.push(too_long(63));
    }
    if !is_label(text) {
        reasons.push(if is_subdomain(text) { "must not contain dots".into() } else { DNS_LABEL.into() });
    }
    reasons
}

/// `my.name`, at most 253 characters.
pub(crate) fn dns_subdomain(text: &str) -> Reasons {
    let mut reasons = Reasons::new();
    if text.len() > 253 {
        reasons.push(too_long(253));
    }
    if !is_subdomain(text) {
        reasons.push(DNS_SUBDOMAIN.into());
    }
    reasons
}

/// A label that begins with a letter.
pub(super) fn dns_1035(text: &str) -> Reasons {
    let mut reasons = Reasons::new();
    if text.len() > 63 {
        reasons.push(too_long(63));
    }
    if !(is_label(text) && text.starts_with(|letter: char| letter.is_ascii_lowercase())) {
        reasons.push(DNS_1035.into());
    }
    reasons
}

/// Anything that can stand in a path.
pub(super) fn path_segment(text: &str) -> Reasons {
    if text == "." || text == ".." {
        return vec![format!("may not be '{text}'")];
    }
    let bad = ["/", "%"].into_iter().filter(|bad| text.contains(bad));
    bad.map(|bad| format!("may not contain '{bad}'")).collect()
}

/// Keys of labels and annotations: `example.com/name`.
pub(crate) fn qualified(text: &str) -> Reasons {
    let (prefix, name) = match text.split_once('/') {
        None => (None, text),
        Some((_, name)) if name.contains('/') => {
            let form = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
            return vec![format!("a qualified name {QUALIFIED} {form}")];
        }
        Some((prefix, name)) => (Some(prefix), name),
    };
    let mut reasons = Reasons::new();
    match prefix {
        Some("") => reasons.push("prefix part must be non-empty".into()),
        Some(prefix) => {
            reasons.extend(dns_subdomain(prefix).into_iter().map(|why| format!("prefix part {why}")))
        }
        None => {}
    }
    if name.is_empty() {
        reasons.push("name part must be non-empty".into());
    } else if name.len() > 63 {
        reasons.push(format!("name part {}", too_long(63)));
    }
    if !is_qualified(name) {
        reasons.push(format!("name part {QUALIFIED}"));
    }
    reasons
}

/// Values of labels.
pub(crate) fn label_value(text: &str) -> Reasons {
    let mut reasons = Reasons::new();
    if text.len() > 63 {
        reasons.push(too_long(63));
    }
    if !text.is_empty() && !is_qualified(text) {
        reasons.push(LABEL_VALUE.into());
    }
    reasons
}

/// Keys of config maps and secrets.
pub(super) fn config_key(text: &str) -> Reasons {
    let mut reasons = Reasons::new();
    if text.len() > 253 {
        reasons.push(too_long(253));
    }
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if !shaped(text, inner, inner) {
        reasons.push(CONFIG_KEY.into());
    }
    match text {
        "." => reasons.push("must not be '.'".into()),
        ".." => reasons.push("must not be '..'".into()),
        _ if text.starts_with("..") => reasons.push("must not start with '..'".into()),
        _ => {}
    }
    reasons
}

/// Names of environment variables.
pub(super) fn environment(text: &str) -> Reasons {
    let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'=');
    if printable { Reasons::new() } else { vec![ENVIRONMENT.into()] }
}

/// Names of ports: at most 15 characters, letters, digits and hyphens.
pub(super) fn port_name(text: &str) -> Reasons {
    let mut reasons = Reasons::new();
    if text.len() > 15 {
        reasons.push(too_long(15));
    }
    if !text.bytes().all(|byte| lower(byte) || byte == b'-') {
        reasons.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".into());
    }
    if !text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        reasons.push("must contain at least one letter (a-z)".into());
    }
    if text.contains("--") {
        reasons.push("must not contain consecutive hyphens".into());
    }
    if text.starts_with('-') || text.ends_with('-') {
        reasons.push("must not begin or end with a hyphen".into());
    }
    reasons
}

/// Numbers of ports.
pub(super) fn port(number: i64) -> Reasons {
    if (1..=65535).contains(&number) {
        Reasons::new()
    } else {
        vec!["must be between 1 and 65535, inclusive".into()]
    }
}
