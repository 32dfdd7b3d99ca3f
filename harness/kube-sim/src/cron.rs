//! Schedules of CronJobs: the five fields of cron as `robfig/cron` reads them, which is what Kubernetes uses.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// How far ahead a next time is looked for, in days: a schedule like `0 0 29 2 *` comes once in four or eight years.
const HORIZON: usize = 366 * 9;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// When something is to happen again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Schedule {
    /// At the minutes that all fields agree on.
    Fields(Fields),
    /// Every so often, counted from the last time.
    Every(SignedDuration),
}

/// The fields as sets of bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fields {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether days of the month, or of the week, are unrestricted: both have to fit then, either otherwise.
    any_day: bool,
    any_weekday: bool,
}

impl Schedule {
    /// Reads a schedule.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Some(span) = text.strip_prefix("@every ") {
            return every(span.trim()).map(Self::Every);
        }
        let text = match text {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            other if other.starts_with('@') => return Err(format!("unrecognized descriptor: {other}")),
            other => other,
        };
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else {
            let count = fields.len();
            return Err(format!("expected exactly 5 fields, found {count}: [{}]", fields.join(" ")));
        };
        let any = |field: &str| field.split(',').any(|part| part.starts_with(['*', '?']));
        Ok(Self::Fields(Fields {
            minutes: set(minutes, 0, 59, &[])?,
            hours: set(hours, 0, 23, &[])?,
            days: set(days, 1, 31, &[])?,
            months: set(months, 1, 12, &MONTHS)?,
            weekdays: set(weekdays, 0, 6, &WEEKDAYS)?,
            any_day: any(days),
            any_weekday: any(weekdays),
        }))
    }

    /// The first time after `moment`, read on clocks of `zone`; `None` when it never comes.
    pub(crate) fn next(&self, moment: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Every(span) => moment.checked_add(*span).ok(),
            Self::Fields(fields) => fields.next(moment, zone),
        }
    }

    /// The last time after `from` and not after `to`, and how many there are in all.
    pub(crate) fn last(&self, from: Timestamp, to: Timestamp, zone: &TimeZone) -> (Option<Timestamp>, usize) {
        if let Self::Every(span) = self {
            let count = to.duration_since(from).as_secs().checked_div(span.as_secs()).unwrap_or_default();
            let count = count.max(0);
            let last = SignedDuration::from_secs(span.as_secs().saturating_mul(count));
            let last = from.checked_add(last).ok().filter(|_| count > 0);
            return (last, usize::try_from(count).unwrap_or(usize::MAX));
        }
        let (mut last, mut count, mut from) = (None, 0, from);
        // After a jump of years the exact number tells nothing; the last time is found from nearby.
        while let Some(next) = self.next(from, zone).filter(|next| *next <= to) {
            (last, from) = (Some(next), next);
            count += 1;
            if count > TOO_MANY {
                let near = to.checked_sub(SignedDuration::from_hours(24 * 366)).unwrap_or(from).max(from);
                return (self.last_near(near, to, zone).or(last), count);
            }
        }
        (last, count)
    }

    /// Halves the way to the last time before `to`.
    fn last_near(&self, from: Timestamp, to: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let (mut low, mut high) = (self.next(from, zone).filter(|next| *next <= to)?, to);
        loop {
            let middle = low.checked_add(high.duration_since(low) / 2).ok()?;
            match self.next(middle, zone).filter(|next| *next <= to) {
                Some(next) => low = next,
                None => high = middle,
            }
            if high.duration_since(low) <= SignedDuration::from_secs(60) {
                return Some(self.next(low, zone).filter(|next| *next <= to).unwrap_or(low));
            }
        }
    }
}

/// How many missed times are too many to count.
pub(crate) const TOO_MANY: usize = 100;

impl Fields {
    fn next(&self, moment: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let start = zone.to_datetime(moment);
        let mut date = start.date();
        for _ in 0..HORIZON {
            if self.fits(date)
                && let Some(found) = self.in_day(date, moment, zone)
            {
                return Some(found);
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    fn fits(&self, date: Date) -> bool {
        let day = self.days & bit(i64::from(date.day())) != 0;
        let weekday = self.weekdays & bit(i64::from(date.weekday().to_sunday_zero_offset())) != 0;
        let either = if self.any_day || self.any_weekday { day && weekday } else { day || weekday };
        self.months & bit(i64::from(date.month())) != 0 && either
    }

    fn in_day(&self, date: Date, moment: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let members = |set: u64, end: i8| (0..end).filter(move |value| set & bit(i64::from(*value)) != 0);
        for hour in members(self.hours, 24) {
            for minute in members(self.minutes, 60) {
                let at = DateTime::from_parts(date, Time::constant(hour, minute, 0, 0));
                let at = zone.to_ambiguous_timestamp(at);
                // A time that a change of the clocks leaves out does not come that day.
                if matches!(at.offset(), AmbiguousOffset::Gap { .. }) {
                    continue;
                }
                let at = at.earlier().ok()?;
                if at > moment {
                    return Some(at);
                }
            }
        }
        None
    }
}

fn bit(value: i64) -> u64 {
    u32::try_from(value).ok().and_then(|value| 1_u64.checked_shl(value)).unwrap_or_default()
}

fn set(field: &str, low: i64, high: i64, names: &[&str]) -> Result<u64, String> {
    let mut bits = 0;
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            None => (part, None),
            Some((range, step)) => {
                let step = step.parse::<i64>().ok().filter(|step| *step > 0);
                (range, Some(step.ok_or_else(|| format!("failed to parse int from {part}: {field}"))?))
            }
        };
        let value = |text: &str| {
            let named = names.iter().position(|name| text.eq_ignore_ascii_case(name));
            let named = named.and_then(|at| i64::try_from(at).ok()).map(|at| at + low);
            let bad = || {
                format!("failed to parse int from {text}: strconv.Atoi: parsing \"{text}\": invalid syntax")
            };
            named.or_else(|| text.parse().ok()).ok_or_else(bad)
        };
        let (start, end) = match range {
            "*" | "?" => (low, high),
            _ => match range.split_once('-') {
                Some((start, end)) => (value(start)?, value(end)?),
                // `5/15` means from five on.
                None => (value(range)?, if step.is_some() { high } else { value(range)? }),
            },
        };
        if start < low {
            return Err(format!("beginning of range ({start}) below minimum ({low}): {part}"));
        }
        if end > high {
            return Err(format!("end of range ({end}) above maximum ({high}): {part}"));
        }
        if start > end {
            return Err(format!("beginning of range ({start}) beyond end of range ({end}): {part}"));
        }
        let step = usize::try_from(step.unwrap_or(1)).unwrap_or(1);
        bits |= (start..=end).step_by(step).fold(0, |bits, value| bits | bit(value));
    }
    Ok(bits)
}

/// A duration as Go writes it, in hours, minutes and seconds: `1h30m`.
fn every(text: &str) -> Result<SignedDuration, String> {
    let bad = || format!("failed to parse duration @every {text}: time: invalid duration \"{text}\"");
    let (mut seconds, mut digits) = (0_i64, String::new());
    for letter in text.chars() {
        let unit = match letter {
            'h' => 3600,
            'm' => 60,
            's' => 1,
            digit if digit.is_ascii_digit() => {
                digits.push(digit);
                continue;
            }
            _ => return Err(bad()),
        };
        let count: i64 = std::mem::take(&mut digits).parse().map_err(|_| bad())?;
        seconds = seconds.saturating_add(count.saturating_mul(unit));
    }
    if !digits.is_empty() || text.is_empty() {
        return Err(bad());
    }
    Ok(SignedDuration::from_secs(seconds.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, from: &str, zone: &str) -> String {
        let zone = TimeZone::get(zone).unwrap();
        let next = Schedule::parse(schedule).unwrap().next(from.parse().unwrap(), &zone);
        next.map(|next| next.to_string()).unwrap_or_default()
    }

    #[test]
    fn next_times_are_those_of_cron() {
        let cases = [
            ("*/15 * * * *", "2030-01-01T00:00:00Z", "UTC", "2030-01-01T00:15:00Z"),
            ("0 9-17/4 * * mon-fri", "2030-01-04T17:30:00Z", "UTC", "2030-01-07T09:00:00Z"),
            ("0 0 29 2 *", "2030-01-01T00:00:00Z", "UTC", "2032-02-29T00:00:00Z"),
            // Either day fits when both are restricted.
            ("0 0 13 * 5", "2030-01-01T00:00:00Z", "UTC", "2030-01-04T00:00:00Z"),
            ("@hourly", "2030-01-01T00:59:59Z", "UTC", "2030-01-01T01:00:00Z"),
            ("@every 1h30m", "2030-01-01T00:00:10Z", "UTC", "2030-01-01T01:30:10Z"),
            ("0 2 * * *", "2030-01-01T00:00:00Z", "America/New_York", "2030-01-01T07:00:00Z"),
            // 02:30 does not exist on the day when summer begins.
            ("30 2 * * *", "2030-03-10T01:00:00Z", "America/New_York", "2030-03-11T06:30:00Z"),
            ("0 0 31 2 *", "2030-01-01T00:00:00Z", "UTC", ""),
        ];
        for (schedule, from, zone, expected) in cases {
            assert_eq!(next(schedule, from, zone), expected, "{schedule} in {zone}");
        }
    }

    #[test]
    fn the_last_missed_time_is_found_over_any_jump() {
        let every_minute = Schedule::parse("* * * * *").unwrap();
        let last = |from: &str, to: &str| {
            let (last, count) = every_minute.last(from.parse().unwrap(), to.parse().unwrap(), &TimeZone::UTC);
            (last.map(|last| last.to_string()).unwrap_or_default(), count)
        };
        assert_eq!(last("2030-01-01T00:00:00Z", "2030-01-01T00:03:30Z"), ("2030-01-01T00:03:00Z".into(), 3));
        let (found, count) = last("2030-01-01T00:00:00Z", "2034-05-01T00:00:30Z");
        assert_eq!((found.as_str(), count), ("2034-05-01T00:00:00Z", TOO_MANY + 1));
        assert_eq!(last("2030-01-01T00:00:00Z", "2030-01-01T00:00:59Z"), (String::new(), 0));
    }

    #[test]
    fn what_is_no_schedule_is_said_to_be_none() {
        for (text, problem) in [
            ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
            ("60 * * * *", "end of range (60) above maximum (59): 60"),
            ("* * * * 7", "end of range (7) above maximum (6): 7"),
            ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
            ("@noon", "unrecognized descriptor: @noon"),
        ] {
            assert_eq!(Schedule::parse(text).unwrap_err(), problem);
        }
        assert!(Schedule::parse("a * * * *").is_err() && Schedule::parse("@every x").is_err());
    }
}
