//! The world's names in a Corefile: pure text, put in and taken out exactly.
//!
//! CoreDNS answers a query by the server block with the longest matching zone, so the simulated hosts get blocks of their own
//! behind the user's text, which stays as it is byte by byte. Marks say where they begin and end; taking them out again
//! needs nothing else, also when the user changed the rest meanwhile.

use std::net::IpAddr;

const BEGIN: &str = "# dryarc world begin: everything up to the matching end is removed with the world";
const END: &str = "# dryarc world end";

/// Whether a Corefile has the names of a world in it.
#[must_use]
pub fn is_led(corefile: &str) -> bool {
    corefile.contains(BEGIN)
}

/// The Corefile with blocks that answer for `hosts` (exact names, or suffixes with a leading dot) with `address`.
/// What an earlier world left in it is replaced.
#[must_use]
pub fn lead(corefile: &str, hosts: &[String], address: IpAddr) -> String {
    let own = restore(corefile);
    let port = port(&own);
    let mut text = own;
    // A mark at the end of the user's last line would be a part of it; the line feed belongs to the mark.
    text.push('\n');
    text.push_str(BEGIN);
    text.push('\n');
    for zone in zones(hosts) {
        text.push_str(&block(&zone, &port, address));
    }
    text.push_str(END);
    text.push('\n');
    text
}

/// The Corefile as it was before [`lead`]; a Corefile without marks comes back as it is.
#[must_use]
pub fn restore(corefile: &str) -> String {
    let opening = format!("\n{BEGIN}\n");
    let closing = format!("{END}\n");
    let mut text = corefile.to_owned();
    while let Some(start) = text.find(&opening) {
        let Some(length) = text[start..].find(&closing) else { break };
        text.replace_range(start..start + length + closing.len(), "");
    }
    text
}

/// A zone, and what is answered in it.
#[derive(Debug, PartialEq, Eq)]
struct Zone {
    name: String,
    /// The name itself.
    apex: bool,
    /// Everything below it.
    below: bool,
}

/// An exact name and a suffix may share a zone, which a Corefile may have once only.
fn zones(hosts: &[String]) -> Vec<Zone> {
    let mut zones: Vec<Zone> = Vec::new();
    for host in hosts {
        let name = host.trim_start_matches('.').to_ascii_lowercase();
        let below = host.starts_with('.');
        match zones.iter_mut().find(|zone| zone.name == name) {
            Some(zone) => {
                zone.apex |= !below;
                zone.below |= below;
            }
            None => zones.push(Zone { name, apex: !below, below }),
        }
    }
    zones
}

fn block(zone: &Zone, port: &str, address: IpAddr) -> String {
    let name = &zone.name;
    let escaped = name.replace('.', "\\.");
    let pattern = match (zone.apex, zone.below) {
        (true, true) => format!("(^|\\.){escaped}\\.$"),
        (true, false) => format!("^{escaped}\\.$"),
        (false, _) => format!("\\.{escaped}\\.$"),
    };
    let kind = if address.is_ipv4() { "A" } else { "AAAA" };
    // Any other type of record has no data, and other names in the zone do not exist: nothing of it leaves the cluster.
    format!(
        "{name}{port} {{\n    template IN {kind} {name} {{\n        match {pattern}\n        answer \"{{{{ .Name }}}} 5 IN {kind} {address}\"\n        fallthrough\n    }}\n    template IN ANY {name} {{\n        match {pattern}\n        rcode NOERROR\n        fallthrough\n    }}\n    template ANY ANY {name} {{\n        rcode NXDOMAIN\n    }}\n}}\n"
    )
}

/// `:PORT` of the first server block, which need not be 53.
fn port(corefile: &str) -> String {
    let first = corefile.lines().map(str::trim).find(|line| line.ends_with('{') && !line.starts_with('#'));
    let key = first.and_then(|line| line.split_whitespace().next()).unwrap_or_default();
    let port = key.rsplit_once(':').map(|(_, port)| port).filter(|port| port.parse::<u16>().is_ok());
    format!(":{}", port.unwrap_or("53"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str =
        ".:53 {\n    errors\n    health {\n       lameduck 5s\n    }\n    forward . /etc/resolv.conf\n}\n";

    fn hosts() -> Vec<String> {
        ["management.azure.com", ".his.arc.azure.com", "login.microsoft.com", ".login.microsoft.com"]
            .map(str::to_owned)
            .to_vec()
    }

    #[test]
    fn the_users_text_stays_and_comes_back_byte_by_byte() {
        let address = "10.96.7.7".parse().unwrap();
        for own in [OWN, OWN.trim_end(), "", ".:53 {\n}\n\n\n", ".:53 {\r\n}\r\n"] {
            let led = lead(own, &hosts(), address);
            assert!(led.starts_with(own) && is_led(&led));
            assert_eq!(restore(&led), own);
            assert_eq!(restore(&lead(&led, &hosts(), address)), own, "twice");
        }
        assert_eq!(restore(OWN), OWN);
        assert!(!is_led(OWN));
    }

    #[test]
    fn what_the_user_writes_behind_the_world_survives_it() {
        let led = lead(OWN, &hosts(), "10.96.7.7".parse().unwrap());
        let edited =
            format!("{}example.org:53 {{\n    whoami\n}}\n", led.replace("lameduck 5s", "lameduck 9s"));
        let expected =
            format!("{}example.org:53 {{\n    whoami\n}}\n", OWN.replace("lameduck 5s", "lameduck 9s"));
        assert_eq!(restore(&edited), expected);
        let torn = led.replace(END, "");
        assert_eq!(restore(&torn), torn, "without an end nothing is guessed");
    }

    #[test]
    fn names_and_suffixes_become_blocks_at_the_servers_own_port() {
        let led = lead(&OWN.replace(":53", ":1053"), &hosts(), "10.96.7.7".parse().unwrap());
        assert!(led.contains("management.azure.com:1053 {"));
        assert!(led.contains("match ^management\\.azure\\.com\\.$"));
        assert!(led.contains("match \\.his\\.arc\\.azure\\.com\\.$"));
        assert!(led.contains("answer \"{{ .Name }} 5 IN A 10.96.7.7\""));
        assert_eq!(led.matches("login.microsoft.com:1053 {").count(), 1);
        assert!(led.contains("match (^|\\.)login\\.microsoft\\.com\\.$"));
        assert_eq!(port("# nothing\n"), ":53");
    }
}
