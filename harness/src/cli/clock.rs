//! `dryarc clock`.

use std::time::Duration;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};
use sim_core::clock::{Advanced, Mode, Reading};

use super::output::{Output, print, show};
use super::{CliError, Context, Exit, output, span};
use crate::world;

/// Show or move the world's time
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc clock show
  dryarc clock advance 11m                   through everything that is due on the way
  dryarc clock speed 600
  dryarc clock speed 0                       stop it: only `advance` moves it then")]
pub(super) struct Clock {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the world's time and how it moves
    #[command(after_help = "Example:\n  dryarc clock show --output json")]
    Show {
        /// The form of the output
        #[arg(long, short, value_enum, default_value = "table", value_name = "FORM")]
        output: Output,
    },
    /// Jump ahead, through everything that is due on the way
    #[command(after_help = "Examples:\n  dryarc clock advance 11m\n  dryarc clock advance 1h30m")]
    Advance {
        /// How far: 90s, 11m, 1h30m, 2d
        #[arg(value_name = "SPAN", allow_hyphen_values = true, value_parser = span::parse)]
        by: Duration,
    },
    /// Change how fast the world's time moves
    #[command(after_help = "Examples:\n  dryarc clock speed 600\n  dryarc clock speed 1      like Azure")]
    Speed {
        /// World seconds per second of yours; 0 stops the clock
        #[arg(value_name = "N", allow_negative_numbers = true, value_parser = speed)]
        speed: f64,
    },
}

impl Clock {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let control = context.control()?;
        match self.command {
            Command::Show { output } => {
                let reading: Reading = control.get("/v1/clock").await?;
                show(output, &json!(reading), || format!("{}\n", describe(&reading)))?;
            }
            Command::Advance { by } => {
                let body = json!({ "span": by.as_secs_f64() });
                let advanced: Advanced = control.send(Method::POST, "/v1/clock/advance", &body).await?;
                if !advanced.quiet {
                    output::say("warning: something was still busy when time moved on; see `dryarc journal`");
                }
                let reading: Reading = control.get("/v1/clock").await?;
                print(&format!("{}\n", describe(&reading)))?;
            }
            Command::Speed { speed } => {
                let mode =
                    if speed == 0.0 { Mode::Manual } else { world::mode(None, Some(speed), Mode::Manual)? };
                let _: Value = control.send(Method::PUT, "/v1/clock", &mode).await?;
                let reading: Reading = control.get("/v1/clock").await?;
                print(&format!("{}\n", describe(&reading)))?;
            }
        }
        Ok(Exit::Ok)
    }
}

fn speed(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| format!("'{text}' is no speed: write a number from 0.001 to 1000000, or 0"))
}

/// A clock in a line.
pub(super) fn describe(reading: &Reading) -> String {
    let now = reading.now.strftime("%Y-%m-%dT%H:%M:%SZ");
    match reading.mode {
        Mode::Real => format!("{now}, as fast as yours"),
        Mode::Scaled { speed } => format!("{now}, {speed} times as fast as yours"),
        Mode::Instant => format!("{now}, jumps to whatever is waited for"),
        Mode::Manual => format!("{now}, stands still until advanced"),
    }
}
