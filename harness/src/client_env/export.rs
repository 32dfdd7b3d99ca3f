//! Everything that a client needs, as a folder that can lie on another machine than the world.

use std::io;
use std::path::{Path, PathBuf};

use super::{ClientEnv, Format, Reach, render};
use crate::state::{Facts, StateError, WorldRecord, create_private_dir, write_private};

/// The Azure CLI's login, without what it keeps for itself.
const LOGIN: [&str; 4] = ["azureProfile.json", "clouds.config", "config", "service_principal_entries.json"];

/// The environment, in the forms in which it is exported.
const FORMS: [(&str, Format); 5] = [
    ("env.sh", Format::Sh),
    ("env.fish", Format::Fish),
    ("env.ps1", Format::Powershell),
    ("env.env", Format::Dotenv),
    ("env.json", Format::Json),
];

/// The files of an exported environment: paths below the folder that they will lie in, and contents.
#[derive(Debug)]
pub struct Export(Vec<(PathBuf, Vec<u8>)>);

impl Export {
    /// Gathers what a client needs that reaches the world by `reach` and finds the folder at `folder`.
    ///
    /// # Errors
    /// [`StateError::Io`] when one of the world's files cannot be read.
    pub fn gather(record: &WorldRecord, reach: &Reach, folder: &str) -> Result<Self, StateError> {
        let here = &record.facts;
        let there = Facts { dir: folder.into(), ..here.clone() };
        let mut files = Vec::new();
        let mut add = |from: PathBuf| {
            let content = std::fs::read(&from).map_err(StateError::io("cannot read", &from))?;
            let path = from.strip_prefix(&here.dir).unwrap_or(&from).to_path_buf();
            files.push((path, content));
            Ok(())
        };
        add(here.ca())?;
        add(here.bundle())?;
        add(here.java_trust())?;
        for name in LOGIN {
            add(here.azure_config().join(name))?;
        }
        let kubeconfig = std::fs::read_to_string(here.kubeconfig())
            .map_err(StateError::io("cannot read", here.kubeconfig()))?;
        files.push(("kubeconfig".into(), moved(&kubeconfig, here, reach).into_bytes()));
        let env = ClientEnv::exported(&WorldRecord { facts: there, ..record.clone() }, reach);
        files.extend(FORMS.map(|(name, format)| (name.into(), render(&env, format, false).into_bytes())));
        Ok(Self(files))
    }

    /// Writes the files into `folder`, which is made if it is missing; everything is for its owner only.
    ///
    /// # Errors
    /// [`StateError::Io`] when it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), StateError> {
        for (path, content) in &self.0 {
            let path = folder.join(path);
            if let Some(parent) = path.parent() {
                create_private_dir(parent)?;
            }
            write_private(&path, content)?;
        }
        Ok(())
    }

    /// The files as one tar archive; everything is for its owner only.
    ///
    /// # Errors
    /// None but those of memory.
    pub fn archive(&self) -> io::Result<Vec<u8>> {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, content) in &self.0 {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o600);
            header.set_size(content.len() as u64);
            archive.append_data(&mut header, path, content.as_slice())?;
        }
        archive.into_inner()
    }
}

/// The kubeconfig for a client that reaches the API server elsewhere.
fn moved(kubeconfig: &str, facts: &Facts, reach: &Reach) -> String {
    match &reach.cluster {
        Some(place) => kubeconfig.replace(&facts.cluster_url, &format!("https://{place}")),
        None => kubeconfig.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::testing::record;

    fn world(name: &str) -> (PathBuf, WorldRecord) {
        let dir = std::env::temp_dir().join(format!("dryarc-export-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        let record = record(&dir.display().to_string());
        std::fs::create_dir_all(record.facts.azure_config()).unwrap();
        for name in LOGIN {
            std::fs::write(record.facts.azure_config().join(name), "{}").unwrap();
        }
        for file in [record.facts.ca(), record.facts.bundle(), record.facts.java_trust()] {
            std::fs::write(file, "pem").unwrap();
        }
        let server = format!("server: {}\n", record.facts.cluster_url);
        std::fs::write(record.facts.kubeconfig(), server).unwrap();
        (dir, record)
    }

    #[test]
    fn an_export_speaks_of_the_folder_and_the_ports_that_the_client_sees() {
        let (dir, record) = world("seen");
        let mut reach = Reach::own(&record);
        for text in ["gateway=docker:17441", "cluster=docker:17443"] {
            text.parse::<super::super::Elsewhere>().unwrap().apply(&mut reach);
        }
        let export = Export::gather(&record, &reach, "/elsewhere/client").unwrap();
        let text = |name: &str| {
            let (_, content) = export.0.iter().find(|(path, _)| path == Path::new(name)).unwrap();
            String::from_utf8(content.clone()).unwrap()
        };
        let env = text("env.sh");
        assert!(env.contains("export HTTPS_PROXY='http://docker:17441'"), "{env}");
        assert!(env.contains("export REQUESTS_CA_BUNDLE='/elsewhere/client/ca-bundle.pem'"), "{env}");
        assert!(env.contains("-Dhttps.proxyHost=docker -Dhttps.proxyPort=17441"), "{env}");
        assert!(env.contains("unset ALL_PROXY"), "{env}");
        assert!(!env.contains("DRYARC_STATE_HOME") && !env.contains(&dir.display().to_string()), "{env}");
        assert_eq!(text("kubeconfig"), "server: https://docker:17443\n");
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn folder_and_archive_hold_the_same_for_the_owner_only() {
        use std::io::Read as _;
        use std::os::unix::fs::PermissionsExt as _;
        let (dir, record) = world("same");
        let export = Export::gather(&record, &Reach::own(&record), "/client").unwrap();
        let folder = dir.join("out");
        export.write(&folder).unwrap();
        let archive = export.archive().unwrap();
        let mut count = 0;
        for entry in tar::Archive::new(archive.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            assert_eq!(entry.header().mode().unwrap(), 0o600);
            let path = folder.join(entry.path().unwrap());
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), content);
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            count += 1;
        }
        assert_eq!(count, export.0.len());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
