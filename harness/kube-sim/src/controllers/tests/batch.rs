//! Jobs and CronJobs, with containers whose lives are scripted, on a clock that stands still.

use serde_json::{Value, json};

use crate::api::DeleteOptions;
use crate::controllers::objects::is_true;
use crate::controllers::testing::{SHELL, TestCluster};

fn job(name: &str, spec: Value) -> Value {
    let mut job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": "default"},
        "spec": {"template": {"spec": {"restartPolicy": "Never",
            "containers": [{"name": "c", "image": "app:1"}]}}},
    });
    for (field, value) in spec.as_object().unwrap() {
        job["spec"][field] = value.clone();
    }
    job
}

fn life(job: &mut Value, life: &str) {
    job["spec"]["template"]["metadata"] = json!({"annotations": {"kube-sim.dryarc.dev/life": life}});
}

fn get(cluster: &TestCluster, name: &str) -> Value {
    cluster.get("Job", name).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_indexed_job_runs_every_index_once() {
    let cluster = TestCluster::start("indexed").await;
    let mut sharded = job("shards", json!({"completions": 3, "parallelism": 2, "completionMode": "Indexed"}));
    sharded["spec"]["template"]["spec"]["containers"][0] =
        json!({"name": "c", "image": SHELL, "args": ["echo index $JOB_COMPLETION_INDEX"]});
    cluster.create(sharded);
    cluster.until("complete", |cluster| is_true(&get(cluster, "shards"), "Complete")).await;
    let status = get(&cluster, "shards")["status"].clone();
    assert_eq!((&status["succeeded"], &status["completedIndexes"]), (&json!(3), &json!("0-2")));
    let pods = cluster.list("Pod", "default");
    let mut hosts: Vec<_> = pods.iter().map(|pod| pod["spec"]["hostname"].as_str().unwrap()).collect();
    hosts.sort_unstable();
    assert_eq!(hosts, ["shards-0", "shards-1", "shards-2"]);
    let uid =
        pods.iter().find(|pod| pod["spec"]["hostname"] == "shards-2").unwrap()["metadata"]["uid"].clone();
    let log = cluster.logs.tail(uid.as_str().unwrap(), "c", 100);
    assert_eq!(log, "index 2\n");
    cluster.clock.quiet().await;
    let tracked = cluster.list("Pod", "default").iter().any(|pod| !pod["metadata"]["finalizers"].is_null());
    assert!(!tracked, "counted pods are let go");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_job_gives_up_after_its_limit_with_growing_waits() {
    let cluster = TestCluster::start("backoff").await;
    let mut failing = job("bad", json!({"backoffLimit": 2}));
    life(&mut failing, "CrashLoopBackOff");
    cluster.create(failing);
    cluster.clock.quiet().await;
    assert_eq!(get(&cluster, "bad")["status"]["failed"], 1);
    cluster.advance(10).await;
    assert_eq!(get(&cluster, "bad")["status"]["failed"], 2);
    cluster.advance(19).await;
    assert_eq!(get(&cluster, "bad")["status"]["failed"], 2);
    cluster.advance(1).await;
    let bad = get(&cluster, "bad");
    assert_eq!(bad["status"]["failed"], 3);
    assert!(is_true(&bad, "Failed") && is_true(&bad, "FailureTarget"));
    assert_eq!(cluster.events("BackoffLimitExceeded"), ["Job has reached the specified backoff limit"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deadlines_suspension_and_time_to_live_follow_the_clock() {
    let cluster = TestCluster::start("deadlines").await;
    cluster.create(job("slow", json!({"activeDeadlineSeconds": 60, "ttlSecondsAfterFinished": 30})));
    cluster.create(job("rests", json!({"suspend": true})));
    cluster.clock.quiet().await;
    assert_eq!(cluster.list("Pod", "default").len(), 1, "a suspended job has no pods");
    assert_eq!(cluster.events("Suspended"), ["Job suspended"]);
    cluster.edit("Job", "rests", |job| job["spec"]["suspend"] = json!(false));
    cluster.clock.quiet().await;
    assert_eq!(cluster.list("Pod", "default").len(), 2);
    cluster.advance(60).await;
    assert_eq!(cluster.events("DeadlineExceeded"), ["Job was active longer than specified deadline"]);
    assert!(is_true(&get(&cluster, "slow"), "Failed"));
    cluster.advance(30).await;
    assert!(cluster.get("Job", "slow").is_none(), "it went when its time was over");
    cluster.delete("Job", "rests", &DeleteOptions::default());
    cluster.clock.quiet().await;
    cluster.advance(30).await;
    assert!(cluster.list("Pod", "default").is_empty(), "pods do not stick to their finalizer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cron_job_starts_jobs_by_the_worlds_clock_and_keeps_a_short_history() {
    let cluster = TestCluster::start("cron").await;
    let mut template = job("x", json!({}));
    life(&mut template, "Completed");
    let cron = json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "tick", "namespace": "default"},
        "spec": {"schedule": "*/5 * * * *", "successfulJobsHistoryLimit": 2, "concurrencyPolicy": "Forbid",
            "jobTemplate": {"spec": template["spec"]}},
    });
    cluster.create(cron);
    cluster.clock.quiet().await;
    assert!(cluster.list("Job", "default").is_empty());
    cluster.advance(300).await;
    let first = cluster.list("Job", "default");
    // 2030-01-01T00:05 in minutes since 1970.
    assert_eq!(first[0]["metadata"]["name"], "tick-31557605");
    let stamp = &first[0]["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"];
    assert_eq!(stamp, "2030-01-01T00:05:00Z");
    cluster.advance(3 * 300).await;
    assert_eq!(cluster.list("Job", "default").len(), 2, "the history is short");
    assert_eq!(cluster.events("SuccessfulDelete").len(), 2);
    let status = cluster.get("CronJob", "tick").unwrap()["status"].clone();
    assert_eq!(status["lastScheduleTime"], "2030-01-01T00:20:00Z");
    assert_eq!(status["lastSuccessfulTime"], "2030-01-01T00:20:00Z");
    cluster.edit("CronJob", "tick", |cron| cron["spec"]["suspend"] = json!(true));
    cluster.advance(600).await;
    assert_eq!(cluster.get("CronJob", "tick").unwrap()["status"]["lastScheduleTime"], "2030-01-01T00:20:00Z");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrency_policies_decide_about_jobs_that_still_run() {
    let cluster = TestCluster::start("concurrency").await;
    for policy in ["Forbid", "Replace", "Allow"] {
        cluster.create(json!({
            "apiVersion": "batch/v1", "kind": "CronJob",
            "metadata": {"name": policy.to_lowercase(), "namespace": "default"},
            "spec": {"schedule": "* * * * *", "concurrencyPolicy": policy,
                "jobTemplate": {"spec": job("x", json!({}))["spec"]}},
        }));
    }
    cluster.advance(120).await;
    let running = |name: &str| {
        let jobs = cluster.list("Job", "default");
        let mine = jobs.iter().filter(|job| job["metadata"]["ownerReferences"][0]["name"] == name);
        mine.map(|job| job["metadata"]["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(running("forbid"), ["forbid-31557601"]);
    assert_eq!(running("replace"), ["replace-31557602"]);
    assert_eq!(running("allow"), ["allow-31557601", "allow-31557602"]);
    assert!(!cluster.events("JobAlreadyActive").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_fails_too_often_is_given_up_and_the_others_go_on() {
    let cluster = TestCluster::start("per-index").await;
    let mut sharded = job(
        "shards",
        json!({"completions": 3, "parallelism": 3, "completionMode": "Indexed", "backoffLimitPerIndex": 1}),
    );
    sharded["spec"]["template"]["spec"]["containers"][0] =
        json!({"name": "c", "image": SHELL, "args": ["test $JOB_COMPLETION_INDEX != 1"]});
    cluster.create(sharded);
    cluster.until("the others", |cluster| get(cluster, "shards")["status"]["succeeded"] == 2).await;
    assert!(!is_true(&get(&cluster, "shards"), "Failed"), "the index is tried again");
    cluster.clock.quiet().await;
    cluster.advance(11).await;
    cluster.until("given up", |cluster| is_true(&get(cluster, "shards"), "Failed")).await;
    let status = get(&cluster, "shards")["status"].clone();
    assert_eq!((&status["failedIndexes"], &status["completedIndexes"]), (&json!("1"), &json!("0,2")));
    assert_eq!((&status["failed"], &status["succeeded"]), (&json!(2), &json!(2)));
    let reasons = status["conditions"].as_array().unwrap().iter().map(|one| one["reason"].clone());
    assert!(reasons.into_iter().all(|reason| reason == "FailedIndexes"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_done_when_its_success_policy_says_so() {
    let cluster = TestCluster::start("success-policy").await;
    let mut sharded = job(
        "shards",
        json!({"completions": 3, "parallelism": 3, "completionMode": "Indexed",
            "successPolicy": {"rules": [{"succeededIndexes": "0"}]}}),
    );
    sharded["spec"]["template"]["spec"]["containers"][0] =
        json!({"name": "c", "image": SHELL, "args": ["test $JOB_COMPLETION_INDEX = 0 || exec sleep 1000"]});
    cluster.create(sharded);
    cluster.until("complete", |cluster| is_true(&get(cluster, "shards"), "Complete")).await;
    let status = get(&cluster, "shards")["status"].clone();
    assert_eq!((&status["completedIndexes"], &status["succeeded"]), (&json!("0"), &json!(1)));
    assert_eq!(status["conditions"][0]["reason"], "SuccessPolicy");
    assert_eq!(status["conditions"][0]["message"], "Matched rules at index 0");
}
