//! The state directory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sim_core::clock::Clock;

use super::claim::{Attempt, Claim, attempt};
use super::{StateError, UNDO_FILE, WorldName, WorldRecord};

/// Name of our folder in `XDG_STATE_HOME`.
pub(super) const FOLDER: &str = "dryarc";

/// How often and how long apart a lock is tried that somebody holds without having a world.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(20);

/// The directory that holds the user's worlds. Nothing is created before a world needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateHome(PathBuf);

/// A world that was found.
#[derive(Debug)]
pub struct Found {
    /// Its name.
    pub name: WorldName,
    /// Its record, or why there is none.
    pub record: Result<WorldRecord, StateError>,
}

impl StateHome {
    /// `DRYARC_STATE_HOME`, else `dryarc` in `XDG_STATE_HOME`, else `~/.local/state/dryarc`. Relative paths are
    /// ignored in the last two, as the XDG base directory specification asks.
    ///
    /// # Errors
    /// [`StateError::NoHome`] when none of them is set.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Self, StateError> {
        let path = |name: &str| get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(own) = path("DRYARC_STATE_HOME") {
            return std::path::absolute(&own).map(Self).map_err(StateError::io("cannot resolve", own));
        }
        let xdg = path("XDG_STATE_HOME").filter(|path| path.is_absolute());
        let home = || path("HOME").filter(|path| path.is_absolute()).map(|home| home.join(".local/state"));
        xdg.or_else(home).map(|base| Self(base.join(FOLDER))).ok_or(StateError::NoHome)
    }

    /// A state directory at a given place.
    #[must_use]
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn worlds(&self) -> PathBuf {
        self.0.join("worlds")
    }

    /// The folder of a world, whether it exists or not.
    #[must_use]
    pub fn world_dir(&self, name: &WorldName) -> PathBuf {
        self.worlds().join(name.as_str())
    }

    /// Takes the folder of a world that nobody holds, emptying it of leftovers.
    ///
    /// # Errors
    /// [`StateError::Running`] when somebody holds it; [`StateError::Io`] when the folder cannot be made.
    pub async fn claim(&self, name: &WorldName, clock: &Clock) -> Result<Claim, StateError> {
        let dir = self.world_dir(name);
        refuse_foreign(&dir, name)?;
        for _ in 0..TRIES {
            match attempt(&dir, true)? {
                Attempt::Locked(lock) => {
                    let claim = Claim::new(name.clone(), dir, lock);
                    if claim.has_to_undo() {
                        return Err(StateError::Leftover(name.clone()));
                    }
                    claim.clear()?;
                    return Ok(claim);
                }
                Attempt::Vanished => {}
                Attempt::Held => {
                    if WorldRecord::path(&dir).exists() {
                        return Err(StateError::Running(name.clone()));
                    }
                    // Somebody is starting it, or looking whether it is a leftover.
                    clock.wall_sleep(PAUSE).await;
                }
            }
        }
        Err(StateError::Running(name.clone()))
    }

    /// The record of a running world. The folder of a world whose owner died is removed on the way.
    ///
    /// # Errors
    /// [`StateError::NotRunning`], [`StateError::Starting`], or what is wrong with the record.
    pub fn find(&self, name: &WorldName) -> Result<WorldRecord, StateError> {
        let dir = self.world_dir(name);
        if !dir.exists() {
            return Err(StateError::NotRunning(name.clone()));
        }
        refuse_foreign(&dir, name)?;
        match attempt(&dir, true)? {
            Attempt::Vanished => Err(StateError::NotRunning(name.clone())),
            Attempt::Locked(lock) => {
                tracing::info!(world = %name, "removing what a world left behind whose owner died");
                drop(Claim::new(name.clone(), dir, lock));
                Err(StateError::NotRunning(name.clone()))
            }
            Attempt::Held => WorldRecord::read(&dir, name)?.ok_or_else(|| StateError::Starting(name.clone())),
        }
    }

    /// The folders of worlds whose owners died before they had undone what they did elsewhere. They are held until dropped.
    #[must_use]
    pub fn leftovers(&self) -> Vec<Claim> {
        let entries = std::fs::read_dir(self.worlds()).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<WorldName>().ok());
        let claim = |name: WorldName| {
            let dir = self.world_dir(&name);
            if !dir.join(UNDO_FILE).exists() {
                return None;
            }
            match attempt(&dir, false) {
                Ok(Attempt::Locked(lock)) => Some(Claim::new(name, dir, lock)),
                Ok(Attempt::Held | Attempt::Vanished) | Err(_) => None,
            }
        };
        names.filter_map(claim).collect()
    }

    /// Every world of this directory, by name. Leftovers of dead owners are removed on the way.
    ///
    /// # Errors
    /// [`StateError::Io`] when the directory exists and cannot be read.
    pub fn list(&self) -> Result<Vec<Found>, StateError> {
        let worlds = self.worlds();
        let entries = match std::fs::read_dir(&worlds) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StateError::io("cannot read", worlds)(error)),
        };
        let mut names: Vec<WorldName> =
            entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        names.sort();
        let found = names.into_iter().map(|name| Found { record: self.find(&name), name });
        Ok(found.filter(|found| !matches!(found.record, Err(StateError::NotRunning(_)))).collect())
    }
}

/// A folder of another format belongs to another dryarc: it is neither read nor swept.
fn refuse_foreign(dir: &Path, name: &WorldName) -> Result<(), StateError> {
    match WorldRecord::read(dir, name) {
        Err(error @ StateError::Format { .. }) => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::testing::record;

    fn scratch(name: &str) -> StateHome {
        let unique = format!("dryarc-state-{}-{name}", std::process::id());
        let home = StateHome::at(std::env::temp_dir().join(unique).join(FOLDER));
        let _ = std::fs::remove_dir_all(home.path());
        home
    }

    #[tokio::test]
    async fn a_claimed_world_is_found_once_and_leaves_nothing() {
        use std::os::unix::fs::PermissionsExt as _;
        let (home, clock) = (scratch("claim"), Clock::running(1.0));
        let name: WorldName = "a".parse().unwrap();
        assert!(matches!(home.find(&name), Err(StateError::NotRunning(_))));
        let claim = home.claim(&name, &clock).await.unwrap();
        assert!(matches!(home.find(&name), Err(StateError::Starting(_))));
        claim.publish(&record("/w")).unwrap();
        assert_eq!(home.find(&name).unwrap().token, "t");
        assert_eq!(home.list().unwrap().len(), 1);
        assert!(matches!(home.claim(&name, &clock).await, Err(StateError::Running(_))));
        let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(home.path().into()), 0o700);
        assert_eq!(mode(WorldRecord::path(claim.dir())), 0o600);
        drop(claim);
        assert!(!home.path().exists());
    }

    #[tokio::test]
    async fn a_leftover_is_swept_and_its_name_is_free_again() {
        let (home, clock) = (scratch("leftover"), Clock::running(1.0));
        let name: WorldName = "b".parse().unwrap();
        let dir = home.world_dir(&name);
        std::fs::create_dir_all(dir.join("home")).unwrap();
        std::fs::write(dir.join("lock"), "").unwrap();
        std::fs::write(dir.join("world.json"), "{}").unwrap();
        let claim = home.claim(&name, &clock).await.unwrap();
        assert!(!dir.join("home").exists());
        drop(claim);
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("lock"), "").unwrap();
        assert!(home.list().unwrap().is_empty());
        assert!(!dir.exists());
    }

    #[tokio::test]
    async fn a_folder_that_says_what_is_to_be_undone_stays_until_that_is_done() {
        let (home, clock) = (scratch("undo"), Clock::running(1.0));
        let name: WorldName = "u".parse().unwrap();
        let claim = home.claim(&name, &clock).await.unwrap();
        claim.publish(&record("/w")).unwrap();
        std::fs::write(claim.dir().join(UNDO_FILE), "{}").unwrap();
        assert!(home.leftovers().is_empty(), "its owner is alive");
        drop(claim);
        assert!(matches!(home.find(&name), Err(StateError::NotRunning(_))));
        assert!(matches!(home.claim(&name, &clock).await, Err(StateError::Leftover(_))));
        let left = home.leftovers();
        assert_eq!(left.len(), 1);
        std::fs::remove_file(left[0].dir().join(UNDO_FILE)).unwrap();
        drop(left);
        assert!(!home.path().exists());
    }

    #[tokio::test]
    async fn a_record_of_another_format_is_refused_by_number() {
        let (home, clock) = (scratch("format"), Clock::running(1.0));
        let name: WorldName = "c".parse().unwrap();
        let claim = home.claim(&name, &clock).await.unwrap();
        std::fs::write(WorldRecord::path(claim.dir()), r#"{"format":9}"#).unwrap();
        assert!(matches!(home.find(&name), Err(StateError::Format { found: 9, .. })));
        std::fs::write(WorldRecord::path(claim.dir()), "not json").unwrap();
        assert!(matches!(home.find(&name), Err(StateError::Damaged { .. })));
        drop(claim);
        let dir = home.world_dir(&name);
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(WorldRecord::path(&dir), r#"{"format":9}"#).unwrap();
        assert!(matches!(home.find(&name), Err(StateError::Format { .. })), "an abandoned one is not swept");
        assert!(matches!(home.claim(&name, &clock).await, Err(StateError::Format { .. })));
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn the_directory_follows_the_environment_in_order() {
        let at = |pairs: &'static [(&str, &str)]| {
            StateHome::from_env(|name| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
        };
        let all = at(&[("DRYARC_STATE_HOME", "/s"), ("XDG_STATE_HOME", "/x"), ("HOME", "/h")]).unwrap();
        assert_eq!(all.path(), Path::new("/s"));
        let xdg = at(&[("XDG_STATE_HOME", "/x"), ("HOME", "/h")]).unwrap();
        assert_eq!(xdg.path(), Path::new("/x/dryarc"));
        let home = at(&[("XDG_STATE_HOME", "relative"), ("HOME", "/h")]).unwrap();
        assert_eq!(home.path(), Path::new("/h/.local/state/dryarc"));
        assert!(matches!(at(&[]), Err(StateError::NoHome)));
    }
}
