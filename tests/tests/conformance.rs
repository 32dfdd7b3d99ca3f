//! The embedded cluster held against a real API server: every case, and the table of them all.
//!
//! Without `DRYARC_TEST_KUBECONFIG_REAL` the cluster is compared with what was recorded. With it, the real server that the
//! kubeconfig names is asked too and must still answer as recorded; `UPDATE_GOLDEN=1` then records anew what it says. The
//! table is written anew with `UPDATE_GOLDEN=1` alone.

use std::collections::BTreeMap;
use std::process::ExitCode;

use e2e_tests::conformance::{
    CaseFile, Differences, Outcome, REAL_KUBECONFIG, Recording, Target, Verdict, folder, judge, read_cases,
    read_recording, run_case, table, write_recording,
};
use libtest_mimic::{Arguments, Failed, Trial};

type Answers = BTreeMap<(String, String), Result<Vec<Outcome>, String>>;

fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1")
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = match trials(&arguments) {
        Ok(trials) => trials,
        Err(why) => vec![Trial::test("the suite can be read", move || Err(Failed::from(why)))],
    };
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trials(arguments: &Arguments) -> Result<Vec<Trial>, String> {
    let files = read_cases()?;
    if arguments.list {
        return Ok(files.iter().flat_map(names).map(|name| Trial::test(name, || Ok(()))).collect());
    }
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let known = Differences::read()?;
    let mut all = vec![real_server(&runtime, &files, &known)?];
    let ours = runtime.block_on(async {
        let target = Target::embedded().await?;
        let answers = ask(&target, &files, 0).await;
        target.end().await;
        Ok::<_, String>(answers)
    })?;
    let verdicts = verdicts(&files, &ours, &known)?;
    all.extend(verdicts.iter().map(the_cluster_answers_as_the_recorded_server_did));
    all.push(every_known_difference_is_of_a_case(&files, &known));
    all.push(the_table_shows_every_case(&verdicts)?);
    all.push(there_are_enough_cases(verdicts.len()));
    Ok(all)
}

fn names(file: &CaseFile) -> Vec<String> {
    file.cases.iter().map(|case| format!("{}: {}", file.area, case.name)).collect()
}

/// Sends every case to one server, for the first or a later time: each needs namespaces of its own.
async fn ask(target: &Target, files: &[CaseFile], round: usize) -> Answers {
    let run = std::process::id();
    let mut answers = Answers::new();
    for file in files {
        for case in &file.cases {
            let namespace = format!("cf-{run:07}-{:04}", round * 1000 + answers.len());
            let outcomes = run_case(target, case, &namespace).await;
            answers.insert((file.area.clone(), case.name.clone()), outcomes);
        }
    }
    answers
}

fn verdicts(files: &[CaseFile], ours: &Answers, known: &Differences) -> Result<Vec<Verdict>, String> {
    let mut all = Vec::new();
    for file in files {
        let recording = read_recording(&file.area)?;
        if recording.cases != file.hash {
            return Err(format!(
                "{}: the cases have changed since they were recorded; record them anew with UPDATE_GOLDEN=1 and {REAL_KUBECONFIG}",
                file.area
            ));
        }
        for case in &file.cases {
            let not_run = Err("not run".to_owned());
            let ours = ours.get(&(file.area.clone(), case.name.clone())).unwrap_or(&not_run);
            all.push(judge(file, case, recording.outcomes.get(&case.name), ours, known));
        }
    }
    Ok(all)
}

fn the_cluster_answers_as_the_recorded_server_did(verdict: &Verdict) -> Trial {
    let complaint = verdict.complaint();
    Trial::test(format!("{}: {}", verdict.area, verdict.name), move || {
        complaint.map_or(Ok(()), |why| Err(why.into()))
    })
}

/// Asks the real server too, if one is named, and records or compares.
fn real_server(
    runtime: &tokio::runtime::Runtime,
    files: &[CaseFile],
    known: &Differences,
) -> Result<Trial, String> {
    const NAME: &str = "the real server answers as recorded";
    let Some(path) = std::env::var_os(REAL_KUBECONFIG) else {
        let trial = Trial::test(format!("{NAME} (set {REAL_KUBECONFIG} to a kubeconfig)"), || Ok(()));
        return Ok(trial.with_ignored_flag(true));
    };
    let config = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let target = Target::running(&config)?;
    if updating() {
        record(&runtime.block_on(ask(&target, files, 9)), files)?;
    }
    let mut complaints = runtime.block_on(complaints(&target, files, known, 0))?;
    // What goes through its maps in no order is told in no order: it has to answer as recorded now and then.
    for round in 1..=REPEATS {
        let again: Vec<CaseFile> = files.iter().map(|file| only(file, &complaints)).collect();
        if again.iter().all(|file| file.cases.is_empty()) {
            break;
        }
        complaints = runtime.block_on(self::complaints(&target, &again, known, round))?;
    }
    let complaints: Vec<String> =
        complaints.iter().map(|((area, case), why)| format!("{area}: {case}:{why}")).collect();
    Ok(Trial::test(
        NAME,
        move || if complaints.is_empty() { Ok(()) } else { Err(complaints.join("\n").into()) },
    ))
}

/// How often the real server is asked again for what it answered otherwise.
const REPEATS: usize = 6;

type Complaints = BTreeMap<(String, String), String>;

/// The file with none but the cases that there are complaints about.
fn only(file: &CaseFile, complaints: &Complaints) -> CaseFile {
    let mut file = file.clone();
    file.cases.retain(|case| complaints.contains_key(&(file.area.clone(), case.name.clone())));
    file
}

fn record(answers: &Answers, files: &[CaseFile]) -> Result<(), String> {
    for file in files {
        let mut outcomes = BTreeMap::new();
        for case in &file.cases {
            let key = (file.area.clone(), case.name.clone());
            let answer = answers.get(&key).cloned().unwrap_or_else(|| Err("not run".to_owned()));
            outcomes.insert(case.name.clone(), answer.map_err(|why| format!("{}: {}: {why}", key.0, key.1))?);
        }
        let kubernetes = kube_version().to_owned();
        write_recording(&file.area, &Recording { kubernetes, cases: file.hash.clone(), outcomes })?;
    }
    Ok(())
}

/// Where the real server does not answer as recorded.
async fn complaints(
    target: &Target,
    files: &[CaseFile],
    known: &Differences,
    round: usize,
) -> Result<Complaints, String> {
    let answers = ask(target, files, round).await;
    let mut complaints = Complaints::new();
    for file in files {
        let recorded = read_recording(&file.area)?;
        for case in &file.cases {
            let key = (file.area.clone(), case.name.clone());
            let now = answers.get(&key).cloned().unwrap_or_else(|| Err("not answered".to_owned()));
            let verdict = judge(file, case, recorded.outcomes.get(&case.name), &now, &Differences::default());
            // Where the cluster differs anyway, some real values are drawn anew each time: the outcome is what counts.
            if known.reason(&file.area, &case.name).is_some() && verdict.real == verdict.ours {
                continue;
            }
            complaints.extend(verdict.complaint().map(|why| (key, why)));
        }
    }
    Ok(complaints)
}

/// The version that is recorded and claimed.
fn kube_version() -> &'static str {
    kube_sim::KUBERNETES_VERSION
}

fn every_known_difference_is_of_a_case(files: &[CaseFile], known: &Differences) -> Trial {
    let all: Vec<String> = files.iter().flat_map(names).collect();
    let stated =
        known.0.iter().flat_map(|(area, cases)| cases.keys().map(move |case| format!("{area}: {case}")));
    let stale: Vec<String> = stated.filter(|name| !all.contains(name)).collect();
    Trial::test("every known difference is of a case", move || {
        if stale.is_empty() { Ok(()) } else { Err(format!("no such cases: {stale:#?}").into()) }
    })
}

/// The table in the repository is the one that these answers make.
fn the_table_shows_every_case(verdicts: &[Verdict]) -> Result<Trial, String> {
    let (path, fresh) = (folder().join("TABLE.md"), table(kube_version(), verdicts));
    if updating() {
        std::fs::write(&path, &fresh).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    Ok(Trial::test("the table shows every case", move || {
        let outdated = "fixtures/conformance/TABLE.md is outdated; write it anew with UPDATE_GOLDEN=1";
        if found == fresh { Ok(()) } else { Err(outdated.into()) }
    }))
}

fn there_are_enough_cases(count: usize) -> Trial {
    Trial::test("there are at least 200 cases", move || {
        if count >= 200 { Ok(()) } else { Err(format!("only {count}").into()) }
    })
}
