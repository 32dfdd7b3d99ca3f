//! CronJobs: a Job each time the world's clock reaches a time of the schedule.
//!
//! After the real CronJob controller (version 2): missed times are made up for by the most recent one only.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use sim_core::ledger::Change;

use super::events::{Level, Recorder};
use super::manager::{Controller, Next};
use super::objects::{
    after, controlled_by, controller_key, deleting, is_true, join, list, name, namespace, number,
    owner_reference, set, stamp, text, time, uid,
};
use super::store::{Store, reference};
use crate::api::{Propagation, Sub};
use crate::cron::{Schedule, TOO_MANY};
use crate::status::Status;

/// The CronJob controller.
#[derive(Debug)]
pub(crate) struct CronJobs {
    store: Store,
    events: Recorder,
}

/// How a job came out: the type of its final condition.
fn outcome(job: &Value) -> Option<&'static str> {
    ["Complete", "Failed"].into_iter().find(|kind| is_true(job, kind))
}

impl CronJobs {
    /// A controller over `store`.
    pub(crate) fn new(store: &Store) -> Self {
        let store = store.named("cronjob-controller");
        let events = Recorder::new(&store, "cronjob-controller");
        Self { store, events }
    }

    fn say(&mut self, cron_job: &Value, level: Level, reason: &'static str, message: &str) {
        let kind = self.store.kinds().cron_jobs.clone();
        self.events.event(&kind, cron_job, level, reason, message);
    }

    fn jobs(&self, cron_job: &Value) -> Vec<Arc<Value>> {
        let mut jobs = self.store.list(&self.store.kinds().jobs, namespace(cron_job));
        jobs.retain(|job| controlled_by(job, cron_job));
        jobs
    }

    /// Drops from the list of active jobs those that have ended or are gone.
    fn follow(&mut self, cron_job: &Value, status: &mut Value, jobs: &[Arc<Value>]) {
        let mut active = list(status, "/active").to_vec();
        for job in jobs {
            let known = active.iter().any(|one| text(one, "/uid") == uid(job));
            match (known, outcome(job)) {
                (true, Some(outcome)) => {
                    active.retain(|one| text(one, "/uid") != uid(job));
                    let message = format!("Saw completed job: {}, condition: {outcome}", name(job));
                    self.say(cron_job, Level::Normal, "SawCompletedJob", &message);
                }
                (false, None) => {
                    let message =
                        format!("Saw a job that the controller did not create or forgot: {}", name(job));
                    self.say(cron_job, Level::Warning, "UnexpectedJob", &message);
                }
                _ => {}
            }
            let ended = time(job, "/status/completionTime").filter(|_| outcome(job) == Some("Complete"));
            if ended.is_some() && ended > time(status, "/lastSuccessfulTime") {
                status["lastSuccessfulTime"] = json!(ended.map(stamp));
            }
        }
        active.retain(|one| {
            let here = jobs.iter().any(|job| uid(job) == text(one, "/uid"));
            if !here {
                let message = format!("Active job went missing: {}", text(one, "/name"));
                self.say(cron_job, Level::Normal, "MissingJob", &message);
            }
            here
        });
        set_active(status, active);
    }

    /// Deletes the oldest ended jobs beyond the history limits.
    fn clean_up(&mut self, cron_job: &Value, jobs: &[Arc<Value>]) -> Result<(), Status> {
        for (kind, field, default) in
            [("Complete", "successfulJobsHistoryLimit", 3), ("Failed", "failedJobsHistoryLimit", 1)]
        {
            let limit = number(cron_job, &format!("/spec/{field}")).unwrap_or(default);
            let mut ended: Vec<_> = jobs.iter().filter(|job| outcome(job) == Some(kind)).collect();
            ended.sort_by_key(|job| (time(job, "/status/startTime"), name(job).to_owned()));
            let excess = ended.len().saturating_sub(usize::try_from(limit).unwrap_or_default());
            for job in ended.into_iter().take(excess) {
                self.delete(cron_job, job)?;
            }
        }
        Ok(())
    }

    fn delete(&mut self, cron_job: &Value, job: &Value) -> Result<(), Status> {
        let kind = self.store.kinds().jobs.clone();
        self.store.delete_propagating(&kind, job, Propagation::Background)?;
        self.say(cron_job, Level::Normal, "SuccessfulDelete", &format!("Deleted job {}", name(job)));
        Ok(())
    }

    /// The schedule and its time zone, or an event that says what is wrong with them.
    fn schedule(&mut self, cron_job: &Value) -> Option<(Schedule, TimeZone)> {
        let zone = match text(cron_job, "/spec/timeZone") {
            "" => TimeZone::UTC,
            name => match TimeZone::get(name) {
                Ok(zone) => zone,
                Err(_) => {
                    let message = format!("invalid timeZone: \"{name}\": unknown time zone {name}");
                    self.say(cron_job, Level::Warning, "UnknownTimeZone", &message);
                    return None;
                }
            },
        };
        let stated = text(cron_job, "/spec/schedule");
        match Schedule::parse(stated) {
            Ok(schedule) => Some((schedule, zone)),
            Err(error) => {
                let message = format!("unparseable schedule: \"{stated}\" : {error}");
                self.say(cron_job, Level::Warning, "UnparseableSchedule", &message);
                None
            }
        }
    }

    /// The time that a job is due for now, if there is one.
    fn due(
        &mut self,
        cron_job: &Value,
        status: &Value,
        schedule: &Schedule,
        zone: &TimeZone,
    ) -> Option<Timestamp> {
        let now = self.store.now();
        let since =
            time(status, "/lastScheduleTime").or_else(|| time(cron_job, "/metadata/creationTimestamp"))?;
        let deadline = number(cron_job, "/spec/startingDeadlineSeconds");
        let earliest = deadline.map_or(since, |deadline| since.max(after(now, -deadline)));
        let (due, missed) = schedule.last(earliest, now, zone);
        if missed > TOO_MANY {
            let message = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
            self.say(cron_job, Level::Warning, "TooManyMissedTimes", message);
        }
        due
    }

    /// Starts the job of this time unless the concurrency policy is against it.
    fn start(
        &mut self,
        cron_job: &Value,
        status: &mut Value,
        due: Timestamp,
        zone: &TimeZone,
    ) -> Result<(), Status> {
        let title = format!("{}-{}", name(cron_job), due.as_second() / 60);
        let jobs = self.store.kinds().jobs.clone();
        let mut active = list(status, "/active").to_vec();
        if active.iter().any(|one| text(one, "/name") == title) {
            return Ok(());
        }
        match text(cron_job, "/spec/concurrencyPolicy") {
            "Forbid" if !active.is_empty() => {
                let message =
                    "Not starting job because prior execution is running and concurrency policy is Forbid";
                self.say(cron_job, Level::Normal, "JobAlreadyActive", message);
                return Ok(());
            }
            "Replace" => {
                for one in std::mem::take(&mut active) {
                    if let Some(job) = self.store.get(&jobs, &join(namespace(cron_job), text(&one, "/name")))
                    {
                        self.delete(cron_job, &job)?;
                    }
                }
            }
            _ => {}
        }
        let mut job = json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": title, "namespace": namespace(cron_job)},
            "spec": cron_job["spec"]["jobTemplate"]["spec"],
        });
        for field in ["labels", "annotations"] {
            let stated = &cron_job["spec"]["jobTemplate"]["metadata"][field];
            if stated.is_object() {
                job["metadata"][field] = stated.clone();
            }
        }
        let local = due.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string();
        let local = local.replace("+00:00", "Z");
        set(
            &mut job,
            &["metadata", "annotations", "batch.kubernetes.io/cronjob-scheduled-timestamp"],
            json!(local),
        );
        let owner = owner_reference(&self.store.kinds().cron_jobs, cron_job);
        job["metadata"]["ownerReferences"] = json!([owner]);
        let made = match self.store.create(&jobs, namespace(cron_job), job) {
            Ok(made) => Arc::new(made),
            Err(error) if error.reason == "AlreadyExists" => {
                let there = self.store.get(&jobs, &join(namespace(cron_job), &title));
                there.filter(|job| controlled_by(job, cron_job)).ok_or(error)?
            }
            Err(error) => {
                let message = format!("Error creating job: {error}");
                self.say(cron_job, Level::Warning, "FailedCreate", &message);
                return Err(error);
            }
        };
        self.say(cron_job, Level::Normal, "SuccessfulCreate", &format!("Created job {title}"));
        active.push(reference(&jobs, &made));
        set_active(status, active);
        status["lastScheduleTime"] = json!(stamp(due));
        Ok(())
    }

    fn write(&self, at: &str, status: Value) -> Result<(), Status> {
        let kind = self.store.kinds().cron_jobs.clone();
        let written = self.store.modify(&kind, Sub::Status, at, |cron_job| {
            let changed = cron_job["status"] != status;
            cron_job["status"] = status;
            changed
        });
        written.map(drop)
    }
}

fn set_active(status: &mut Value, active: Vec<Value>) {
    if !active.is_empty() {
        status["active"] = json!(active);
    } else if let Some(map) = status.as_object_mut() {
        map.shift_remove("active");
    }
}

impl Controller for CronJobs {
    fn name(&self) -> &'static str {
        "cronjob"
    }

    fn keys(&mut self, change: &Change, keys: &mut Vec<String>) {
        let kinds = self.store.kinds();
        if *change.table == *kinds.cron_jobs.table() {
            keys.push(change.key.to_string());
        } else if *change.table == *kinds.jobs.table() {
            for row in change.before.iter().chain(&change.after) {
                keys.extend(controller_key(&row.value, "CronJob"));
            }
        }
    }

    fn reconcile(&mut self, at: &str) -> Result<Next, Status> {
        let kind = self.store.kinds().cron_jobs.clone();
        let Some(cron_job) = self.store.get(&kind, at).filter(|cron_job| !deleting(cron_job)) else {
            return Ok(Next::Done);
        };
        let mut status = cron_job["status"].clone();
        if !status.is_object() {
            status = json!({});
        }
        let jobs = self.jobs(&cron_job);
        self.follow(&cron_job, &mut status, &jobs);
        self.clean_up(&cron_job, &jobs)?;
        let suspended = cron_job["spec"]["suspend"] == json!(true);
        let schedule = if suspended { None } else { self.schedule(&cron_job) };
        let Some((schedule, zone)) = schedule else {
            self.write(at, status)?;
            return Ok(Next::Done);
        };
        let due = self.due(&cron_job, &status, &schedule, &zone);
        let started = due.map_or(Ok(()), |due| self.start(&cron_job, &mut status, due, &zone));
        self.write(at, status)?;
        started?;
        Ok(Next::at(schedule.next(self.store.now(), &zone)))
    }
}
