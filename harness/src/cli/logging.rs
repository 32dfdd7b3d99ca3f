//! Logs on stderr.

use tracing_subscriber::EnvFilter;

/// The form of log lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Starts logging: warnings, more with each `-v`, or what `RUST_LOG` says. A second call changes nothing.
pub(super) fn start(verbose: u8, format: LogFormat, rust_log: Option<&str>) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let quiet = "h2=info,hyper=info,hyper_util=info,rustls=info,tower=info,kube_client=warn";
    let own = if verbose == 0 { level.to_owned() } else { format!("{level},{quiet}") };
    let filter = rust_log.and_then(|directives| EnvFilter::try_new(directives).ok());
    let filter = filter.unwrap_or_else(|| EnvFilter::new(own));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match format {
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    // A program that embeds this one may log already.
    drop(started);
}
