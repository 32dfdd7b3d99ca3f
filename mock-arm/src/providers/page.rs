//! Lists: `$filter`, `$top` and `$skiptoken`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::Value;

use super::refusal::{Kind, Refusal};
use super::seam::{Page, Query};

/// How many items a page has unless `$top` asks for fewer.
const SIZE: usize = 1000;

/// One comparison of a filter.
#[derive(Debug, PartialEq, Eq)]
enum Clause {
    /// A member equals a text, without case.
    Equals(String, String),
    /// A member differs from a text, without case.
    Differs(String, String),
    /// A member contains a text, without case.
    Contains(String, String),
}

/// A `$filter` as the resource lists take it: comparisons joined by `and`, of `eq`, `ne`, `substringof('x', member)`
/// and `startswith(member, 'x')`. `or`, parentheses and other functions are not modelled.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filter(Vec<Clause>);

/// Splits at ` and ` outside of quotes.
fn clauses(text: &str) -> Vec<&str> {
    let (mut found, mut start, mut quoted) = (Vec::new(), 0, false);
    for (index, byte) in text.bytes().enumerate() {
        if byte == b'\'' {
            quoted = !quoted;
        }
        let here = text.get(index..).unwrap_or_default();
        if !quoted && index >= start && here.get(..5).is_some_and(|word| word.eq_ignore_ascii_case(" and ")) {
            found.push(text.get(start..index).unwrap_or_default().trim());
            start = index + 5;
        }
    }
    found.push(text.get(start..).unwrap_or_default().trim());
    found
}

fn unquote(text: &str) -> Option<String> {
    Some(text.trim().strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'"))
}

fn clause(text: &str) -> Option<Clause> {
    if let Some((function, rest)) = text.split_once('(') {
        let (first, second) = rest.strip_suffix(')')?.split_once(',')?;
        return match function.trim().to_ascii_lowercase().as_str() {
            "substringof" => Some(Clause::Contains(second.trim().to_ascii_lowercase(), unquote(first)?)),
            _ => None,
        };
    }
    let mut parts = text.splitn(3, ' ');
    let (member, operator, value) = (parts.next()?, parts.next()?, unquote(parts.next()?)?);
    match operator.to_ascii_lowercase().as_str() {
        "eq" => Some(Clause::Equals(member.to_ascii_lowercase(), value)),
        "ne" => Some(Clause::Differs(member.to_ascii_lowercase(), value)),
        _ => None,
    }
}

impl Filter {
    /// The filter of a query; one that is not there accepts everything.
    pub(super) fn of(query: &Query<'_>) -> Result<Self, Refusal> {
        let Some(text) = query.get("$filter") else { return Ok(Self::default()) };
        let found: Option<Vec<_>> = clauses(text).into_iter().map(clause).collect();
        found.map(Self).ok_or_else(|| {
            let text = format!(
                "The filter '{text}' cannot be read. Comparisons with eq and ne, joined by 'and', and \
                 substringof('text', member) are modelled."
            );
            Refusal::gateway(Kind::Invalid, "InvalidFilterInQueryString", text)
        })
    }

    /// Whether the filter wants everything.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the filter wants this item. `tagName` and `tagValue` look at the same tag.
    pub(super) fn accepts(&self, item: &Value) -> bool {
        let tag = self.0.iter().find_map(|clause| match clause {
            Clause::Equals(member, value) if member == "tagname" => Some(value.as_str()),
            _ => None,
        });
        self.0.iter().all(|clause| match clause {
            Clause::Equals(member, wanted) if member == "tagname" => find_tag(item, wanted).is_some(),
            Clause::Equals(member, wanted) if member == "tagvalue" => {
                tag.and_then(|name| find_tag(item, name)).is_some_and(|value| value == wanted)
            }
            Clause::Equals(member, wanted) => {
                member_of(item, member).is_some_and(|found| found.eq_ignore_ascii_case(wanted))
            }
            Clause::Differs(member, wanted) => {
                !member_of(item, member).is_some_and(|found| found.eq_ignore_ascii_case(wanted))
            }
            Clause::Contains(member, wanted) => member_of(item, member)
                .is_some_and(|found| found.to_ascii_lowercase().contains(&wanted.to_ascii_lowercase())),
        })
    }
}

fn find_tag<'a>(item: &'a Value, name: &str) -> Option<&'a str> {
    let tags = item.get("tags")?.as_object()?;
    tags.iter().find(|(tag, _)| tag.eq_ignore_ascii_case(name)).and_then(|(_, value)| value.as_str())
}

fn member_of<'a>(item: &'a Value, member: &str) -> Option<&'a str> {
    let direct = |name: &str| item.get(name).and_then(Value::as_str);
    match member {
        "resourcetype" => direct("type"),
        "resourcegroup" => direct("id").and_then(|id| id.split('/').nth(4)),
        other => direct(other),
    }
}

/// One page of `items`, which come in key order from behind the query's `$skiptoken` on.
pub(super) fn page<'a, T>(
    query: &Query<'_>,
    items: impl Iterator<Item = (&'a str, T)>,
    shown: impl Fn(&str, T) -> Bytes,
) -> Result<Page, Refusal> {
    let bad = |name: &str| {
        Refusal::gateway(Kind::Invalid, "InvalidQueryParameter", format!("The value of {name} is invalid."))
    };
    let size = match query.get("$top") {
        Some(top) => top.parse::<usize>().map_err(|_| bad("$top"))?.clamp(1, SIZE),
        None => SIZE,
    };
    let after = match query.get("$skiptoken") {
        Some(token) => {
            let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| bad("$skiptoken"))?;
            Some(String::from_utf8(bytes).map_err(|_| bad("$skiptoken"))?)
        }
        None => None,
    };
    let mut found = Page::default();
    let mut last = "";
    for (key, item) in items.skip_while(|(key, _)| after.as_ref().is_some_and(|after| *key <= after.as_str()))
    {
        if found.items.len() == size {
            found.next = Some(URL_SAFE_NO_PAD.encode(last));
            break;
        }
        last = key;
        found.items.push(shown(key, item));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filter(text: &str) -> Result<Filter, Refusal> {
        let query: String =
            form_urlencoded::Serializer::new(String::new()).append_pair("$filter", text).finish();
        Filter::of(&Query::parse(&query))
    }

    #[test]
    fn filters_compare_members_and_tags() {
        let item = json!({
            "id": "/subscriptions/s/resourceGroups/G/providers/N/t/x",
            "name": "x and y", "type": "N/T", "location": "eastus", "tags": {"Env": "dev"},
        });
        for yes in [
            "resourceType eq 'n/t'",
            "name eq 'x and y' and location eq 'eastus'",
            "resourceGroup eq 'g'",
            "tagName eq 'env' and tagValue eq 'dev'",
            "substringof('AND', name)",
            "location ne 'westus'",
        ] {
            assert!(filter(yes).unwrap().accepts(&item), "{yes}");
        }
        for no in ["resourceType eq 'n/u'", "tagName eq 'env' and tagValue eq 'prod'", "tagName eq 'x'"] {
            assert!(!filter(no).unwrap().accepts(&item), "{no}");
        }
        for wrong in ["name", "name gt 'x'", "contains(name,'x')", "name eq x"] {
            assert!(filter(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn pages_continue_where_the_last_one_ended() {
        let items = || ["a", "b", "c"].into_iter().map(|key| (key, key));
        let page = |query: &Query<'_>| page(query, items(), |_, item| Bytes::from_static(item.as_bytes()));
        let first = page(&Query::parse("$top=2")).unwrap();
        assert_eq!(first.items.len(), 2);
        let query = format!("$top=2&$skiptoken={}", first.next.unwrap());
        let second = page(&Query::parse(&query)).unwrap();
        assert_eq!((second.items.len(), second.next), (1, None));
        assert!(page(&Query::parse("$top=x")).is_err());
    }
}
