//! What is no program: the state directory, loopback ports, the system's roots.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use super::finding::Finding;
use crate::client_env::OuterEnv;
use crate::state::StateHome;

pub(super) fn examine(outer: &OuterEnv) -> Vec<Finding> {
    vec![state_directory(outer), loopback(), roots(outer)]
}

/// Whether a world's folder could be made. Nothing is made to find out.
fn state_directory(outer: &OuterEnv) -> Finding {
    let finding = Finding::missing(
        "state directory",
        "the files of a world, which are removed with it",
        "set DRYARC_STATE_HOME to a folder that you can write to",
    )
    .required();
    let home = match StateHome::from_env(|name| {
        std::env::var(name).ok().or_else(|| outer.get(name).map(str::to_owned))
    }) {
        Ok(home) => home,
        Err(error) => return Finding { detail: Some(error.to_string()), ..finding },
    };
    let path = home.path().to_path_buf();
    let existing = path.ancestors().find(|place| place.exists()).unwrap_or(Path::new("/")).to_path_buf();
    let writable = rustix::fs::access(&existing, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK);
    match writable {
        Ok(()) if existing.is_dir() => finding.found(Some(path), None),
        Ok(()) => finding.unusable(Some(path), format!("{} is no folder", existing.display())),
        Err(error) => {
            let detail = format!("{} cannot be written: {}", existing.display(), std::io::Error::from(error));
            finding.unusable(Some(path), detail)
        }
    }
}

fn loopback() -> Finding {
    let finding = Finding::missing(
        "loopback ports",
        "the cloud, the gateway and the cluster of a world, which listen on 127.0.0.1",
        "let programs of yours listen on 127.0.0.1; a sandbox or a limit of the system forbids it",
    )
    .required();
    match TcpListener::bind((Ipv4Addr::LOCALHOST, 0)) {
        Ok(_) => Finding { place: Some("127.0.0.1".into()), ..finding.found(None, None) },
        Err(error) => finding.unusable(None, error.to_string()),
    }
}

/// The roots that clients of a world trust beside the world's own.
fn roots(outer: &OuterEnv) -> Finding {
    let finding = Finding::missing(
        "system roots",
        "reaching real hosts through a world (`--allow HOST`); simulated ones do without",
        "install your system's CA bundle (Debian: `apt install ca-certificates`), or name one by SSL_CERT_FILE",
    );
    let found = rustls_native_certs::load_native_certs();
    let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
        .into_iter()
        .find_map(|name| Some(format!("{} (named by {name})", outer.get(name)?)));
    if found.certs.is_empty() {
        let reason = found.errors.first().map_or_else(|| "there are none".to_owned(), ToString::to_string);
        return Finding { detail: Some(reason), ..finding };
    }
    let mut ok = finding.found(None, Some(format!("{} certificates", found.certs.len())));
    ok.place = named.or_else(|| Some("the system's own store".into()));
    ok
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;

    #[test]
    fn a_machine_that_can_run_tests_can_run_a_world() {
        let place = std::env::temp_dir().join("dryarc-not-there/yet");
        let outer = OuterEnv::new([("DRYARC_STATE_HOME".to_owned(), place.display().to_string())]);
        let found = examine(&outer);
        assert!(found.iter().all(|one| !one.lacking()), "{found:?}");
        assert!(!place.exists(), "nothing is made to find out");
    }

    #[test]
    fn a_state_directory_below_a_file_is_named() {
        let file = std::env::temp_dir().join(format!("dryarc-doctor-file-{}", std::process::id()));
        std::fs::write(&file, "").unwrap();
        let outer =
            OuterEnv::new([("DRYARC_STATE_HOME".to_owned(), file.join("state").display().to_string())]);
        let found = state_directory(&outer);
        std::fs::remove_file(&file).unwrap();
        assert_eq!(found.state, State::Unusable);
        assert!(found.lacking() && found.detail.is_some());
    }
}
