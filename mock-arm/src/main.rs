//! The fake cloud as a program of its own: reads flags, starts, prints one JSON line when ready, ends on a signal.
//!
//! `dryarc up` is the friendlier way in; this binary is for who wants the cloud alone.

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use mock_arm::{Cloud, CloudConfig, Profile};
use serde_json::json;
use sim_core::clock::Clock;
use sim_core::faults::FaultSet;
use sim_core::journal::Journal;
use sim_core::keys::{self, KeySource};
use sim_core::pki::{Authority, Constraints};
use sim_core::seed::Seed;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// A fake Azure cloud: Resource Manager, Entra ID and the Arc data plane on one TLS listener.
///
/// Prints one line of JSON on stdout when it is ready: addresses, the CA's file, ids. Example:
/// mock-arm --state-dir /tmp/cloud --speed 60
#[derive(Debug, Parser)]
#[command(name = "mock-arm", version)]
struct Args {
    /// Address of the simulated Azure; port 0 is any free one.
    #[arg(long, env = "DRYARC_LISTEN", default_value_t = loopback())]
    listen: SocketAddr,
    /// Address of the control API; port 0 is any free one.
    #[arg(long, env = "DRYARC_ADMIN_LISTEN", default_value_t = loopback())]
    admin_listen: SocketAddr,
    /// Profile of the cloud (YAML or JSON).
    #[arg(long, env = "DRYARC_PROFILE", value_name = "FILE")]
    profile: Option<PathBuf>,
    /// World seconds per real second.
    #[arg(long, env = "DRYARC_SPEED", default_value_t = 60.0, value_parser = speed)]
    speed: f64,
    /// Seed of the simulation; a fresh one is drawn when it is left out.
    #[arg(long, env = "DRYARC_SEED", value_name = "NUMBER")]
    seed: Option<Seed>,
    /// Refuse API versions that a type does not list instead of serving the nearest one.
    #[arg(long, env = "DRYARC_STRICT")]
    strict: bool,
    /// Directory for ca.pem and the control API's token; made if absent.
    #[arg(long, env = "DRYARC_STATE_DIR", value_name = "DIR")]
    state_dir: PathBuf,
}

fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed > 0.0 => Ok(speed),
        _ => Err("a positive number, such as 60".into()),
    }
}

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = runtime.map_err(Failure::from).and_then(|runtime| runtime.block_on(run(args)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "mock-arm: {error}");
            ExitCode::FAILURE
        }
    }
}

fn profile(path: Option<&Path>) -> Result<Profile, Failure> {
    let Some(path) = path else { return Ok(Profile::default()) };
    let said = |what: &dyn std::fmt::Display| format!("profile {}: {what}", path.display());
    let text = fs::read_to_string(path).map_err(|error| said(&error))?;
    Ok(serde_saphyr::from_str(&text).map_err(|error| said(&error))?)
}

/// Writes a file that only its owner can read.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let said = |error| format!("cannot write {}: {error}", path.display());
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(said)?;
    Ok(file.write_all(text.as_bytes()).map_err(said)?)
}

fn fresh_seed() -> Result<Seed, Failure> {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| "the operating system has no randomness to give")?;
    Ok(Seed::new(u64::from_be_bytes(bytes)))
}

async fn run(args: Args) -> Result<(), Failure> {
    let mut profile = profile(args.profile.as_deref())?;
    profile.strict |= args.strict;
    let seed = args.seed.map_or_else(fresh_seed, Ok)?;
    let clock = Clock::running(args.speed);
    let journal = Journal::new(clock.clone());
    let constraints = Constraints {
        suffixes: ["azure.com", "microsoft.com", "microsoftonline.com", "windows.net", "localhost"]
            .map(str::to_owned)
            .to_vec(),
    };
    let authority = Arc::new(Authority::new("dryarc", &constraints, clock.wall())?);
    let directory = &args.state_dir;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| format!("cannot make {}: {error}", directory.display()))?;
    let (ca, token_file) = (directory.join("ca.pem"), directory.join("admin-token"));
    write(&ca, authority.pem())?;
    let token = keys::secret("admin")?;
    write(&token_file, &token)?;
    let admin = TcpListener::bind(args.admin_listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", args.admin_listen))?;
    let admin_addr = admin.local_addr()?;
    let cloud = Cloud::start(CloudConfig {
        faults: FaultSet::new(seed, clock.clone(), journal.clone()),
        keys: KeySource::fresh(),
        listen: args.listen,
        names: Vec::new(),
        clock,
        seed,
        journal,
        authority,
        profile,
    })
    .await?;
    let control = mock_arm::admin::guarded(cloud.admin_router(), &token);
    let control = tokio::spawn(async move { axum::serve(admin, control).await });
    let filled = &cloud.world().profile;
    let ready = json!({
        "ready": true,
        "url": format!("https://{}", cloud.addr()),
        "admin": format!("http://{admin_addr}"),
        "adminTokenFile": token_file,
        "ca": ca,
        "seed": seed,
        "tenantId": filled.tenant.id,
        "subscriptionId": filled.subscriptions.first().map(|one| one.id),
        "clientId": filled.principals.first().map(|one| one.client_id),
        "clientSecret": filled.principals.first().map(|one| one.secret.clone()),
    });
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{ready}")?;
    stdout.flush()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted?,
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    control.abort();
    cloud.shutdown().await;
    let _ = fs::remove_file(token_file);
    Ok(())
}
