//! How often callers may ask: token buckets per subscription, principal and kind of request (Azure documentation of 2024,
//! error texts from reports).
//!
//! A bucket that is not there yet is full.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use uuid::Uuid;

use crate::profile::{Bucket, Throttling};
use crate::providers::refusal::{Kind, Refusal};
use crate::providers::seam::Verb;
use crate::store::buckets::{Buckets, Class, Key, Level};

/// How much bigger the bucket of all principals together is.
const TOGETHER: u32 = 15;

fn class_of(verb: Verb) -> Class {
    match verb {
        Verb::Get | Verb::Head => Class::Read,
        Verb::Delete => Class::Delete,
        Verb::Put | Verb::Patch | Verb::Post => Class::Write,
    }
}

fn word(class: Class) -> &'static str {
    match class {
        Class::Read => "read",
        Class::Write => "write",
        Class::Delete => "delete",
    }
}

fn limit(class: Class, limits: &Throttling) -> Bucket {
    match class {
        Class::Read => limits.reads,
        Class::Write => limits.writes,
        Class::Delete => limits.deletes,
    }
}

/// Counts requests in the world's buckets.
#[derive(Debug)]
pub(super) struct Throttle(Arc<Buckets>);

/// What is left after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quota {
    scope: Uuid,
    class: Class,
    own: u64,
    together: u64,
}

/// A request to be counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The subscription's id, if there is one.
    pub(super) subscription: Option<&'a str>,
    pub(super) principal: Uuid,
    pub(super) verb: Verb,
    /// Namespace and type, for the provider's own limit; `None` for Resource Manager itself.
    pub(super) provided: Option<[&'a str; 2]>,
}

/// Fills a bucket up to `now` and takes one request out, if there is one. Says what is left, or how many milliseconds of world
/// time are missing.
fn take(level: &mut Level, bucket: Bucket, now: Timestamp) -> Result<u64, u64> {
    let passed = u64::try_from(now.duration_since(level.at).as_millis()).unwrap_or(0);
    let refill = passed.saturating_mul(u64::from(bucket.per_second));
    let full = u64::from(bucket.size) * 1000;
    *level = Level { millis: level.millis.saturating_add(refill).min(full), at: now.max(level.at) };
    match level.millis.checked_sub(1000) {
        Some(left) => {
            level.millis = left;
            Ok(left / 1000)
        }
        None => Err((1000 - level.millis).div_ceil(u64::from(bucket.per_second.max(1)))),
    }
}

impl Throttle {
    /// Counts in these.
    pub(super) fn new(buckets: Arc<Buckets>) -> Self {
        Self(buckets)
    }

    /// Counts a request.
    ///
    /// # Errors
    /// A [`Refusal`] when limits are enforced and there is nothing left.
    pub(super) fn count(
        &self,
        limits: &Throttling,
        asked: Asked<'_>,
        now: Timestamp,
    ) -> Result<Quota, Refusal> {
        let class = class_of(asked.verb);
        let scope = asked.subscription.and_then(|id| Uuid::try_parse(id).ok()).unwrap_or_default();
        let own = limit(class, limits);
        let together = Bucket {
            size: own.size.saturating_mul(TOGETHER),
            per_second: own.per_second.saturating_mul(TOGETHER),
        };
        let mut levels = self.0.levels();
        let mut left = |principal, bucket: Bucket| {
            let full = Level { millis: u64::from(bucket.size) * 1000, at: now };
            take(levels.entry(Key { scope, principal, class }).or_insert(full), bucket, now)
        };
        let (own, together) = (left(Some(asked.principal), own), left(None, together));
        drop(levels);
        if limits.enforced {
            let missing = own.err().into_iter().chain(together.err()).max();
            if let Some(millis) = missing {
                return Err(throttled(limits, asked, class, millis.div_ceil(1000).max(1)));
            }
            self.provider(limits, asked, class, now)?;
        }
        Ok(Quota { scope, class, own: own.unwrap_or(0), together: together.unwrap_or(0) })
    }

    /// The limit of the provider: so many requests with one permission in a window of time.
    fn provider(
        &self,
        limits: &Throttling,
        asked: Asked<'_>,
        class: Class,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let (Some(limit), Some([namespace, kind])) = (limits.provider, asked.provided) else { return Ok(()) };
        let permission = format!("{namespace}/{kind}/{}", word(class)).to_ascii_lowercase();
        let mut counts = self.0.counts();
        let (count, since) = counts.entry((permission, asked.principal)).or_insert((0, now));
        let passed = u32::try_from(now.duration_since(*since).as_secs()).unwrap_or(0);
        if passed >= limit.seconds {
            (*count, *since) = (0, now);
        }
        *count = count.saturating_add(1);
        if *count <= limit.requests {
            return Ok(());
        }
        let after = limit.seconds.saturating_sub(passed).max(1);
        let (minutes, seconds) = (limit.seconds / 60, limit.seconds % 60);
        let text = format!(
            "Number of requests for action '{namespace}/{kind}/{}' exceeded the limit of '{}' for time interval \
             '{:02}:{:02}:{seconds:02}'. Please try again after '{after}' seconds.",
            word(class),
            limit.requests,
            minutes / 60,
            minutes % 60,
        );
        Err(refusal(limits, "ResourceRequestsThrottled", text, after.into()))
    }
}

fn refusal(limits: &Throttling, code: &'static str, text: String, after: u64) -> Refusal {
    let after = limits.retry_after.then_some(after);
    Refusal::gateway(Kind::Throttled { after }, code, text)
}

fn throttled(limits: &Throttling, asked: Asked<'_>, class: Class, after: u64) -> Refusal {
    let (word, actor) = (word(class), asked.principal);
    let (code, whose) = match asked.subscription {
        Some(id) => ("SubscriptionRequestsThrottled", format!("subscription '{id}'")),
        None => ("TenantRequestsThrottled", "the tenant".to_owned()),
    };
    let text = format!(
        "Number of '{word}' requests for {whose} actor '{actor}' exceeded. Please try again after '{after}' seconds after \
         additional tokens are available. Refer to https://aka.ms/arm-throttling for additional information."
    );
    refusal(limits, code, text, after)
}

const GLOBAL: [HeaderName; 3] = [
    HeaderName::from_static("x-ms-ratelimit-remaining-subscription-global-reads"),
    HeaderName::from_static("x-ms-ratelimit-remaining-subscription-global-writes"),
    HeaderName::from_static("x-ms-ratelimit-remaining-subscription-global-deletes"),
];
const OWN: [HeaderName; 3] = [
    HeaderName::from_static("x-ms-ratelimit-remaining-subscription-reads"),
    HeaderName::from_static("x-ms-ratelimit-remaining-subscription-writes"),
    HeaderName::from_static("x-ms-ratelimit-remaining-subscription-deletes"),
];
const TENANT: [HeaderName; 3] = [
    HeaderName::from_static("x-ms-ratelimit-remaining-tenant-reads"),
    HeaderName::from_static("x-ms-ratelimit-remaining-tenant-writes"),
    HeaderName::from_static("x-ms-ratelimit-remaining-tenant-deletes"),
];

impl Quota {
    /// Says what is left. Recordings show reads of a subscription with the figure of all principals only.
    pub(super) fn write(self, headers: &mut HeaderMap) {
        let [reads, writes, deletes] = match self.scope.is_nil() {
            true => TENANT,
            false => OWN,
        };
        let own = match self.class {
            Class::Read if !self.scope.is_nil() => None,
            Class::Read => Some(reads),
            Class::Write => Some(writes),
            Class::Delete => Some(deletes),
        };
        if let Some(name) = own {
            headers.insert(name, HeaderValue::from(self.own));
        }
        if !self.scope.is_nil() {
            let [reads, writes, deletes] = GLOBAL;
            let name = match self.class {
                Class::Read => reads,
                Class::Write => writes,
                Class::Delete => deletes,
            };
            headers.insert(name, HeaderValue::from(self.together));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::ProviderLimit;

    fn asked(verb: Verb) -> Asked<'static> {
        Asked {
            subscription: Some("00000000-0000-0000-0000-000000000001"),
            principal: Uuid::from_u128(2),
            verb,
            provided: Some(["Microsoft.Kubernetes", "connectedClusters"]),
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn limits() -> Throttling {
        let small = Bucket { size: 2, per_second: 1 };
        Throttling { enforced: true, reads: small, writes: small, ..Throttling::default() }
    }

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let throttle = Throttle::new(Arc::default());
        let count = |seconds| throttle.count(&limits(), asked(Verb::Get), at(seconds));
        assert_eq!(count(0).map(|quota| (quota.own, quota.together)), Ok((1, 29)));
        assert_eq!(count(0).map(|quota| quota.own), Ok(0));
        let refused = count(0).unwrap_err();
        assert_eq!(refused.kind, Kind::Throttled { after: Some(1) });
        assert_eq!(refused.error.code, "SubscriptionRequestsThrottled");
        assert!(refused.error.message.starts_with("Number of 'read' requests for subscription '00000000-"));
        // Kinds of requests and principals have buckets of their own.
        assert!(throttle.count(&limits(), asked(Verb::Put), at(0)).is_ok());
        let other = Asked { principal: Uuid::from_u128(3), ..asked(Verb::Get) };
        assert!(throttle.count(&limits(), other, at(0)).is_ok());
        assert!(count(1).is_ok());
        assert!(count(1).is_err());
        // It never holds more than it can.
        assert_eq!(count(1000).map(|quota| quota.own), Ok(1));
    }

    #[test]
    fn nobody_is_refused_unless_limits_are_enforced() {
        let throttle = Throttle::new(Arc::default());
        let limits = Throttling { enforced: false, ..limits() };
        let counted: Vec<u64> =
            (0..4).map(|_| throttle.count(&limits, asked(Verb::Put), at(0)).unwrap().own).collect();
        assert_eq!(counted, [1, 0, 0, 0]);
    }

    #[test]
    fn a_provider_counts_for_itself_and_may_keep_the_time_to_itself() {
        let throttle = Throttle::new(Arc::default());
        let limits = Throttling {
            enforced: true,
            provider: Some(ProviderLimit { requests: 1, seconds: 300 }),
            retry_after: false,
            ..Throttling::default()
        };
        let count = |seconds| throttle.count(&limits, asked(Verb::Get), at(seconds));
        assert!(count(0).is_ok());
        let refused = count(10).unwrap_err();
        assert_eq!(refused.kind, Kind::Throttled { after: None });
        assert_eq!(
            refused.error.message,
            "Number of requests for action 'Microsoft.Kubernetes/connectedClusters/read' exceeded the limit of '1' for \
             time interval '00:05:00'. Please try again after '290' seconds."
        );
        assert!(count(300).is_ok());
    }

    #[test]
    fn headers_tell_what_is_left() {
        let quota = |scope: u128, class| Quota { scope: Uuid::from_u128(scope), class, own: 7, together: 70 };
        let names = |quota: Quota| {
            let mut headers = HeaderMap::new();
            quota.write(&mut headers);
            let start = "x-ms-ratelimit-remaining-";
            let mut names: Vec<String> = headers
                .iter()
                .map(|(name, value)| {
                    format!("{}={}", name.as_str().trim_start_matches(start), value.to_str().unwrap())
                })
                .collect();
            names.sort();
            names.join(" ")
        };
        assert_eq!(names(quota(1, Class::Read)), "subscription-global-reads=70");
        assert_eq!(names(quota(1, Class::Write)), "subscription-global-writes=70 subscription-writes=7");
        assert_eq!(names(quota(0, Class::Read)), "tenant-reads=7");
    }
}
