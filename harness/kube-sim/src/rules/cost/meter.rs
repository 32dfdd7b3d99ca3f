//! What a rule spends while it runs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cel::common::types::{CelBool, CelBytes, CelInt, CelList, CelMap, CelOptional, CelString};
use cel::common::value::{CowVal, Val};
use cel::{Context, ExecutionError, FunctionContext};
use regex::Regex;

use super::metered::{ELEMENTS, LEAST, LOOP, MADE, MATCHES, NOTE, PRODUCT, SPEND, SUM, THROUGH};
use super::{OF_ONE_CALL, part, traversed};

/// Why a rule is stopped.
const EXCEEDED: &str = "operation cancelled: actual cost limit exceeded";

/// How many patterns are kept compiled.
const PATTERNS: usize = 64;

/// What making a pattern ready costs. The real server does it when the definition is read, unless the pattern is no constant.
const COMPILING: u64 = 1000;

/// What the rules of one place have spent, one after the other.
#[derive(Debug, Default)]
pub(in crate::rules) struct Meter {
    spent: AtomicU64,
    /// Sizes of arguments whose companions are still to come, by what they are arguments of.
    noted: Mutex<HashMap<i64, u64>>,
    patterns: Mutex<HashMap<String, Regex>>,
}

type Answer<'c, 'v> = Result<CowVal<'c, 'v>, ExecutionError>;
/// What a value costs, with the number that stands beside it.
type Charge = fn(&Meter, &dyn Val, i64) -> u64;
type Function = Box<dyn for<'c, 'v> Fn(&mut FunctionContext<'c, 'v>) -> Answer<'c, 'v> + Send + Sync>;

impl Meter {
    /// Begins anew, with what was spent until now.
    pub(in crate::rules) fn restart(&self) -> u64 {
        self.spent.swap(0, Ordering::Relaxed)
    }

    /// Whether more was asked for than one evaluation may cost.
    pub(in crate::rules) fn is_exceeded(&self) -> bool {
        self.spent.load(Ordering::Relaxed) > OF_ONE_CALL
    }

    /// Why a rule that was stopped was stopped.
    pub(in crate::rules) fn exceeded() -> &'static str {
        EXCEEDED
    }

    /// Makes the functions known by which metered rules charge.
    pub(in crate::rules) fn install(self: &Arc<Self>, context: &mut Context<'_, '_>) {
        let costs: [(&str, Charge); 9] = [
            (SPEND, |_, _, cost| u64::try_from(cost).unwrap_or(u64::MAX)),
            (NOTE, Self::note),
            (LEAST, |meter, value, slot| meter.least(value, slot)),
            (SUM, |meter, value, slot| meter.sum(value, slot)),
            (PRODUCT, |meter, value, slot| {
                traversed(size(value)).saturating_mul(traversed(meter.noted(slot)))
            }),
            (MADE, Self::made),
            (THROUGH, |_, value, tenths| through(value, tenths)),
            (ELEMENTS, |_, value, _| elements(value)),
            // A loop binds a copy of every element to its variable; the real server's binds what is there.
            (LOOP, |_, value, _| elements(value) / 4),
        ];
        for (name, cost) in costs {
            let meter = Arc::clone(self);
            add(context, name, charging(meter, cost));
        }
        let meter = Arc::clone(self);
        add(context, MATCHES, boxed(move |call| meter.matches(call)));
    }

    fn spend(&self, cost: u64) -> Result<(), ExecutionError> {
        let before = self.spent.fetch_add(cost.min(OF_ONE_CALL + 1), Ordering::Relaxed);
        if before.saturating_add(cost) > OF_ONE_CALL {
            return Err(ExecutionError::function_error("cost", EXCEEDED));
        }
        Ok(())
    }

    fn note(&self, value: &dyn Val, slot: i64) -> u64 {
        let weight = if is_sequence(value) { elements(value) } else { 0 };
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.insert(slot, size(value));
        noted.insert(!slot, weight);
        0
    }

    fn noted(&self, slot: i64) -> u64 {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).get(&slot).copied().unwrap_or_default()
    }

    /// Comparing: containers of one size are compared down to their leaves here.
    fn least(&self, value: &dyn Val, slot: i64) -> u64 {
        let (left, right) = (self.noted(slot), size(value));
        let shallow = traversed(left.min(right));
        let deep = if is_sequence(value) { elements(value).min(self.noted(!slot)) / 10 } else { 0 };
        shallow.max(deep)
    }

    /// Putting together: lists are copied here.
    fn sum(&self, value: &dyn Val, slot: i64) -> u64 {
        if is_sequence(value) {
            return elements(value).saturating_add(self.noted(!slot)).saturating_add(1);
        }
        traversed(self.noted(slot).saturating_add(size(value)))
    }

    /// What a replacement in a text, or a list of texts put together, can come to.
    fn made(&self, value: &dyn Val, slot: i64) -> u64 {
        let (own, other) = (size(value), self.noted(slot.wrapping_add(1 << 32)));
        if is_sequence(value) {
            let texts = lengths(value).saturating_add(own.saturating_mul(other));
            return part(texts, 0.2);
        }
        let times = own / self.noted(slot).max(1) + 1;
        part(own, 0.2).max(traversed(times.saturating_mul(other)))
    }

    fn matches<'c, 'v>(&self, call: &FunctionContext<'c, 'v>) -> Answer<'c, 'v> {
        let text = |index: usize| call.args.get(index)?.downcast_ref::<CelString<'_>>();
        let (Some(subject), Some(pattern)) = (text(0), text(1)) else {
            let types = call.args.iter().map(|arg| arg.get_type().name().to_owned()).collect();
            return Err(ExecutionError::no_such_overload("matches", types));
        };
        let (subject, pattern) = (subject.inner(), pattern.inner());
        let letters = |text: &str| text.chars().count() as u64;
        self.spend(traversed(letters(subject) + 1).saturating_mul(part(letters(pattern), 0.25)))?;
        let mut patterns = self.patterns.lock().unwrap_or_else(PoisonError::into_inner);
        if !patterns.contains_key(pattern) {
            if !patterns.is_empty() {
                self.spend(COMPILING)?;
            }
            let compiled = Regex::new(pattern).map_err(|error| {
                ExecutionError::function_error("matches", format!("'{pattern}' not a valid regex:\n{error}"))
            })?;
            if patterns.len() >= PATTERNS {
                patterns.clear();
            }
            patterns.insert(pattern.to_owned(), compiled);
        }
        let found = patterns.get(pattern).is_some_and(|compiled| compiled.is_match(subject));
        Ok(CowVal::owned(CelBool::from(found)))
    }
}

fn boxed(
    function: impl for<'c, 'v> Fn(&mut FunctionContext<'c, 'v>) -> Answer<'c, 'v> + Send + Sync + 'static,
) -> Function {
    Box::new(function)
}

fn add(context: &mut Context<'_, '_>, name: &str, function: Function) {
    // The names cannot be written in a rule, so that nothing else has them.
    let _ = context.add_function(name, function);
}

/// A function that charges for its first argument, by its second, and hands the first on.
fn charging(meter: Arc<Meter>, cost: Charge) -> Function {
    boxed(move |call| {
        let number =
            call.args.pop().and_then(|arg| arg.downcast_ref::<CelInt>().map(|number| *number.inner()));
        let missing = ExecutionError::missing_argument_or_target;
        let value = call.args.pop().ok_or_else(missing)?;
        meter.spend(cost(&meter, value.as_ref(), number.unwrap_or_default()))?;
        Ok(value)
    })
}

fn is_sequence(value: &dyn Val) -> bool {
    value.as_sizer().is_some()
}

/// Letters, bytes, elements or entries; 1 of what has none.
fn size(value: &dyn Val) -> u64 {
    if let Some(text) = value.downcast_ref::<CelString<'_>>() {
        return text.inner().chars().count() as u64;
    }
    if let Some(bytes) = value.downcast_ref::<CelBytes<'_>>() {
        return bytes.inner().len() as u64;
    }
    if let Some(inner) = value.downcast_ref::<CelOptional<'_>>() {
        return inner.inner().map_or(1, size);
    }
    value.as_sizer().map_or(1, |sizer| u64::try_from(*sizer.size().inner()).unwrap_or_default())
}

fn through(value: &dyn Val, tenths: i64) -> u64 {
    part(
        size(value),
        if tenths == 2 {
            0.2
        } else if tenths == 10 {
            1.0
        } else {
            0.1
        },
    )
}

/// What walking a value with all that is in it costs.
fn elements(value: &dyn Val) -> u64 {
    if let Some(text) = value.downcast_ref::<CelString<'_>>() {
        return text.inner().len() as u64 / 10 + 1;
    }
    if let Some(bytes) = value.downcast_ref::<CelBytes<'_>>() {
        return bytes.inner().len() as u64 / 10 + 1;
    }
    if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        return list.inner().iter().map(|one| elements(one.as_ref())).sum();
    }
    if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
        return map.inner().iter().map(|(key, one)| elements(key.inner()) + elements(one.as_ref())).sum();
    }
    1
}

/// The bytes of all texts in a list.
fn lengths(value: &dyn Val) -> u64 {
    let Some(list) = value.downcast_ref::<CelList<'_>>() else { return 0 };
    list.inner().iter().map(|one| size(one.as_ref())).sum()
}
