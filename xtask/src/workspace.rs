//! What cargo knows of this workspace: where it is, its members and what they depend on.

use crate::Result;
use crate::json::Json;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The workspace as `cargo metadata` describes it.
pub(crate) struct Workspace {
    /// The folder of the top-level `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Where cargo puts what it builds.
    pub(crate) target: PathBuf,
    pub(crate) members: Vec<Member>,
}

/// One crate of the workspace.
pub(crate) struct Member {
    pub(crate) name: String,
    /// Its folder, relative to the root.
    pub(crate) folder: PathBuf,
    /// The names of all packages that it depends on, of every kind (normal, build, dev).
    pub(crate) needs: Vec<String>,
    /// The root files of its libraries and binaries, relative to the root.
    pub(crate) roots: Vec<PathBuf>,
    /// The names of its integration tests.
    pub(crate) tests: Vec<String>,
}

/// The folder of the workspace: the parent of this crate's.
pub(crate) fn root() -> PathBuf {
    let own = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    own.parent().map_or_else(|| own.clone(), Path::to_path_buf)
}

/// A cargo command with these arguments, run in the workspace's folder.
pub(crate) fn cargo<const N: usize>(arguments: [&str; N]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(root()).args(arguments);
    command
}

impl Workspace {
    /// Asks cargo; needs no network and no built dependency.
    pub(crate) fn load() -> Result<Workspace> {
        let output = cargo(["metadata", "--format-version=1", "--no-deps"])
            .stderr(Stdio::inherit())
            .output()
            .map_err(|e| format!("cargo metadata: {e}"))?;
        if !output.status.success() {
            return Err(format!("cargo metadata: {}", output.status));
        }
        Workspace::read(&String::from_utf8_lossy(&output.stdout))
    }

    /// Reads the document that `cargo metadata --no-deps` prints.
    fn read(document: &str) -> Result<Workspace> {
        let json = Json::parse(document)?;
        let root = PathBuf::from(text(&json, "workspace_root")?);
        let target = PathBuf::from(text(&json, "target_directory")?);
        let packages = json.get("packages").map_or(&[][..], Json::items);
        let members = packages.iter().map(|p| Member::read(p, &root));
        let members = members.collect::<Result<Vec<_>>>()?;
        Ok(Workspace {
            root,
            target,
            members,
        })
    }
}

impl Member {
    fn read(package: &Json, root: &Path) -> Result<Member> {
        let below_root = |path: &str| {
            let path = Path::new(path);
            path.strip_prefix(root).unwrap_or(path).to_path_buf()
        };
        let mut folder = below_root(text(package, "manifest_path")?);
        folder.pop();
        let needs = package.get("dependencies").map_or(&[][..], Json::items);
        let needs = needs.iter().map(|d| text(d, "name").map(String::from));
        let targets = package.get("targets").map_or(&[][..], Json::items);
        let roots = targets
            .iter()
            .filter(|t| !has_kind(t, &["test", "bench", "example", "custom-build"]))
            .map(|target| text(target, "src_path").map(below_root));
        let tests = targets
            .iter()
            .filter(|target| has_kind(target, &["test"]))
            .map(|target| text(target, "name").map(String::from));
        Ok(Member {
            name: text(package, "name")?.to_owned(),
            folder,
            needs: needs.collect::<Result<_>>()?,
            roots: roots.collect::<Result<_>>()?,
            tests: tests.collect::<Result<_>>()?,
        })
    }
}

/// Whether a target is of one of these kinds.
fn has_kind(target: &Json, kinds: &[&str]) -> bool {
    let own = target.get("kind").map_or(&[][..], Json::items);
    own.iter()
        .filter_map(Json::as_str)
        .any(|kind| kinds.contains(&kind))
}

fn text<'a>(json: &'a Json, key: &str) -> Result<&'a str> {
    json.get(key)
        .and_then(Json::as_str)
        .ok_or_else(|| format!("cargo metadata has no text `{key}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A document of cargo's is read into members with relative paths; tests are no roots, but
    /// are listed.
    #[test]
    fn reads_metadata() {
        let document = r#"{
            "packages": [{
                "name": "zonecast-ring", "manifest_path": "/w/dataplane/ring/Cargo.toml",
                "dependencies": [{"name": "zonecast-numa", "kind": null}, {"name": "loom", "kind": "dev"}],
                "targets": [
                    {"kind": ["lib"], "name": "zonecast_ring", "src_path": "/w/dataplane/ring/src/lib.rs"},
                    {"kind": ["test"], "name": "model", "src_path": "/w/dataplane/ring/tests/model.rs"}
                ]
            }],
            "workspace_root": "/w", "target_directory": "/elsewhere"
        }"#;
        let workspace = Workspace::read(document).unwrap();
        assert_eq!(workspace.target, Path::new("/elsewhere"));
        let ring = &workspace.members[0];
        assert_eq!(ring.folder, Path::new("dataplane/ring"));
        assert_eq!(ring.needs, ["zonecast-numa", "loom"]);
        assert_eq!(ring.roots, [Path::new("dataplane/ring/src/lib.rs")]);
        assert_eq!(ring.tests, ["model"]);
    }

    /// A document without what is needed is an error that names it.
    #[test]
    fn refuses_other_documents() {
        let error = Workspace::read("{}").err().unwrap();
        assert!(error.contains("workspace_root"), "{error}");
    }
}
