//! Rules as people write them: strict, so that a misspelled key is an error and not a rule that does something else.

use serde::Deserialize;
use serde::de::Error as _;

use super::{Effect, Hook, Line, Matcher, Rule};

/// Every key that a rule may have, side by side. A parser that knows places can name the line of an unknown one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Written {
    #[serde(default)]
    id: String,
    hook: Option<Hook>,
    #[serde(default, rename = "match")]
    matcher: Matcher,
    effect: Name,
    millis: Option<u64>,
    status: Option<u16>,
    code: Option<String>,
    message: Option<String>,
    retry_after: Option<u64>,
    bytes: Option<u64>,
    jitter: Option<u64>,
    bytes_per_second: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Name {
    Delay,
    Respond,
    Reset,
    Hang,
    Refuse,
    Fail,
    Stuck,
    ResetAt,
    Truncate,
    Stall,
    HalfOpen,
    Cut,
    Slow,
    SlowClose,
}

impl Name {
    /// How it is written.
    fn as_str(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::Respond => "respond",
            Self::Reset => "reset",
            Self::Hang => "hang",
            Self::Refuse => "refuse",
            Self::Fail => "fail",
            Self::Stuck => "stuck",
            Self::ResetAt => "resetAt",
            Self::Truncate => "truncate",
            Self::Stall => "stall",
            Self::HalfOpen => "halfOpen",
            Self::Cut => "cut",
            Self::Slow => "slow",
            Self::SlowClose => "slowClose",
        }
    }

    /// The keys that belong to it: required, then optional.
    fn keys(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Delay | Self::Cut | Self::SlowClose => (&["millis"], &[]),
            Self::ResetAt | Self::Truncate | Self::Stall | Self::HalfOpen => (&["bytes"], &[]),
            Self::Slow => (&[], &["millis", "jitter", "bytesPerSecond"]),
            Self::Respond => (&["status", "code", "message"], &["retryAfter"]),
            Self::Fail => (&["code", "message"], &[]),
            Self::Reset | Self::Hang | Self::Refuse | Self::Stuck => (&[], &[]),
        }
    }
}

/// The effects that something can come of on the hook `wire`. The first five are those of `before` and `after` as well.
pub const WIRE_EFFECTS: [&str; 12] = [
    "delay",
    "respond",
    "reset",
    "refuse",
    "hang",
    "resetAt",
    "truncate",
    "stall",
    "halfOpen",
    "cut",
    "slow",
    "slowClose",
];

/// A hook's name, the facts that can be told there, and the effects that something can come of.
fn known(hook: Hook) -> (&'static str, &'static [&'static str], &'static [&'static str]) {
    const REQUEST: [&str; 8] =
        ["host", "method", "path", "route", "surface", "apiVersion", "caller", "status"];
    match hook {
        Hook::Wire => ("wire", &["host", "port", "method", "route", "hop"], &WIRE_EFFECTS),
        Hook::Before => ("before", REQUEST.split_at(7).0, WIRE_EFFECTS.split_at(5).0),
        Hook::After => ("after", &REQUEST, WIRE_EFFECTS.split_at(5).0),
        Hook::Settle => ("settle", &["operation", "resource", "id"], &["delay", "hang", "fail", "stuck"]),
        Hook::Kubelet => (
            "kubelet",
            &["action", "cluster", "node", "namespace", "pod", "container", "image"],
            &["delay", "reset", "refuse", "hang", "fail", "stuck"],
        ),
    }
}

impl Written {
    /// The keys of effects that are there.
    fn given(&self) -> impl Iterator<Item = &'static str> {
        let there = [
            ("millis", self.millis.is_some()),
            ("status", self.status.is_some()),
            ("code", self.code.is_some()),
            ("message", self.message.is_some()),
            ("retryAfter", self.retry_after.is_some()),
            ("bytes", self.bytes.is_some()),
            ("jitter", self.jitter.is_some()),
            ("bytesPerSecond", self.bytes_per_second.is_some()),
        ];
        there.into_iter().filter_map(|(key, there)| there.then_some(key))
    }

    /// Says which keys the effect lacks, or has and does not know.
    fn check(&self, hook: Hook) -> Result<(), String> {
        let (required, optional) = self.effect.keys();
        let name = self.effect.as_str();
        if let Some(missing) = required.iter().find(|key| !self.given().any(|given| given == **key)) {
            return Err(format!("effect '{name}' needs '{missing}'"));
        }
        let foreign = self.given().find(|given| !required.contains(given) && !optional.contains(given));
        if let Some(key) = foreign {
            return Err(format!("effect '{name}' has no '{key}'"));
        }
        if self.effect == Name::Slow && self.given().next().is_none() {
            return Err("effect 'slow' needs one of 'millis', 'jitter', 'bytesPerSecond'".into());
        }
        if self.bytes_per_second == Some(0) {
            return Err("nothing passes at 0 bytes per second: use effect 'stall'".into());
        }
        self.check_hook(hook)
    }

    /// Says what its hook does not know or cannot do: such a rule would never fire.
    fn check_hook(&self, hook: Hook) -> Result<(), String> {
        let (hook, facts, effects) = known(hook);
        let name = self.effect.as_str();
        if !effects.contains(&name) {
            return Err(format!("hook '{hook}' has no effect '{name}', but {}", effects.join(", ")));
        }
        if let Some(unknown) = self.matcher.facts.keys().find(|fact| !facts.contains(&fact.as_str())) {
            return Err(format!("hook '{hook}' has no fact '{unknown}', but {}", facts.join(", ")));
        }
        match &self.matcher.nth {
            Some(nth) if nth.is_empty() || nth.contains(&0) => {
                Err("nth counts matches from 1: write nth: [1]".into())
            }
            _ => Ok(()),
        }
    }

    fn effect(self) -> Effect {
        let (code, message) = (self.code.unwrap_or_default(), self.message.unwrap_or_default());
        let (millis, bytes) = (self.millis.unwrap_or_default(), self.bytes.unwrap_or_default());
        match self.effect {
            Name::Delay => Effect::Delay { millis },
            Name::Respond => Effect::Respond {
                status: self.status.unwrap_or_default(),
                code,
                message,
                retry_after: self.retry_after,
            },
            Name::Reset => Effect::Reset,
            Name::Hang => Effect::Hang,
            Name::Refuse => Effect::Refuse,
            Name::Fail => Effect::Fail { code, message },
            Name::Stuck => Effect::Stuck,
            Name::ResetAt => Effect::Line(Line::ResetAt { bytes }),
            Name::Truncate => Effect::Line(Line::Truncate { bytes }),
            Name::Stall => Effect::Line(Line::Stall { bytes }),
            Name::HalfOpen => Effect::Line(Line::HalfOpen { bytes }),
            Name::Cut => Effect::Line(Line::Cut { millis }),
            Name::Slow => {
                let jitter = self.jitter.unwrap_or_default();
                Effect::Line(Line::Slow { millis, jitter, bytes_per_second: self.bytes_per_second })
            }
            Name::SlowClose => Effect::Line(Line::SlowClose { millis }),
        }
    }

    fn rule(mut self, hook: Hook) -> Result<Rule, String> {
        self.check(hook)?;
        let id = std::mem::take(&mut self.id);
        let matcher = std::mem::take(&mut self.matcher);
        Ok(Rule { id, hook, matcher, effect: self.effect() })
    }
}

impl<'de> Deserialize<'de> for Rule {
    /// A rule without an `id` has an empty one: who adds it chooses.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        let hook = written.hook.ok_or_else(|| D::Error::missing_field("hook"))?;
        written.rule(hook).map_err(D::Error::custom)
    }
}

/// A rule of the `wire` hook, written where no other hook can be meant: `hook` may be left out.
#[derive(Debug, Clone, PartialEq)]
pub struct WireRule(pub Rule);

impl<'de> Deserialize<'de> for WireRule {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(deserializer)?;
        if written.hook.is_some_and(|hook| hook != Hook::Wire) {
            return Err(D::Error::custom("a proxy knows the hook 'wire' only: leave 'hook' out"));
        }
        written.rule(Hook::Wire).map(Self).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Effect, Hook, Line, Rule, RuleStatus, WireRule};

    fn read(text: &str) -> Result<Rule, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_key_that_no_rule_has_is_refused_by_name() {
        let error = read(r#"{"hook":"wire","effect":"reset","probabilty":0.5}"#).unwrap_err();
        assert!(error.contains("probabilty") && error.contains("hook"), "{error}");
        let error = read(r#"{"hook":"wire","effect":"reset","nth":[1]}"#).unwrap_err();
        assert!(error.contains("nth"), "{error}");
        let error = read(r#"{"hook":"wire","match":{"fact":{}},"effect":"reset"}"#).unwrap_err();
        assert!(error.contains("`fact`"), "{error}");
    }

    #[test]
    fn an_effect_has_the_keys_that_belong_to_it_and_no_others() {
        let error = read(r#"{"hook":"before","effect":"reset","status":429}"#).unwrap_err();
        assert!(error.contains("effect 'reset' has no 'status'"), "{error}");
        let error = read(r#"{"hook":"before","effect":"respond","status":429,"code":"x"}"#).unwrap_err();
        assert!(error.contains("effect 'respond' needs 'message'"), "{error}");
        assert!(read(r#"{"hook":"before","effect":"explode"}"#).unwrap_err().contains("respond"));
        let delay = read(r#"{"hook":"before","effect":"delay","millis":5}"#).unwrap();
        assert_eq!(delay.effect, Effect::Delay { millis: 5 });
    }

    #[test]
    fn a_rule_that_could_never_fire_is_refused() {
        let error = read(r#"{"hook":"wire","match":{"facts":{"hots":"x"}},"effect":"reset"}"#).unwrap_err();
        assert!(error.contains("no fact 'hots'") && error.contains("host"), "{error}");
        let error = read(r#"{"hook":"wire","effect":"fail","code":"c","message":"m"}"#).unwrap_err();
        assert!(error.contains("no effect 'fail'") && error.contains("refuse"), "{error}");
        let error =
            read(r#"{"hook":"before","match":{"facts":{"status":"200"}},"effect":"reset"}"#).unwrap_err();
        assert!(error.contains("no fact 'status'"), "{error}");
        for nth in ["[]", "[0]"] {
            let text = format!(r#"{{"hook":"wire","match":{{"nth":{nth}}},"effect":"reset"}}"#);
            assert!(read(&text).unwrap_err().contains("from 1"));
        }
    }

    #[test]
    fn what_happens_to_bytes_belongs_to_the_wire_and_is_complete() {
        let error = read(r#"{"hook":"before","effect":"resetAt","bytes":1}"#).unwrap_err();
        assert!(error.contains("hook 'before' has no effect 'resetAt'"), "{error}");
        let error = read(r#"{"hook":"wire","effect":"truncate"}"#).unwrap_err();
        assert!(error.contains("needs 'bytes'"), "{error}");
        assert!(read(r#"{"hook":"wire","effect":"slow"}"#).unwrap_err().contains("one of"));
        assert!(read(r#"{"hook":"wire","effect":"slow","bytesPerSecond":0}"#).unwrap_err().contains("stall"));
        assert!(read(r#"{"effect":"reset"}"#).unwrap_err().contains("hook"));
        let rule: WireRule = serde_json::from_str(r#"{"effect":"cut","millis":60000}"#).unwrap();
        assert_eq!((rule.0.hook, rule.0.effect), (Hook::Wire, Effect::Line(Line::Cut { millis: 60_000 })));
        assert!(serde_json::from_str::<WireRule>(r#"{"hook":"before","effect":"reset"}"#).is_err());
    }

    #[test]
    fn what_is_written_out_reads_back() {
        let texts = [
            r#"{"id":"a","hook":"before","effect":"respond","status":429,"code":"c","message":"m","retryAfter":5}"#,
            r#"{"id":"b","hook":"settle","match":{"facts":{"operation":"*/write"},"nth":[1]},"effect":"stuck"}"#,
            r#"{"id":"c","hook":"kubelet","effect":"fail","code":"c","message":"m"}"#,
            r#"{"id":"d","hook":"wire","effect":"halfOpen","bytes":7}"#,
            r#"{"id":"e","hook":"wire","effect":"slow","millis":5,"jitter":3,"bytesPerSecond":1000}"#,
        ];
        for text in texts {
            let rule = read(text).unwrap();
            assert_eq!(read(&serde_json::to_string(&rule).unwrap()).unwrap(), rule);
            let status = RuleStatus { rule: rule.clone(), matched: 1, fired: 0, last_miss: None };
            let back: RuleStatus = serde_json::from_str(&serde_json::to_string(&status).unwrap()).unwrap();
            assert_eq!(back.rule, rule);
        }
    }
}
