//! Debian packages of any suite, without touching what this machine has installed.
//!
//! Each suite has an apt root of its own below the lab's folder: lists, status and cache. The
//! mirror is the one that the machine's own sources name; a proxy or certificate that the machine's
//! apt is configured with holds here too. Packages are kept under their checksums, so what was
//! fetched once is not fetched again, from whatever suite it came.

use super::offer::Offer;
use crate::Result;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// How the error begins where the mirror gives nothing.
pub(super) const NO_PACKAGES: &str = "no packages from the mirror";

/// Lists older than this are brought up to date: versions rotate on mirrors.
const LISTS_AGE_MAX: Duration = Duration::from_secs(24 * 3600);

/// The keys that Debian's lists are signed with, where Debian keeps them.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Relations that lead to no package that is needed.
const NEEDED_ONLY: [&str; 6] = [
    "--no-recommends",
    "--no-suggests",
    "--no-conflicts",
    "--no-breaks",
    "--no-replaces",
    "--no-enhances",
];

/// One suite of Debian, as apt sees it.
pub(super) struct Apt {
    suite: &'static str,
    folder: PathBuf,
    /// Where packages are kept, by checksum.
    kept: PathBuf,
}

/// A package that is on this machine as a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Package {
    pub(super) name: String,
    /// Of the file.
    pub(super) sha256: String,
    pub(super) file: PathBuf,
}

impl Apt {
    /// The suite's root below `lab`, made and brought up to date where it must be.
    pub(super) fn open(lab: &Path, suite: &'static str) -> Result<Apt> {
        let apt = Apt {
            suite,
            folder: lab.join("apt").join(suite),
            kept: lab.join("packages"),
        };
        for folder in ["lists/partial", "cache/archives/partial", "empty", "state"] {
            make_folder(&apt.folder.join(folder))?;
        }
        make_folder(&apt.kept)?;
        let sources = apt.folder.join("sources.list");
        let line = format!("deb [{}] {} {suite} main\n", signed_by(), mirror()?);
        if fs::read_to_string(&sources).ok().as_ref() != Some(&line) {
            write(&sources, &line)?;
        }
        for file in ["state/status", "state/extended"] {
            write(&apt.folder.join(file), "")?;
        }
        apt.update(false)?;
        Ok(apt)
    }

    /// Reads the suite's lists anew if they are old, or if it `must`. Old ones do where that fails.
    fn update(&self, must: bool) -> Result<()> {
        let stamp = self.folder.join("updated");
        let age = fs::metadata(&stamp).and_then(|meta| meta.modified());
        let age = age.ok().and_then(|at| at.elapsed().ok());
        if !must && age.is_some_and(|age| age < LISTS_AGE_MAX) {
            return Ok(());
        }
        println!("lab: reading the package lists of {}", self.suite);
        match output(self.command("apt-get").args(["update", "-qq"])) {
            Ok(_) => write(&stamp, ""),
            Err(error) if age.is_some() => {
                println!("lab: {error}; the lists stay as they were");
                Ok(())
            }
            Err(error) => Err(format!("{NO_PACKAGES}: {error}")),
        }
    }

    /// What `names` need, themselves included, without recommendations.
    pub(super) fn closure(&self, names: &[&str]) -> Result<Vec<String>> {
        let mut command = self.command("apt-get");
        command.args(["install", "-s", "--no-install-recommends"]);
        Ok(simulated(&output(command.args(names))?))
    }

    /// All packages reached from `names`, whatever they are for, that `wanted` accepts.
    pub(super) fn reached(
        &self,
        names: &[&str],
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Vec<String>> {
        let mut command = self.command("apt-cache");
        command.args(["depends", "--recurse"]).args(NEEDED_ONLY);
        let text = output(command.args(names))?;
        let reached = text.lines().filter(|line| line.starts_with('l'));
        let reached: BTreeSet<_> = reached.filter(|name| wanted(name)).collect();
        Ok(reached.into_iter().map(String::from).collect())
    }

    /// These packages as files, fetched if they are not kept already.
    pub(super) fn fetch(&self, names: &[String]) -> Result<Vec<Package>> {
        let offers = self.offers(names)?;
        let missing: Vec<_> = offers.iter().filter(|o| !self.kept(o).is_file()).collect();
        if !missing.is_empty() && self.download(&missing).is_err() {
            // The mirror has moved on since the lists were read.
            self.update(true)?;
            let offers = self.offers(names)?;
            let missing: Vec<_> = offers.iter().filter(|o| !self.kept(o).is_file()).collect();
            self.download(&missing)?;
            return Ok(self.packages(offers));
        }
        Ok(self.packages(offers))
    }

    fn packages(&self, offers: Vec<Offer>) -> Vec<Package> {
        let package = |offer: Offer| Package {
            file: self.kept(&offer),
            name: offer.name,
            sha256: offer.sha256,
        };
        offers.into_iter().map(package).collect()
    }

    fn offers(&self, names: &[String]) -> Result<Vec<Offer>> {
        let mut command = self.command("apt-get");
        command.args(["download", "--print-uris"]).args(names);
        let text = output(&mut command)?;
        let offers = text.lines().filter(|line| line.starts_with('\''));
        offers.map(Offer::read).collect()
    }

    /// Apt compares checksums as it downloads; a file gets its name only after that.
    fn download(&self, offers: &[&Offer]) -> Result<()> {
        let megabytes = offers.iter().map(|o| o.bytes).sum::<u64>() / 1_000_000;
        let (count, suite) = (offers.len(), self.suite);
        println!("lab: fetching {count} packages of {suite}, {megabytes} MB");
        let folder = self.folder.join("fetched");
        let _ = fs::remove_dir_all(&folder);
        make_folder(&folder)?;
        let mut command = self.command("apt-get");
        command.args(["download", "-qq"]).current_dir(&folder);
        output(command.args(offers.iter().map(|o| &o.name)))
            .map_err(|error| format!("{NO_PACKAGES}: {error}"))?;
        for offer in offers {
            let from = folder.join(&offer.file_name);
            fs::rename(&from, self.kept(offer)).map_err(|e| format!("{}: {e}", from.display()))?;
        }
        Ok(())
    }

    fn kept(&self, offer: &Offer) -> PathBuf {
        self.kept.join(format!("{}.deb", offer.sha256))
    }

    /// One of apt's programs, which sees this root instead of the machine's.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let places = [
            ("Dir::Etc::sourcelist", "sources.list"),
            ("Dir::Etc::sourceparts", "empty"),
            ("Dir::Etc::preferencesparts", "empty"),
            ("Dir::State::lists", "lists"),
            ("Dir::State::status", "state/status"),
            ("Dir::State::extended_states", "state/extended"),
            ("Dir::Cache", "cache"),
        ];
        for (key, place) in places {
            let place = self.folder.join(place);
            command.arg(format!("-o{key}={}", place.display()));
        }
        command.args(["-oAcquire::Languages=none", "-oAPT::Architecture=amd64"]);
        command.arg("-oAcquire::Retries=3");
        // Downloads as whoever runs this: the sandbox's user cannot write here.
        command.arg("-oAPT::Sandbox::User=root");
        command.env("LC_ALL", "C");
        command
    }
}

/// The names in what `apt-get install -s` prints.
fn simulated(text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("Inst "));
    let names = lines.filter_map(|line| line.split(' ').next());
    names.map(String::from).collect()
}

/// The mirror of Debian's main archive in the machine's own sources.
pub(super) fn mirror() -> Result<String> {
    let mut command = Command::new("apt-get");
    let text = output(command.args(["indextargets", "--format", "$(CREATED_BY) $(REPO_URI)"]))?;
    debian_mirror(&text).ok_or_else(|| {
        String::from(
            "this machine's apt sources name no Debian mirror (one whose address ends in /debian), \
             and the lab's kernels are Debian's",
        )
    })
}

/// The first place of packages that is called `debian`.
fn debian_mirror(targets: &str) -> Option<String> {
    let places = targets
        .lines()
        .filter_map(|line| line.strip_prefix("Packages "));
    let mut mirrors = places.filter(|uri| uri.trim_end_matches('/').ends_with("/debian"));
    mirrors.next().map(String::from)
}

fn signed_by() -> String {
    let keyring = Path::new(KEYRING).exists();
    let keys = keyring.then(|| format!("signed-by={KEYRING}"));
    keys.unwrap_or_else(|| String::from("arch=amd64"))
}

/// Runs `command`: its stdout, or its stderr as the error.
pub(super) fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("{name}: {e}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{name}: {}: {}", output.status, said.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

pub(super) fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))
}

pub(super) fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).map_err(|e| format!("{}: {e}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only what would be installed counts, and it counts once, though it is configured too.
    #[test]
    fn reads_simulations() {
        let text = "Reading…\nInst libc6 (2.41 Debian:13)\nInst make (4.4)\nConf libc6 (2.41)\n";
        assert_eq!(simulated(text), ["libc6", "make"]);
    }

    /// Security's and others' archives are no mirror of the whole.
    #[test]
    fn finds_the_mirror() {
        let targets = "Packages http://c/node/\nContents http://a/debian/\n\
                       Packages http://b/debian-security/\nPackages http://b/debian/\n";
        assert_eq!(debian_mirror(targets).unwrap(), "http://b/debian/");
        assert_eq!(debian_mirror("Packages http://c/ubuntu/\n"), None);
    }
}
