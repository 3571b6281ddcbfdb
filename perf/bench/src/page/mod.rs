//! The report: everything that was kept of benchmarks as one page of HTML, tables first, with
//! its plots inside and beside it, and as a few lines of Markdown.
//!
//! [`gather`] reads the folder of results and finds the newest of each kind; [`html`] writes the
//! page, [`tables`] its tables, [`plots`] and [`draw`] its plots, [`markdown`] the summary.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::results::Results;

mod draw;
mod html;
mod markdown;
mod plots;
mod tables;

/// What the command line calls it.
pub const NAME: &str = "report";
const PAGE: &str = "report.html";

/// Results and where they lie.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The file's name.
    pub file: String,
    /// What it holds.
    pub results: Results,
}

/// Results of one kind: the same scenario, by the same protocol, at the same points, of the same
/// servers, on the same machine.
#[derive(Debug, Clone)]
pub struct Kind {
    /// The newest.
    pub newest: Kept,
    /// Those before, newest first.
    pub earlier: Vec<Kept>,
}

/// A picture of the page.
#[derive(Debug, Clone)]
pub struct Plot {
    /// A name for a file.
    pub name: String,
    /// What it shows.
    pub caption: String,
    /// The picture.
    pub svg: String,
}

/// A report.
#[derive(Debug, Clone)]
pub struct Page {
    /// The whole page.
    pub html: String,
    /// Its plots.
    pub plots: Vec<Plot>,
    /// Its summary.
    pub markdown: String,
}

/// Reads the results of a folder and writes the page with its plots into another; where a file is
/// given, writes its summary anew.
///
/// # Errors
/// There are no results, or something cannot be read or written.
pub fn make(results: &Path, out: &Path, readme: Option<&Path>) -> Result<()> {
    let kinds = gather(results)?;
    if kinds.is_empty() {
        let folder = results.display();
        bail!("{folder} holds no results; `cargo xtask bench NAME` leaves some there");
    }
    let page = render(&kinds)?;
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let mut written = vec![write(out, PAGE, &page.html)?];
    for plot in &page.plots {
        written.push(write(out, &format!("{}.svg", plot.name), &plot.svg)?);
    }
    if let Some(readme) = readme {
        let before = std::fs::read_to_string(readme)
            .with_context(|| format!("cannot read {}", readme.display()))?;
        let after = markdown::replace(&before, &page.markdown)
            .with_context(|| readme.display().to_string())?;
        std::fs::write(readme, after)?;
        written.push(readme.to_owned());
    } else {
        println!("{}", page.markdown);
    }
    for path in written {
        println!("{}", path.display());
    }
    Ok(())
}

/// The page of some results.
///
/// # Errors
/// A plot cannot be drawn.
pub fn render(kinds: &[Kind]) -> Result<Page> {
    let (mut plots, mut names) = (Vec::new(), BTreeSet::new());
    for kind in kinds {
        let mut own = plots::of(&kind.newest.results)?;
        // Kinds of one scenario, at other points or on other machines, have plots of one name.
        for plot in &mut own {
            let first = plot.name.clone();
            for number in 2.. {
                if names.insert(plot.name.clone()) {
                    break;
                }
                plot.name = format!("{first}-{number}");
            }
        }
        plots.push(own);
    }
    Ok(Page {
        html: html::page(kinds, &plots),
        plots: plots.into_iter().flatten().collect(),
        markdown: markdown::summary(kinds),
    })
}

/// Reads all results of a folder, by kind.
///
/// # Errors
/// A file of JSON there holds something else.
pub fn gather(folder: &Path) -> Result<Vec<Kind>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = paths
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .collect();
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        let file = path.file_name().unwrap_or_default();
        all.push(Kept {
            file: file.to_string_lossy().into_owned(),
            results: Results::read(&path)?,
        });
    }
    Ok(by_kind(all))
}

/// Newest first within a kind; kinds in the order of the scenarios' names, small ones first.
#[must_use]
pub fn by_kind(mut all: Vec<Kept>) -> Vec<Kind> {
    all.sort_by(|a, b| b.results.date.cmp(&a.results.date));
    let mut kinds: Vec<Kind> = Vec::new();
    for kept in all {
        match kinds.iter_mut().find(|kind| is_same(&kind.newest, &kept)) {
            Some(kind) => kind.earlier.push(kept),
            None => kinds.push(Kind {
                newest: kept,
                earlier: Vec::new(),
            }),
        }
    }
    kinds.sort_by_key(|kind| {
        let results = &kind.newest.results;
        (results.name.clone(), results.legs().len(), !results.tls)
    });
    kinds
}

fn is_same(a: &Kept, b: &Kept) -> bool {
    let (a, b) = (&a.results, &b.results);
    let machine = |results: &Results| results.machine.get("name").cloned();
    let is_same_work = a.name == b.name && a.tls == b.tls && a.legs() == b.legs();
    is_same_work && a.servers() == b.servers() && machine(a) == machine(b)
}

fn write(folder: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// A title for people.
fn title(results: &Results) -> String {
    let how = if results.tls { "HTTPS" } else { "plain HTTP" };
    format!("{}, {how}", results.name)
}
