//! This program as the layer of an image.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use super::archive::{Base, append, digest_of};
use crate::clusters::{ClusterError, Trouble};

/// Where program and libraries lie in the image.
const PROGRAM: &str = "dryarc";
const LIBRARIES: &str = "lib";

/// How names are looked up: what the C library assumes without this file differs from system to system.
const NAMES: (&str, &[u8]) = ("etc/nsswitch.conf", b"hosts: files dns\n");

/// Packs the running program and the libraries that are mapped into it.
///
/// A static program needs nothing beside itself. For one that is linked dynamically the system's loader and libraries come
/// along, and the loader starts it.
pub(super) fn base(architecture: &str, scratch: &Path) -> Result<Base, ClusterError> {
    let own = own_architecture();
    if !cfg!(target_os = "linux") || own != architecture {
        let what = format!(
            "the nodes are linux/{architecture}, and this program is {}/{own}: it cannot be the agents' image",
            std::env::consts::OS
        );
        let next = "name an image of dryarc for the nodes with --agent-image";
        return Err(ClusterError::new(Trouble::Unusable, what, next));
    }
    let failed = |error: io::Error| ClusterError::file("packing this program", error);
    let program = std::env::current_exe().map_err(failed)?;
    let mapped = std::fs::read_to_string("/proc/self/maps").map_err(failed)?;
    let libraries = libraries(&mapped, &program);
    let layer = scratch.join("program.tar");
    pack(&program, &libraries, &layer).map_err(failed)?;
    Ok(Base {
        diff_ids: vec![digest_of(&layer).map_err(failed)?],
        layers: vec![layer],
        architecture: architecture.into(),
        program: command(&libraries),
    })
}

/// Go's name for the architecture of this program.
fn own_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The shared objects in a process's memory map.
fn libraries(maps: &str, program: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = maps
        .lines()
        .filter_map(|line| line.find('/').map(|start| PathBuf::from(&line[start..])))
        .filter(|path| path != program && file_name(path).contains(".so"))
        .collect();
    found.sort();
    found.dedup();
    found
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn command(libraries: &[PathBuf]) -> Vec<String> {
    let loader = libraries.iter().map(|path| file_name(path)).find(|name| name.starts_with("ld-"));
    match loader {
        None => vec![format!("/{PROGRAM}")],
        Some(loader) => vec![
            format!("/{LIBRARIES}/{loader}"),
            "--library-path".into(),
            format!("/{LIBRARIES}"),
            format!("/{PROGRAM}"),
        ],
    }
}

fn pack(program: &Path, libraries: &[PathBuf], to: &Path) -> io::Result<()> {
    let mut layer = tar::Builder::new(BufWriter::new(File::create(to)?));
    let named = libraries.iter().map(|path| (path.as_path(), format!("{LIBRARIES}/{}", file_name(path))));
    for (path, name) in std::iter::once((program, PROGRAM.to_owned())).chain(named) {
        let mut file = File::open(path)?;
        let mut header = tar::Header::new_gnu();
        // The same for everybody: neither owner nor date of the file.
        header.set_mode(0o755);
        header.set_size(file.metadata()?.len());
        layer.append_data(&mut header, name, &mut file)?;
    }
    append(&mut layer, NAMES.0, NAMES.1)?;
    io::Write::flush(&mut layer.into_inner()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
55e0-55e1 r--p 0000 fd:00 1 /usr/bin/dryarc
7f00-7f01 r-xp 0000 fd:00 2 /usr/lib/x86_64-linux-gnu/libc.so.6
7f01-7f02 r--p 0000 fd:00 2 /usr/lib/x86_64-linux-gnu/libc.so.6
7f02-7f03 r-xp 0000 fd:00 3 /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2
7f03-7f04 r--p 0000 fd:00 4 /usr/lib/locale/locale-archive
7ffc-7ffd rw-p 0000 00:00 0 [stack]
";

    #[test]
    fn a_program_comes_with_its_libraries_and_a_static_one_alone() {
        let found = libraries(MAPS, Path::new("/usr/bin/dryarc"));
        assert_eq!(found.len(), 2);
        assert_eq!(command(&found)[0], "/lib/ld-linux-x86-64.so.2");
        assert_eq!(command(&found)[3], "/dryarc");
        assert_eq!(command(&[]), ["/dryarc"]);
    }
}
