//! Reading scenarios: strict, and with the place of what is wrong.

use std::path::{Path, PathBuf};

use sim_core::faults::Rule;

use super::expect::{ClusterCheck, Expect};
use super::model::Scenario;
use super::step::{PLACES, Step};
use crate::driver::Stage;

/// The longest scenario that is read, in bytes.
const LARGEST: u64 = 256 << 10;

/// A scenario cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {reason}")]
pub struct ScenarioError {
    /// The file, or the name of a built-in scenario.
    pub place: String,
    /// What is wrong, with line and column where there is one.
    pub reason: String,
}

impl ScenarioError {
    fn new(place: impl std::fmt::Display, reason: impl std::fmt::Display) -> Self {
        Self { place: place.to_string(), reason: reason.to_string() }
    }
}

impl Scenario {
    /// Reads a scenario. Unknown keys, steps without one action and expectations that cannot come true are errors.
    ///
    /// # Errors
    /// [`ScenarioError`] with line and column where the text itself is wrong.
    pub fn read(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let wrong = |reason: String| ScenarioError::new(name, reason);
        if text.trim().is_empty() {
            return Err(wrong("it is empty".into()));
        }
        let mut scenario: Self = serde_saphyr::from_str(text).map_err(|error| {
            let error = error.to_string();
            wrong(error.strip_prefix("error: ").unwrap_or(&error).trim_end().to_owned())
        })?;
        scenario.name = name.to_owned();
        scenario.check().map_err(wrong)?;
        Ok(scenario)
    }

    /// Reads the scenario of a file.
    ///
    /// # Errors
    /// [`ScenarioError`] that names the file.
    pub fn read_file(path: &Path) -> Result<Self, ScenarioError> {
        let shown = path.display();
        let failed =
            |error: std::io::Error| ScenarioError::new(&shown, format!("it cannot be read: {error}"));
        if std::fs::metadata(path).map_err(&failed)?.len() > LARGEST {
            return Err(ScenarioError::new(&shown, "it is longer than 256 KiB"));
        }
        let text = std::fs::read_to_string(path).map_err(&failed)?;
        let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        let mut scenario =
            Self::read(&name, &text).map_err(|error| ScenarioError::new(&shown, error.reason))?;
        let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        scenario.folder = Some(folder.into());
        Ok(scenario)
    }

    /// Reads every `.yaml` and `.yml` file of a folder and of the folders in it, in the order of their paths.
    ///
    /// # Errors
    /// [`ScenarioError`] for the first file that is no scenario, or a folder without any.
    pub fn read_folder(folder: &Path) -> Result<Vec<Self>, ScenarioError> {
        let mut files = Vec::new();
        collect(folder, &mut files)?;
        files.sort_unstable();
        if files.is_empty() {
            return Err(ScenarioError::new(folder.display(), "there is no .yaml file in it"));
        }
        files.iter().map(|file| Self::read_file(file)).collect()
    }

    fn check(&self) -> Result<(), String> {
        let texts = [("title", &self.title), ("symptom", &self.symptom), ("cause", &self.cause)];
        if let Some((name, _)) = texts.iter().find(|(_, text)| text.trim().is_empty()) {
            return Err(format!("'{name}' is empty"));
        }
        if self.sources.is_empty() {
            return Err("'sources' is empty: name the public issue or document that it models".into());
        }
        let ids: Vec<&str> = self.rule_ids().collect();
        if ids.iter().any(|id| id.is_empty()) {
            return Err("a fault rule has no id: the report says by it what struck".into());
        }
        if let Some(twice) = ids.iter().enumerate().find(|(at, id)| ids[..*at].contains(*id)) {
            return Err(format!("two fault rules have the id '{}'", twice.1));
        }
        for (act, steps) in [("steps", &self.steps), ("remedy.steps", &self.remedy.steps)] {
            if steps.is_empty() {
                return Err(format!("'{act}' is empty"));
            }
            for (number, step) in steps.iter().enumerate() {
                check_step(step, &ids).map_err(|reason| format!("{act}[{number}]: {reason}"))?;
            }
        }
        self.check_network()?;
        super::driver::check(self)?;
        if let Some(unknown) = self.expect.fired.keys().find(|id| !ids.contains(&id.as_str())) {
            return Err(format!("expect.fired names no rule: '{unknown}'"));
        }
        check_expect(&self.expect).map_err(|reason| format!("expect: {reason}"))?;
        check_expect(&self.remedy.expect).map_err(|reason| format!("remedy.expect: {reason}"))?;
        if !self.shows_a_failure() {
            return Err(
                "nothing in it fails: a step, or 'expect', has to say what the user sees before the remedy"
                    .into(),
            );
        }
        Ok(())
    }

    fn check_network(&self) -> Result<(), String> {
        let network = &self.network;
        let proxies =
            [("workstationProxy", &network.workstation_proxy), ("clusterProxy", &network.cluster_proxy)];
        for (name, proxy) in proxies {
            if let Some(proxy) = proxy {
                proxy.check().map_err(|error| format!("network.{name}: {error}"))?;
            }
        }
        let missing = |text: &str| {
            let named = proxies.iter().find(|(name, _)| text.contains(&format!("{{{name}")));
            named.filter(|(_, proxy)| proxy.is_none()).map(|(name, _)| *name)
        };
        for step in self.steps.iter().chain(&self.remedy.steps) {
            for text in step.texts_about_proxies() {
                if let Some(name) = missing(text) {
                    return Err(format!("a step names {{{name}}}, and network.{name} is not there"));
                }
                if PLACES.iter().fold(text.to_owned(), |text, place| text.replace(place, "")).contains('{') {
                    return Err(format!("'{text}' names something that is not one of {}", PLACES.join(", ")));
                }
            }
        }
        Ok(())
    }

    /// Ids of the rules that it makes, in the order of the text.
    pub(super) fn rule_ids(&self) -> impl Iterator<Item = &str> {
        self.rules().map(|rule| rule.id.as_str())
    }

    /// Rules that will probably never fire, each with its id and why: they name a host, a route or a method that there is not.
    #[must_use]
    pub fn doubts(&self) -> Vec<String> {
        let of = |rule: &Rule| {
            let told = |doubt| format!("fault rule '{}' will probably never fire: {doubt}", rule.id);
            mock_arm::admin::doubts(rule).into_iter().map(told).collect::<Vec<_>>()
        };
        self.rules().flat_map(of).collect()
    }

    /// The rules that it makes, in the order of the text.
    fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.faults.iter().chain(self.all_steps().filter_map(|step| step.fault.as_ref()))
    }

    fn shows_a_failure(&self) -> bool {
        let expected = |step: &Step| step.expect.is_some();
        let expect = &self.expect;
        self.steps.iter().any(expected) || !expect.arm.is_empty() || !expect.cluster.is_empty()
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), ScenarioError> {
    let failed =
        |error: std::io::Error| ScenarioError::new(folder.display(), format!("it cannot be read: {error}"));
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        // Links are not followed, so that a folder cannot hold itself.
        if entry.file_type().map_err(failed)?.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
            files.push(path);
        }
    }
    Ok(())
}

fn check_step(step: &Step, ids: &[&str]) -> Result<(), String> {
    match step.actions().as_slice() {
        [_] => {}
        [] => return Err("it does nothing: name one action, such as 'onboard: {}'".into()),
        [one, other, ..] => return Err(format!("it does both '{one}' and '{other}': make two steps of it")),
    }
    if let Some(expect) = &step.expect {
        let stage = expect.stage.as_deref().filter(|name| Stage::all().all(|stage| stage.name() != *name));
        if let Some(unknown) = stage {
            let known: Vec<&str> = Stage::all().map(Stage::name).collect();
            return Err(format!("there is no stage '{unknown}', but {}", known.join(", ")));
        }
        let error = expect.stage.is_some() || expect.code.is_some();
        if error && step.onboard.is_none() && step.offboard.is_none() {
            return Err("only 'onboard' and 'offboard' have a stage and a code of the Azure CLI".into());
        }
        if error && expect.exit == Some(0) {
            return Err("it cannot succeed and have an error's stage or code".into());
        }
        let calls = step.arm.is_some() || step.register.is_some() || step.group.is_some();
        if expect.status.is_some() && !calls {
            return Err("only 'arm', 'register' and 'group' have a status".into());
        }
        if !expect.is.is_empty() && step.arm.is_none() && !step.is_of_tool() {
            return Err("only 'arm' has an answer, and 'kubectl', 'helm' and 'sh' may print one".into());
        }
    }
    if let Some(id) = &step.clear
        && id != "all"
        && !ids.contains(&id.as_str())
        && !id.starts_with("blocked:")
        && !id.starts_with("reset:")
    {
        return Err(format!("there is no rule '{id}' to clear"));
    }
    if let Some(wait) = &step.wait {
        if wait.arm.is_empty() && wait.cluster.is_empty() {
            return Err("it waits for nothing: name something in 'arm' or 'cluster'".into());
        }
        wait.cluster.iter().try_for_each(check_cluster)?;
    }
    if let Some(who) = &step.who
        && who.principal.is_none()
        && who.secret.is_none()
        && who.tenant.is_none()
    {
        return Err("'as' names nobody".into());
    }
    Ok(())
}

fn check_expect(expect: &Expect) -> Result<(), String> {
    expect.cluster.iter().try_for_each(check_cluster)?;
    if let Some(time) = expect.time
        && let (Some(least), Some(most)) = (time.at_least, time.at_most)
        && least.0 > most.0
    {
        return Err("time: it cannot take at least longer than at most".into());
    }
    let impossible = |least: Option<u64>, most: Option<u64>| least.zip(most).is_some_and(|(l, m)| l > m);
    if expect.journal.iter().any(|one| impossible(one.at_least, one.at_most)) {
        return Err("journal: there cannot be at least more than at most".into());
    }
    expect.arm.iter().try_for_each(|one| {
        if one.absent && !one.is.is_empty() {
            return Err(format!("arm: '{}' cannot be absent and have something", one.of));
        }
        Ok(())
    })
}

fn check_cluster(check: &ClusterCheck) -> Result<(), String> {
    let named = [check.object.is_some(), check.pod.is_some(), check.event.is_some()];
    if named.iter().filter(|there| **there).count() != 1 {
        return Err("cluster: name one of 'object', 'pod' and 'event'".into());
    }
    if check.object.is_none() && !check.is.is_empty() {
        return Err("cluster: 'is' belongs to 'object'".into());
    }
    let of_pods = check.status.is_some() || check.ready.is_some() || !check.log.0.is_empty();
    if of_pods && check.pod.is_none() {
        return Err("cluster: 'status', 'ready' and 'log' belong to 'pod'".into());
    }
    if !check.text.0.is_empty() && check.event.is_none() {
        return Err("cluster: 'text' belongs to 'event'".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "title: t\nsymptom: s\ncause: c\nsources: [https://example.com/1]\ntags: [x]\n";

    fn error(rest: &str) -> String {
        Scenario::read("one", &format!("{HEAD}{rest}")).unwrap_err().to_string()
    }

    #[test]
    fn a_key_that_no_scenario_has_is_refused_with_its_place() {
        let shown = error("steps:\n  - onboard: {}\n    expct: {exit: 1}\nremedy: {what: w, steps: []}\n");
        assert!(shown.contains("expct") && shown.contains('8'), "{shown}");
        let shown = error("stepps: []\n");
        assert!(shown.contains("stepps") && shown.contains("line 6"), "{shown}");
        let shown = error("world: {cloud: {tennant: {}}}\nsteps: []\nremedy: {what: w, steps: []}\n");
        assert!(shown.contains("tennant"), "{shown}");
    }

    #[test]
    fn what_cannot_come_true_is_refused_before_anything_starts() {
        let good = "remedy: {what: w, steps: [{onboard: {}}]}\n";
        for (text, said) in [
            ("steps: [{}]\n", "does nothing"),
            ("steps: [{onboard: {}, group: {}}]\n", "both"),
            ("steps: [{onboard: {}}]\n", "nothing in it fails"),
            ("steps: [{onboard: {}, expect: {stage: nowhere}}]\n", "no stage 'nowhere'"),
            ("steps: [{onboard: {}, expect: {exit: 0, code: AZK8S0001}}]\n", "cannot succeed"),
            ("steps: [{group: {}, expect: {code: AZK8S0001}}]\n", "only 'onboard'"),
            ("steps: [{clear: r, expect: {exit: 1}}]\n", "no rule 'r'"),
            ("steps: [{advance: 5}]\n", "span"),
            ("steps: [{wait: {within: 5m}}]\n", "waits for nothing"),
            ("faults: [{hook: wire, effect: reset}]\nsteps: [{onboard: {}}]\n", "no id"),
            ("steps: [{onboard: {}}]\nexpect: {cluster: [{status: Running}]}\n", "name one of"),
            ("steps: [{onboard: {}}]\nexpect: {time: {atLeast: 2m, atMost: 1m}}\n", "longer than"),
            ("steps: [{onboard: {}}]\nexpect: {fired: {r: 1}}\n", "names no rule"),
            (
                "steps: [{onboard: {proxyHttps: 'http://{clusterProxy}'}}]\n",
                "network.clusterProxy is not there",
            ),
            (
                "network: {clusterProxy: {}}\nsteps: [{onboard: {proxyCert: '{clusterProxyCA}'}}]\n",
                "not one of",
            ),
            ("network: {clusterProxy: {refusal: {status: 200}}}\nsteps: [{onboard: {}}]\n", "refusal.status"),
        ] {
            let shown = error(&format!("{text}{good}"));
            assert!(shown.contains(said), "{text}: {shown}");
        }
        let text = format!("{HEAD}steps: [{{onboard: {{}}, expect: {{exit: 1}}}}]\n{good}");
        assert_eq!(Scenario::read("one", &text).unwrap().name, "one");
    }

    #[test]
    fn a_folder_is_read_with_the_folders_in_it_and_an_empty_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let empty = Scenario::read_folder(folder.path()).unwrap_err().to_string();
        assert!(empty.contains("no .yaml file"), "{empty}");
        std::fs::create_dir(folder.path().join("in")).unwrap();
        let text = format!(
            "{HEAD}steps: [{{onboard: {{}}, expect: {{exit: 1}}}}]\nremedy: {{what: w, steps: [{{onboard: {{}}}}]}}\n"
        );
        std::fs::write(folder.path().join("in/two.yml"), &text).unwrap();
        std::fs::write(folder.path().join("one.yaml"), &text).unwrap();
        let names: Vec<String> =
            Scenario::read_folder(folder.path()).unwrap().into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["two", "one"]);
        std::fs::write(folder.path().join("one.yaml"), "x: 1\n").unwrap();
        let wrong = Scenario::read_folder(folder.path()).unwrap_err().to_string();
        assert!(wrong.contains("one.yaml"), "{wrong}");
    }
}
