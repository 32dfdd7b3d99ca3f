//! Figures: a program with a report, not a test. Build everything first:
//! `cargo build --release --workspace --bins`, then `cargo run --release -p e2e-tests --bin bench [PART...]`.
//!
//! It measures the start of the fake cloud and of the embedded cluster as separate processes, the whole quickstart as a user
//! runs it, onboarding by the native driver, by helm and by the real Azure CLI where those are installed, requests per second
//! beside a bare axum handler behind the same TLS in the same run, the forward proxy beside a bare relay, and the embedded
//! cluster beside a real API server (`kube-real`; `DRYARC_TEST_KUBECONFIG_REAL` names it).

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the report is what this program is for")]

mod kube;
mod load;
mod onboarding;
mod proxy;
mod rules;
mod scale;
mod server;
mod start;

use std::process::ExitCode;

/// One line of the report.
struct Line {
    what: &'static str,
    figure: String,
    target: &'static str,
    met: bool,
}

fn report(lines: &[Line]) {
    println!("{:<46} {:>22}   {:<28} met", "what", "figure", "target");
    for Line { what, figure, target, met } in lines {
        println!("{what:<46} {figure:>22}   {target:<28} {}", if *met { "yes" } else { "NO" });
    }
}

fn cloud(lines: &mut Vec<Line>) -> Result<(), String> {
    let cloud = start::cloud()?;
    lines.push(Line {
        what: "mock-arm, cold start to ready (median)",
        figure: format!("{:.1} ms", cloud.ready_ms),
        target: "at most 20 ms",
        met: cloud.ready_ms <= 20.0,
    });
    lines.push(Line {
        what: "mock-arm, idle resident memory",
        figure: format!("{:.1} MiB", cloud.resident_mib),
        target: "at most 12 MiB",
        met: cloud.resident_mib <= 12.0,
    });
    Ok(())
}

fn cluster(lines: &mut Vec<Line>) -> Result<(), String> {
    let cluster = start::cluster()?;
    lines.push(Line {
        what: "embedded cluster, start to ready (median)",
        figure: format!("{:.1} ms", cluster.ready_ms),
        target: "at most 100 ms",
        met: cluster.ready_ms <= 100.0,
    });
    lines.push(Line {
        what: "embedded cluster, empty, resident memory",
        figure: format!("{:.1} MiB", cluster.resident_mib),
        target: "at most 20 MiB",
        met: cluster.resident_mib <= 20.0,
    });
    Ok(())
}

fn quickstart(lines: &mut Vec<Line>) -> Result<(), String> {
    let tour = start::quickstart()?;
    lines.push(Line {
        what: "quickstart, whole (median)",
        figure: format!("{:.2} s", tour / 1000.0),
        target: "at most 3 s",
        met: tour <= 3000.0,
    });
    Ok(())
}

fn requests(lines: &mut Vec<Line>) -> Result<(), String> {
    for load::Compared { what, least, subject, floor, twin } in load::compare()? {
        let kinds = [("here", subject), ("bare axum handler", floor), ("the same with all headers", twin)];
        for (who, served) in kinds {
            println!(
                "{what}, {who}: {:.0} requests/s, p50 {:.0} us, p99 {:.0} us, {:.1} us of the server's thread each",
                served.rate, served.p50, served.p99, served.cost
            );
        }
        let share = 100.0 * subject.rate / floor.rate;
        lines.push(Line {
            what,
            figure: format!(
                "{share:.0} % of the bare handler, {:.0} % of one that sends the same headers",
                100.0 * subject.rate / twin.rate
            ),
            target: if least > 80.0 { "at least 85 %" } else { "at least 60 %" },
            met: share >= least,
        });
    }
    Ok(())
}

fn rules(lines: &mut Vec<Line>) -> Result<(), String> {
    let rules::Ruled { none, many } = rules::measured()?;
    for (what, served) in [("no rules", none), ("1,000 rules", many)] {
        println!(
            "GET connected cluster, {what}: {:.0} requests/s, p50 {:.0} us, p99 {:.0} us, {:.1} us of the server's thread each",
            served.rate, served.p50, served.p99, served.cost
        );
    }
    let more = 100.0 * (many.cost / none.cost - 1.0);
    lines.push(Line {
        what: "GET with 1,000 fault rules for something else",
        figure: format!("{more:+.1} % of processor time"),
        target: "at most 5 % more",
        met: more <= 5.0,
    });
    Ok(())
}

fn scale(lines: &mut Vec<Line>) -> Result<(), String> {
    let measured = scale::measured()?;
    let [get, put] = [0, 1].map(|index| measured.many[index] / measured.few[index]);
    for (what, ratio) in
        [("GET with 100,000 stored beside 100", get), ("PUT with 100,000 stored beside 100", put)]
    {
        lines.push(Line { what, figure: format!("{ratio:.2}"), target: "at most 1.3", met: ratio <= 1.3 });
    }
    lines.push(Line {
        what: "page of 1,000 out of 100,000 (median)",
        figure: format!("{:.1} ms", measured.page),
        target: "at most 10 ms",
        met: measured.page <= 10.0,
    });
    lines.push(Line {
        what: "memory per stored connected cluster",
        figure: format!("{:.0} bytes", measured.bytes),
        target: "at most 4096 bytes",
        met: measured.bytes <= 4096.0,
    });
    Ok(())
}

fn onboarding(lines: &mut Vec<Line>) -> Result<(), String> {
    let native = onboarding::native()?;
    lines.push(Line {
        what: "native connect, clock instant",
        figure: format!("{:.2} s", native.connect / 1000.0),
        target: "at most 1 s",
        met: native.connect <= 1000.0,
    });
    lines.push(Line {
        what: "  until the cloud shows it as Connected",
        figure: format!("{:.2} s", native.connected / 1000.0),
        target: "at most 1 s",
        met: native.connected <= 1000.0,
    });
    match onboarding::helm()? {
        Some(took) => lines.push(Line {
            what: "helm install --wait of the agents' chart",
            figure: format!("{:.2} s", took / 1000.0),
            target: "at most 4 s",
            met: took <= 4000.0,
        }),
        None => println!("helm install: helm and kubectl are not both installed"),
    }
    match onboarding::az()? {
        Some(share) => {
            println!("az connectedk8s connect: {} requests in {:.1} s", share.requests, share.whole / 1000.0);
            lines.push(Line {
                what: "az connectedk8s connect, the cloud's share",
                figure: format!("{:.1} ms", share.server),
                target: "at most 500 ms",
                met: share.server <= 500.0,
            });
        }
        None => println!("az connectedk8s: the Azure CLI and its extension are not both installed"),
    }
    Ok(())
}

fn proxy(lines: &mut Vec<Line>) -> Result<(), String> {
    let measured = proxy::measured()?;
    let [through, bare] = measured.carried;
    println!("forward proxy: {through:.0} MiB/s, bare relay: {bare:.0} MiB/s");
    lines.push(Line {
        what: "forward proxy, added to a message's way (median)",
        figure: format!("{:.3} ms", measured.added_ms),
        target: "at most 0.3 ms",
        met: measured.added_ms <= 0.3,
    });
    lines.push(Line {
        what: "forward proxy, bytes per second",
        figure: format!("{:.0} % of a bare relay", 100.0 * through / bare),
        target: "at least 80 %",
        met: through >= 0.8 * bare,
    });
    lines.push(Line {
        what: "forward proxy, memory of an idle tunnel",
        figure: format!("{:.1} KiB", measured.tunnel_kib),
        target: "at most 20 KiB",
        met: measured.tunnel_kib <= 20.0,
    });
    Ok(())
}

type Part = (&'static str, fn(&mut Vec<Line>) -> Result<(), String>);

const PARTS: [Part; 9] = [
    ("cloud", cloud),
    ("cluster", cluster),
    ("quickstart", quickstart),
    ("onboarding", onboarding),
    ("requests", requests),
    ("rules", rules),
    ("scale", scale),
    ("proxy", proxy),
    ("kube-real", kube::measure),
];

/// Measures the parts that are named, or all.
fn measure(wanted: &[String]) -> Result<Vec<Line>, String> {
    if let Some(unknown) = wanted.iter().find(|wanted| PARTS.iter().all(|(name, _)| name != wanted)) {
        let known: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
        return Err(format!("there is no part '{unknown}'; there are {}", known.join(", ")));
    }
    let mut lines = Vec::new();
    for (name, part) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            part(&mut lines)?;
        }
    }
    Ok(lines)
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(proxy::BARE) {
        let ended = proxy::bare(&arguments.next().unwrap_or_default());
        return ended.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    match measure(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(lines) => {
            report(&lines);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
