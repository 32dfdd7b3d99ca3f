//! `dryarc operation`.

use clap::{Args, Subcommand};
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::output::{Output, show, table};
use super::{CliError, Context, Exit};

/// Show long-running operations, and decide how they end
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  dryarc operation list
  dryarc operation fail ID --code QuotaExceeded --message 'No more clusters.'")]
pub(super) struct Operation {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the operations: those that run, and those that ended not long ago
    #[command(after_help = "Example:\n  dryarc operation list --output json")]
    List {
        /// The form of the output
        #[arg(long, short, value_enum, default_value = "table", value_name = "FORM")]
        output: Output,
    },
    /// Let an operation end well, now
    #[command(after_help = "Example:\n  dryarc operation advance ID")]
    Advance {
        /// Its id, as `operation list` shows it
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Let an operation fail, now
    #[command(after_help = "Example:\n  dryarc operation fail ID --code QuotaExceeded")]
    Fail {
        /// Its id, as `operation list` shows it
        #[arg(value_name = "ID")]
        id: String,
        /// The error's code
        #[arg(long, value_name = "CODE")]
        code: Option<String>,
        /// The error's text
        #[arg(long, value_name = "TEXT")]
        message: Option<String>,
    },
    /// Cancel an operation, now
    #[command(after_help = "Example:\n  dryarc operation cancel ID")]
    Cancel {
        /// Its id, as `operation list` shows it
        #[arg(value_name = "ID")]
        id: String,
    },
}

impl Operation {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let (id, action, body) = match self.command {
            Command::List { output } => {
                let list: Value = context.control()?.get("/v1/operations").await?;
                show(output, &list, || people(list.as_array().map_or(&[], Vec::as_slice)))?;
                return Ok(Exit::Ok);
            }
            Command::Advance { id } => (id, "advance", Map::new()),
            Command::Cancel { id } => (id, "cancel", Map::new()),
            Command::Fail { id, code, message } => {
                let given = [("code", code), ("message", message)];
                let given = given.into_iter().filter_map(|(name, value)| Some((name.into(), value?.into())));
                (id, "fail", given.collect())
            }
        };
        let path = format!("/v1/operations/{}/{action}", utf8_percent_encode(&id, NON_ALPHANUMERIC));
        let now: Value = context.control()?.send(Method::POST, &path, &body).await?;
        show(Output::Table, &now, || people(std::slice::from_ref(&now)))?;
        Ok(Exit::Ok)
    }
}

fn people(list: &[Value]) -> String {
    let row = |one: &Value| {
        let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        vec![text("id"), text("state"), text("name"), text("subject")]
    };
    let rows: Vec<Vec<String>> = list.iter().map(row).collect();
    table(&["ID", "STATE", "OPERATION", "RESOURCE"], &rows)
}
