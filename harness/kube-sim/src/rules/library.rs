//! What rules may call beside the language's own functions.

use std::any::Any;
use std::cmp::Ordering;

use cel::common::traits::Comparer;
use cel::common::types::{self, CelBool, CelString, LIST_TYPE, STRING_TYPE, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use cel::{DeclarationError, Env, ExecutionError, extensions};

/// Functions that rules may call: those of the language, of its library for texts, and those below.
const KNOWN: &[&str] = &[
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "int",
    "uint",
    "double",
    "string",
    "bool",
    "bytes",
    "type",
    "dyn",
    "charAt",
    "indexOf",
    "lastIndexOf",
    "join",
    "lowerAscii",
    "upperAscii",
    "trim",
    "replace",
    "split",
    "substring",
    "reverse",
    "strings.quote",
    "duration",
    "isSorted",
    "min",
    "max",
    "hasValue",
    "orValue",
    "or",
    "value",
    "optional.of",
    "optional.none",
    "optional.ofNonZeroValue",
    "optMap",
    "optFlatMap",
    "has",
    "all",
    "exists",
    "exists_one",
    "map",
    "filter",
    "existsOne",
];

/// Functions that a real server has and that are not modelled.
const ELSEWHERE: &[&str] = &[
    "timestamp",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "sum",
    "find",
    "findAll",
    "url",
    "isURL",
    "getScheme",
    "getHost",
    "getHostname",
    "getPort",
    "getEscapedPath",
    "getQuery",
    "quantity",
    "isQuantity",
    "sign",
    "isInteger",
    "asInteger",
    "asApproximateFloat",
    "add",
    "sub",
    "isLessThan",
    "isGreaterThan",
    "compareTo",
    "ip",
    "isIP",
    "ip.isCanonical",
    "family",
    "isUnspecified",
    "isLoopback",
    "isLinkLocalMulticast",
    "isLinkLocalUnicast",
    "isGlobalUnicast",
    "cidr",
    "isCIDR",
    "containsIP",
    "containsCIDR",
    "prefixLength",
    "masked",
    "format",
    "format.named",
    "validate",
    "sets.contains",
    "sets.equivalent",
    "sets.intersects",
    "semver",
    "isSemver",
    "major",
    "minor",
    "patch",
    "base64.encode",
    "base64.decode",
    "lists.range",
    "flatten",
    "transformList",
    "transformMap",
    "transformMapEntry",
];

/// What is known of a function by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It can be called.
    Here,
    /// A real server has it.
    Elsewhere,
    /// Nobody has it.
    Nowhere,
}

/// Whether rules may call a function.
pub(super) fn known(function: &str) -> Known {
    if KNOWN.contains(&function) || function.starts_with(|c: char| !c.is_ascii_alphabetic()) {
        Known::Here
    } else if ELSEWHERE.contains(&function) {
        Known::Elsewhere
    } else {
        Known::Nowhere
    }
}

/// The environment that rules are compiled for and run in.
pub(super) fn environment() -> Result<Env, DeclarationError> {
    let mut env = Env::stdlib();
    env.add_extension(extensions::strings)?;
    env.add_overload("duration", "string_to_duration", vec![STRING_TYPE], duration)?;
    env.add_member_overload("isSorted", "list_is_sorted", LIST_TYPE, vec![], is_sorted)?;
    env.add_member_overload("min", "list_min", LIST_TYPE, vec![], |args| {
        outermost("min", Ordering::Less, &args)
    })?;
    env.add_member_overload("max", "list_max", LIST_TYPE, vec![], |args| {
        outermost("max", Ordering::Greater, &args)
    })?;
    Ok(env)
}

/// A duration, in nanoseconds. It compares with its like; there is no arithmetic.
#[derive(Debug, Clone, Copy)]
struct Span(i64);

static SPAN: Type = types::DURATION_TYPE;

impl Val for Span {
    fn get_type(&self) -> &Type {
        &SPAN
    }

    fn cel_type() -> &'static Type {
        &SPAN
    }

    fn as_comparer(&self) -> Option<&dyn Comparer> {
        Some(self)
    }

    fn equals(&self, other: &dyn Val) -> bool {
        other.downcast_ref::<Self>().is_some_and(|other| other.0 == self.0)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(*self)
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Span {}

impl Comparer for Span {
    fn compare(&self, rhs: &dyn Val) -> Result<Ordering, ExecutionError> {
        let other = rhs.downcast_ref::<Self>();
        let other = other.ok_or_else(|| ExecutionError::function_error("duration", "not a duration"))?;
        Ok(self.0.cmp(&other.0))
    }
}

fn duration<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let text = args.first().and_then(|text| text.downcast_ref::<CelString<'_>>());
    let text = text.map(|text| text.inner().to_owned()).unwrap_or_default();
    let span = nanoseconds(&text).ok_or_else(|| {
        ExecutionError::function_error("duration", format!("time: invalid duration {text:?}"))
    })?;
    Ok(CowVal::owned(Span(span)))
}

/// A duration as Go writes it: `1h30m`, `-1.5s`, `0`.
pub(super) fn nanoseconds(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total = 0.0_f64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let count: f64 = rest.get(..digits)?.parse().ok()?;
        rest = rest.get(digits..)?;
        let unit = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        total += count
            * match rest.get(..unit)? {
                "ns" => 1.0,
                "us" | "µs" | "μs" => 1e3,
                "ms" => 1e6,
                "s" => 1e9,
                "m" => 60e9,
                "h" => 3600e9,
                _ => return None,
            };
        rest = rest.get(unit..)?;
    }
    // What fits into 64 bits is exact enough here: rules compare seconds and their like.
    #[expect(clippy::cast_possible_truncation, reason = "bounded on the line before")]
    (total < 9.2e18).then_some((sign * total) as i64)
}

/// Every element of a list that is the first argument.
fn elements<'a, 'v>(args: &'a [CowVal<'_, 'v>]) -> Vec<&'a (dyn Val + 'v)> {
    let mut found = Vec::new();
    if let Some(list) = args.first().and_then(|list| list.as_iterable()) {
        let mut items = list.iter();
        while let Some(item) = items.next() {
            found.push(item);
        }
    }
    found
}

fn compared(function: &str, left: &dyn Val, right: &dyn Val) -> Result<Ordering, ExecutionError> {
    let comparer = left.as_comparer();
    let why = || ExecutionError::function_error(function, "the elements cannot be compared");
    comparer.ok_or_else(why)?.compare(right)
}

fn is_sorted<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let items = elements(&args);
    for pair in items.windows(2) {
        if let [left, right] = pair
            && compared("isSorted", *left, *right)? == Ordering::Greater
        {
            return Ok(CowVal::owned(CelBool::from(false)));
        }
    }
    Ok(CowVal::owned(CelBool::from(true)))
}

fn outermost<'b, 'v>(
    function: &str,
    wanted: Ordering,
    args: &[CowVal<'b, 'v>],
) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let mut items = elements(args).into_iter();
    let empty = || ExecutionError::function_error(function, format!("{function} called on empty list"));
    let mut best = items.next().ok_or_else(empty)?;
    for item in items {
        if compared(function, item, best)? == wanted {
            best = item;
        }
    }
    Ok(CowVal::Owned(best.clone_as_boxed()))
}
