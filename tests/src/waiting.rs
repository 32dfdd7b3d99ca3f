//! Waiting for what other processes do.

use std::time::Duration;

use sim_core::clock::Clock;

/// Asks again and again until the answer is yes, for `seconds` of wall time at most.
///
/// # Errors
/// What the question fails with; `what` when the answer stays no.
pub fn eventually(
    what: &str,
    seconds: u64,
    mut holds: impl FnMut() -> Result<bool, String>,
) -> Result<(), String> {
    let clock = Clock::running(1.0);
    let watch = clock.stopwatch();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    while watch.elapsed() < Duration::from_secs(seconds) {
        if holds()? {
            return Ok(());
        }
        runtime.block_on(clock.wall_sleep(Duration::from_millis(300)));
    }
    Err(format!("{what}: not within {seconds} s"))
}
