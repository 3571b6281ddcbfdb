//! The folder of the pinned objects that outlive a restart.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use crate::config::{ConfigError, Settings};

/// Makes the folder, or finds out that nothing can be kept: an error where the file names the
/// folder, a warning where it is the default.
///
/// # Errors
/// The folder's key and what the system says.
pub(super) fn prepare(settings: &mut Settings) -> Result<(), ConfigError> {
    let Some(folder) = settings.state_dir.clone() else {
        return Ok(());
    };
    let Err(error) = make_and_try(&folder) else {
        return Ok(());
    };
    let text = format!("{} cannot be written: {error}", folder.display());
    if settings.state_dir_is_written {
        return Err(ConfigError::Wrong(vec![
            settings.problem("state_dir", text),
        ]));
    }
    tracing::warn!("state_dir: {text}; init segments and master playlists are lost in a restart");
    settings.state_dir = None;
    Ok(())
}

fn make_and_try(folder: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let trial = folder.join(format!(".trial-{}", std::process::id()));
    std::fs::write(&trial, b"")?;
    std::fs::remove_file(&trial)
}
