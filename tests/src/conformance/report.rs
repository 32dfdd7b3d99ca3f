//! Holding two servers' answers against each other.

use std::fmt::Write as _;

use serde_json::Value;

use super::case::{Case, CaseFile};
use super::run::Outcome;
use super::store::Differences;

/// How one case came out.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The case's file.
    pub area: String,
    /// The case.
    pub name: String,
    /// What the real server did, in short.
    pub real: String,
    /// What this one did, in short.
    pub ours: String,
    /// Where they differ.
    pub differences: Vec<Difference>,
    /// Why they may.
    pub reason: Option<String>,
}

/// One place where two answers differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which step, from 0.
    pub step: usize,
    /// Where in the answer, as a JSON pointer.
    pub at: String,
    /// What the real server said there.
    pub real: String,
    /// What this one said.
    pub ours: String,
}

impl Verdict {
    /// What is wrong, for people: a difference that nothing explains, or an explanation without a difference.
    #[must_use]
    pub fn complaint(&self) -> Option<String> {
        match (&self.reason, self.differences.as_slice()) {
            (None, []) | (Some(_), [_, ..]) => None,
            (Some(reason), []) => {
                Some(format!("no longer differs; take it out of differences.yaml (it says: {reason})"))
            }
            (None, all) => {
                let mut text = String::new();
                for one in all {
                    let (step, at) = (one.step, &one.at);
                    // Writing to a String cannot fail.
                    let _ = write!(text, "\nstep {step} {at}\n  real: {}\n  ours: {}", one.real, one.ours);
                }
                Some(text)
            }
        }
    }
}

/// Compares what both servers answered to a case; `ours` may be an error of the run.
#[must_use]
pub fn judge(
    file: &CaseFile,
    case: &Case,
    real: Option<&Vec<Outcome>>,
    ours: &Result<Vec<Outcome>, String>,
    known: &Differences,
) -> Verdict {
    let mut differences = Vec::new();
    let none = Vec::new();
    let real = real.unwrap_or(&none);
    match ours {
        Ok(ours) => {
            for step in 0..real.len().max(ours.len()) {
                let missing = Value::from("<not recorded>");
                let (one, other) = (real.get(step).unwrap_or(&missing), ours.get(step).unwrap_or(&missing));
                compare(step, "", Some(one), Some(other), &mut differences);
            }
        }
        Err(why) => {
            let real = short(real);
            differences.push(Difference { step: 0, at: String::new(), real, ours: why.clone() });
        }
    }
    Verdict {
        area: file.area.clone(),
        name: case.name.clone(),
        real: short(real),
        ours: ours.as_ref().map_or_else(|_| "cannot be run".to_owned(), |ours| short(ours)),
        differences,
        reason: known.reason(&file.area, &case.name).map(ToOwned::to_owned),
    }
}

fn compare(step: usize, at: &str, real: Option<&Value>, ours: Option<&Value>, found: &mut Vec<Difference>) {
    match (real, ours) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                compare(step, &at, a.get(key), b.get(key), found);
            }
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                compare(step, &format!("{at}/{index}"), Some(a), Some(b), found);
            }
        }
        (real, ours) if real == ours => {}
        (real, ours) => {
            let shown =
                |value: Option<&Value>| value.map_or_else(|| "nothing".to_owned(), ToString::to_string);
            found.push(Difference { step, at: at.to_owned(), real: shown(real), ours: shown(ours) });
        }
    }
}

/// `201, 422 Invalid spec.replicas`: the answers to the steps that count.
fn short(outcomes: &[Outcome]) -> String {
    let one = |outcome: &Outcome| {
        let mut text = outcome["code"].to_string();
        if let Some(reason) =
            outcome["body"]["reason"].as_str().filter(|_| outcome["code"].as_u64() >= Some(400))
        {
            text.push(' ');
            text.push_str(reason);
        }
        let causes = outcome.pointer("/body/details/causes").and_then(Value::as_array);
        let mut fields: Vec<&str> =
            causes.into_iter().flatten().filter_map(|cause| cause["field"].as_str()).collect();
        fields.dedup();
        if !fields.is_empty() {
            text.push(' ');
            text.push_str(&fields.join(" "));
        }
        text
    };
    let all: Vec<String> = outcomes.iter().filter(|outcome| !outcome.is_null()).map(one).collect();
    all.join(", ")
}

/// The table of all cases, in Markdown.
#[must_use]
pub fn table(kubernetes: &str, verdicts: &[Verdict]) -> String {
    let same = verdicts.iter().filter(|verdict| verdict.differences.is_empty()).count();
    let mut text = format!(
        "# Conformance\n\nWhat a real Kubernetes {kubernetes} answers, and what the embedded cluster does: {} cases, {same} alike, \
         {} different for a reason. *same* means: the same status codes, warnings and bodies, but for ids, times,\n\
         revisions and drawn names. This file is generated.\n",
        verdicts.len(),
        verdicts.len() - same,
    );
    let mut area = "";
    for verdict in verdicts {
        if verdict.area != area {
            area = &verdict.area;
            let _ = write!(text, "\n## {area}\n\n| case | real | ours |\n|---|---|---|\n");
        }
        let ours = match (&verdict.reason, verdict.differences.is_empty()) {
            (_, true) => "same".to_owned(),
            (Some(reason), false) if verdict.ours == verdict.real => format!("differs: {reason}"),
            (Some(reason), false) => format!("{}: {reason}", verdict.ours),
            (None, false) => verdict.ours.clone(),
        };
        let cell = |text: &str| text.replace('|', "\\|").replace('\n', " ");
        let _ = writeln!(text, "| {} | {} | {} |", cell(&verdict.name), cell(&verdict.real), cell(&ours));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_difference_is_found_and_must_be_explained() {
        let file = CaseFile::parse("area", "cases:\n- case: one\n  do: GET /\n").unwrap();
        let real = vec![json!({"code": 200, "body": {"a": [1, {"b": 2}]}})];
        let ours = Ok(vec![json!({"code": 200, "body": {"a": [1, {"b": 3}]}})]);
        let judged = |ours: &Result<_, _>, known: &str| {
            let known = serde_saphyr::from_str::<Differences>(known).unwrap();
            judge(&file, &file.cases[0], Some(&real), ours, &known)
        };
        let verdict = judged(&ours, "{}");
        assert_eq!(verdict.differences[0].at, "/body/a/1/b");
        assert!(verdict.complaint().is_some());
        assert!(judged(&ours, "area: {one: because}").complaint().is_none());
        assert!(judged(&Ok(real.clone()), "{}").complaint().is_none());
        assert!(judged(&Ok(real.clone()), "area: {one: because}").complaint().is_some());
    }
}
