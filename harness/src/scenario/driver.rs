//! Who performs the steps of a scenario, and what differs between them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::expect::ClientExpect;
use super::model::{Scenario, Texts};
use super::step::Step;

/// Who performs the steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Driver {
    /// The onboarding driver of this program, with the stages and codes of the Azure CLI.
    #[default]
    Native,
    /// The real Azure CLI with its extension connectedk8s: `register`, `group`, `onboard`, `offboard` and `arm` are its commands.
    Az,
}

impl Driver {
    /// The word in files and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Az => "az",
        }
    }
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How a step ends with [`Driver::Az`], where that differs: the Azure CLI names no stage, prints few of its codes, and has words of its own.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct AzExpect {
    /// The exit code; left out, it is that of the native driver.
    pub exit: Option<u8>,
    /// The code that is printed, such as `AZK8S0309`.
    pub code: Option<String>,
    /// Azure's own error code.
    pub arm_code: Option<String>,
    /// The HTTP status that `az rest` tells of.
    pub status: Option<u16>,
    /// Texts that are printed.
    pub text: Texts,
}

impl ClientExpect {
    /// What is expected when `driver` performs the step.
    #[must_use]
    pub fn with(&self, driver: Driver) -> Self {
        match (driver, &self.az) {
            (Driver::Native, _) => self.clone(),
            (Driver::Az, None) => Self { az: None, exit: Some(self.exit()), ..self.clone() },
            (Driver::Az, Some(az)) => Self {
                exit: az.exit.or(Some(self.exit())),
                stage: None,
                code: az.code.clone(),
                arm_code: az.arm_code.clone(),
                status: az.status,
                text: az.text.clone(),
                is: self.is.clone(),
                az: None,
            },
        }
    }

    /// Whether only the native driver can say what is expected.
    fn is_native_only(&self) -> bool {
        let words = !self.text.0.is_empty() || self.status.is_some();
        self.az.is_none() && (self.stage.is_some() || self.code.is_some() || words)
    }
}

impl Scenario {
    /// The steps of both acts.
    pub(super) fn all_steps(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().chain(&self.remedy.steps)
    }

    /// The real programs that take part when `driver` performs it, by name: whatever they do takes its own time.
    #[must_use]
    pub fn programs(&self, driver: Driver) -> Vec<&'static str> {
        let mut programs: Vec<&'static str> = Vec::new();
        if driver == Driver::Az && self.all_steps().any(Step::is_of_az) {
            programs.push("az");
        }
        for (name, there) in [
            ("kubectl", self.all_steps().any(|step| step.kubectl.is_some())),
            ("helm", self.all_steps().any(|step| step.helm.is_some())),
            ("sh", self.all_steps().any(|step| step.sh.is_some())),
        ] {
            if there {
                programs.push(name);
            }
        }
        programs
    }
}

/// Whether the drivers of a scenario fit what its steps say about them.
///
/// # Errors
/// What does not fit, with its place.
pub(super) fn check(scenario: &Scenario) -> Result<(), String> {
    if scenario.drivers.is_empty() {
        return Err("'drivers' is empty: leave it out, or name native or az".into());
    }
    let az = scenario.drivers.contains(&Driver::Az);
    for (act, steps) in [("steps", &scenario.steps), ("remedy.steps", &scenario.remedy.steps)] {
        for (number, step) in steps.iter().enumerate() {
            check_step(step, az).map_err(|reason| format!("{act}[{number}]: {reason}"))?;
        }
    }
    Ok(())
}

fn check_step(step: &Step, az: bool) -> Result<(), String> {
    if step.who.is_some() && step.is_of_tool() {
        return Err(
            "'as' belongs to register, group, onboard, offboard and arm: a tool signs in by itself".into()
        );
    }
    let direct = step.environment.as_ref().is_some_and(|one| one.no_proxy.is_some());
    if direct && (step.is_of_tool() || az && step.is_of_az()) {
        return Err(
            "'environment.noProxy' is for the native driver: a real program would leave the world by it"
                .into(),
        );
    }
    let Some(expect) = &step.expect else { return Ok(()) };
    if expect.az.is_some() && !step.is_of_az() {
        return Err(
            "'az' belongs to steps that the Azure CLI performs: register, group, onboard, offboard, arm"
                .into(),
        );
    }
    if expect.az.is_some() && !az {
        return Err("it says how the step ends with az, and 'drivers' does not name az".into());
    }
    if az && step.is_of_az() && expect.is_native_only() {
        return Err(
            "the Azure CLI tells no stage and has other words: say under 'az' how the step ends with it"
                .into(),
        );
    }
    if expect.az.as_ref().is_some_and(|az| az.exit == Some(0) && (az.code.is_some() || az.arm_code.is_some()))
    {
        return Err("with az, it cannot succeed and have an error's code".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "title: t\nsymptom: s\ncause: c\nsources: [https://example.com/1]\ntags: [x]\n";
    const REMEDY: &str = "remedy: {what: w, steps: [{onboard: {}}]}\n";

    fn read(rest: &str) -> Result<Scenario, String> {
        Scenario::read("one", &format!("{HEAD}{rest}{REMEDY}")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_step_of_both_drivers_says_how_it_ends_with_each() {
        let text = "drivers: [native, az]\nsteps: [{onboard: {}, expect: {stage: location, code: AZK8S0104, az: {text: supported only}}}]\n";
        let scenario = read(text).unwrap();
        let expect = scenario.steps[0].expect.as_ref().unwrap();
        assert_eq!(expect.with(Driver::Native).stage.as_deref(), Some("location"));
        let az = expect.with(Driver::Az);
        assert_eq!((az.exit(), az.stage, az.code), (1, None, None));
        assert_eq!(az.text.0, ["supported only"]);
        assert_eq!(scenario.programs(Driver::Az), ["az"]);
        assert!(scenario.programs(Driver::Native).is_empty());
    }

    #[test]
    fn what_no_driver_can_say_is_refused() {
        for (text, said) in [
            ("drivers: []\nsteps: [{onboard: {}, expect: {exit: 1}}]\n", "'drivers' is empty"),
            ("drivers: [bash]\nsteps: [{onboard: {}, expect: {exit: 1}}]\n", "bash"),
            ("drivers: [az]\nsteps: [{onboard: {}, expect: {stage: location}}]\n", "under 'az'"),
            ("steps: [{onboard: {}, expect: {exit: 1, az: {text: x}}}]\n", "does not name az"),
            ("drivers: [az]\nsteps: [{sh: exit 1, expect: {exit: 1, az: {text: x}}}]\n", "belongs to steps"),
            ("drivers: [az]\nsteps: [{onboard: {}, expect: {exit: 1, az: {txt: x}}}]\n", "txt"),
            ("drivers: [az]\nsteps: [{onboard: {}, expect: {az: {exit: 0, code: c}}}]\n", "cannot succeed"),
            ("steps: [{environment: {noProxy: x}, sh: exit 1, expect: {exit: 1}}]\n", "noProxy"),
            ("steps: [{as: {secret: s}, sh: exit 1, expect: {exit: 1}}]\n", "'as' belongs"),
        ] {
            let shown = read(text).unwrap_err();
            assert!(shown.contains(said), "{text}: {shown}");
        }
        let shared = read("drivers: [az]\nsteps: [{group: {}, expect: {armCode: AuthorizationFailed}}]\n");
        assert_eq!(shared.unwrap().steps[0].expect.as_ref().unwrap().with(Driver::Az).exit(), 1);
    }

    #[test]
    fn programs_that_take_part_are_named() {
        let scenario =
            read("steps: [{kubectl: [get, pods]}, {helm: [list]}, {sh: exit 3, expect: {exit: 3}}]\n")
                .unwrap();
        assert_eq!(scenario.programs(Driver::Native), ["kubectl", "helm", "sh"]);
        assert_eq!(scenario.programs(Driver::Az), ["az", "kubectl", "helm", "sh"]);
    }
}
