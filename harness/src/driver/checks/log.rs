//! What the checks' log says, read as the Azure CLI reads it (behaviour of the extension 1.11, seen in real runs).

use std::fmt;

use super::Code;

/// How one check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It passed.
    Passed,
    /// It failed, and with it onboarding.
    Failed,
    /// The log does not have its result.
    Incomplete,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "Passed",
            Self::Failed => "Failed",
            Self::Incomplete => "Incomplete",
        })
    }
}

/// The results of all checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Results {
    pub(super) dns: Outcome,
    pub(super) outbound: Outcome,
    /// A log that says nothing of Entra ID is fine.
    pub(super) entra: Outcome,
    pub(super) definitions: Outcome,
    /// What failed, in the log's own lines.
    pub(super) lines: Vec<String>,
    /// The reason that the Azure CLI's catalogue has for the first failure.
    pub(super) code: Code,
    /// A warning: cluster connect will not work.
    pub(super) unconnectable: Option<String>,
}

const DNS: &str = "DNS Result:";
const OUTBOUND: &str = "Outbound Network Connectivity";
const ENTRA: &str = "Entra Authentication Endpoint Connectivity Check Result";
const DEFINITIONS: &str = "Check Failed: CRD";

/// Words by which a failed lookup is known, with the catalogue's reasons.
const LOOKUPS: [(&str, Code); 6] = [
    ("NXDOMAIN", Code::DNS_UNKNOWN),
    ("connection timed out", Code::DNS_TIMEOUT),
    ("timed out", Code::DNS_TIMEOUT),
    ("SERVFAIL", Code::DNS_FAILURE),
    ("no servers could be reached", Code::DNS_NO_SERVERS),
    ("communications error", Code::DNS_COMMUNICATION),
];

impl Results {
    /// Reads the log of a Job that is complete.
    pub(super) fn read(log: &str) -> Self {
        let mut results = Self {
            dns: Outcome::Passed,
            outbound: Outcome::Passed,
            entra: Outcome::Passed,
            definitions: Outcome::Passed,
            lines: Vec::new(),
            code: Code::CHECKS_FAILED,
            unconnectable: None,
        };
        // The Azure CLI takes a log without a line for a good one.
        if log.trim().is_empty() {
            return results;
        }
        results.dns(log);
        results.outbound(log);
        results.entra(log);
        results.definitions(log);
        results
    }

    /// Whether onboarding may go on, goes wrong, or cannot be judged.
    pub(super) fn verdict(&self) -> Outcome {
        let all = [self.dns, self.outbound, self.entra, self.definitions];
        match all {
            _ if all.contains(&Outcome::Failed) => Outcome::Failed,
            _ if all.contains(&Outcome::Incomplete) => Outcome::Incomplete,
            _ => Outcome::Passed,
        }
    }

    fn failed(&mut self, code: Code, line: &str) -> Outcome {
        if self.lines.is_empty() {
            self.code = code;
        }
        self.lines.push(line.trim().to_owned());
        Outcome::Failed
    }

    fn dns(&mut self, log: &str) {
        let known = |line: &&str| ![OUTBOUND, ENTRA, DEFINITIONS].iter().any(|other| line.contains(other));
        let block: Vec<&str> = log.lines().skip_while(|line| !line.contains(DNS)).take_while(known).collect();
        if block.is_empty() {
            self.dns = Outcome::Incomplete;
            return;
        }
        let found = LOOKUPS.iter().find_map(|(word, code)| {
            block.iter().find(|line| line.contains(word)).map(|line| (*line, *code))
        });
        if let Some((line, code)) = found {
            self.dns = self.failed(code, line);
        }
    }

    fn outbound(&mut self, log: &str) {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(OUTBOUND)).collect();
        let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
            self.outbound = Outcome::Incomplete;
            return;
        };
        if code(first) == "000" {
            self.unconnectable = Some(first.trim().to_owned());
        }
        if !last.contains(" : ") {
            self.outbound = Outcome::Incomplete;
        } else if code(last) == "000" {
            self.outbound = self.failed(Code::OUTBOUND, last);
        }
    }

    fn entra(&mut self, log: &str) {
        let line = log.lines().find(|line| line.contains(ENTRA));
        if let Some(line) = line.filter(|line| !["200", "404"].contains(&code(line))) {
            self.entra = self.failed(Code::CHECKS_FAILED, line);
        }
    }

    fn definitions(&mut self, log: &str) {
        if let Some(line) = log.lines().find(|line| line.contains(DEFINITIONS)) {
            self.definitions = self.failed(Code::CHECKS_FAILED, line);
        }
    }
}

/// The HTTP status at the end of a line.
fn code(line: &str) -> &str {
    let line = line.trim_end();
    line.get(line.len().saturating_sub(3)..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "DNS Result:Name: kubernetes.default.svc.cluster.local\nAddress: 10.96.0.1\n\
        Outbound Network Connectivity Cluster Connect Precheck Result : https://eastus.obo.arc.azure.com:8084/ : 200\n\
        Outbound Network Connectivity Onboarding Precheck Result : https://management.azure.com : 404\n\
        Entra Authentication Endpoint Connectivity Check Result : https://login.microsoftonline.com : 200\n";

    #[test]
    fn any_answer_of_a_host_is_good_and_none_fails() {
        assert_eq!(Results::read(GOOD).verdict(), Outcome::Passed);
        assert_eq!(Results::read("").verdict(), Outcome::Passed);
        let silent = Results::read(&GOOD.replace(": 404", ": 000"));
        assert_eq!(
            (silent.outbound, silent.code, silent.verdict()),
            (Outcome::Failed, Code::OUTBOUND, Outcome::Failed)
        );
        assert!(silent.lines[0].contains("management.azure.com"));
        let silent = Results::read(&GOOD.replace("8084/ : 200", "8084/ : 000"));
        assert!(silent.unconnectable.is_some() && silent.verdict() == Outcome::Passed);
        let refused = Results::read(
            &GOOD.replace("login.microsoftonline.com : 200", "login.microsoftonline.com : 503"),
        );
        assert_eq!((refused.entra, refused.code), (Outcome::Failed, Code::CHECKS_FAILED));
    }

    #[test]
    fn a_lookup_that_fails_has_its_own_code() {
        for (said, code) in [
            ("** server can't find x: NXDOMAIN", Code::DNS_UNKNOWN),
            (";; connection timed out", Code::DNS_TIMEOUT),
            (";; communications error: no servers could be reached", Code::DNS_NO_SERVERS),
            ("SERVFAIL", Code::DNS_FAILURE),
        ] {
            let read = Results::read(&GOOD.replace("Address: 10.96.0.1", said));
            assert_eq!((read.dns, read.code), (Outcome::Failed, code), "{said}");
        }
    }

    #[test]
    fn a_log_without_a_result_decides_nothing() {
        let lost = Results::read("something else\n");
        assert_eq!(
            (lost.dns, lost.outbound, lost.verdict()),
            (Outcome::Incomplete, Outcome::Incomplete, Outcome::Incomplete)
        );
        let crd = Results::read(&format!("{GOOD}Check Failed: CRD x belongs to another release\n"));
        assert_eq!((crd.definitions, crd.verdict()), (Outcome::Failed, Outcome::Failed));
    }
}
