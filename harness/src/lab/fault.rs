//! Faults, put together in words.

use sim_core::faults::{Effect, Hook, Line, Matcher, Rule};

/// A fault that has no effect yet: what it matches. Facts compare without case, with `*` at either end for anything.
#[derive(Debug, Clone)]
pub struct Fault {
    id: String,
    hook: Hook,
    matcher: Matcher,
}

impl Fault {
    fn at(hook: Hook, id: &str) -> Self {
        Self { id: id.into(), hook, matcher: Matcher::default() }
    }

    /// On the wire, before anything of TLS; facts: `host`, `port`, `method`, `route`, `hop`.
    #[must_use]
    pub fn wire(id: &str) -> Self {
        Self::at(Hook::Wire, id)
    }

    /// When a request arrived and nothing has happened yet; facts: `host`, `method`, `path`, `route`, `surface`, `apiVersion`, `caller`.
    #[must_use]
    pub fn before(id: &str) -> Self {
        Self::at(Hook::Before, id)
    }

    /// When the effect stands and the answer is about to leave; facts as before, and `status`.
    #[must_use]
    pub fn after(id: &str) -> Self {
        Self::at(Hook::After, id)
    }

    /// When a long-running operation comes due; facts: `operation`, `resource`, `id`.
    #[must_use]
    pub fn settle(id: &str) -> Self {
        Self::at(Hook::Settle, id)
    }

    /// When the kubelet starts a container; facts: `node`, `namespace`, `pod`, `container`, `image`.
    #[must_use]
    pub fn kubelet(id: &str) -> Self {
        Self::at(Hook::Kubelet, id)
    }

    /// Only where this fact is so.
    #[must_use]
    pub fn fact(mut self, name: &str, pattern: &str) -> Self {
        self.matcher.facts.insert(name.into(), pattern.into());
        self
    }

    /// Only the matches with these numbers, from 1.
    #[must_use]
    pub fn nth(mut self, numbers: impl IntoIterator<Item = u64>) -> Self {
        self.matcher.nth = Some(numbers.into_iter().collect());
        self
    }

    /// Only with this probability (0 to 1), drawn from the world's seed.
    #[must_use]
    pub fn probability(mut self, probability: f64) -> Self {
        self.matcher.probability = Some(probability);
        self
    }

    fn effect(self, effect: Effect) -> Rule {
        Rule { id: self.id, hook: self.hook, matcher: self.matcher, effect }
    }

    /// Nothing for so many milliseconds of world time, then as usual.
    #[must_use]
    pub fn delay(self, millis: u64) -> Rule {
        self.effect(Effect::Delay { millis })
    }

    /// An HTTP status with an error of the surface's own form.
    #[must_use]
    pub fn respond(self, status: u16, code: &str, message: &str) -> Rule {
        self.effect(Effect::Respond { status, code: code.into(), message: message.into(), retry_after: None })
    }

    /// The connection is reset.
    #[must_use]
    pub fn reset(self) -> Rule {
        self.effect(Effect::Reset)
    }

    /// The connection is refused.
    #[must_use]
    pub fn refuse(self) -> Rule {
        self.effect(Effect::Refuse)
    }

    /// Nothing ever comes.
    #[must_use]
    pub fn hang(self) -> Rule {
        self.effect(Effect::Hang)
    }

    /// The operation or the container fails with this error.
    #[must_use]
    pub fn fail(self, code: &str, message: &str) -> Rule {
        self.effect(Effect::Fail { code: code.into(), message: message.into() })
    }

    /// The operation or the container never gets there.
    #[must_use]
    pub fn stuck(self) -> Rule {
        self.effect(Effect::Stuck)
    }

    /// Something happens to the bytes of the connection.
    #[must_use]
    pub fn line(self, line: Line) -> Rule {
        self.effect(Effect::Line(line))
    }
}
