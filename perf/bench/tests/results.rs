//! Shows that results come back from their file as they were, that a report of them has every
//! table, plot and command, and what is said when they are held against others.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;

use zonecast_bench::figures::{Figures, Run, Spread};
use zonecast_bench::page;
use zonecast_bench::points::{Axis, Point};
use zonecast_bench::results::against::Against;
use zonecast_bench::results::{Fit, Results, Row};

/// Median of each of our rows; the others' are twice that.
const OURS: f64 = 0.5;

fn point(object_bytes: u32, connections: u32) -> Point {
    Point {
        object_bytes,
        connections,
        streams: 1,
    }
}

fn row(case: &str, point: Point, server: &str, median: f64) -> Row {
    let spread = |median: f64| Spread {
        median,
        min: median * 0.9,
        max: median * 1.1,
    };
    Row {
        case: case.to_owned(),
        point,
        server: server.to_owned(),
        runs: 3,
        load_limited: server == "nginx",
        figures: vec![
            ("cpu_s_per_gb".to_owned(), spread(median)),
            ("another_figure".to_owned(), spread(7.0)),
        ],
    }
}

fn results(name: &str, points: &[Point]) -> Results {
    let rows = points.iter().flat_map(|&point| {
        [
            row(name, point, "ours", OURS),
            row(name, point, "nginx", OURS * 2.0),
        ]
    });
    let mut figures = Figures::default();
    figures.add("cpu_s_per_gb", OURS);
    figures.notes.push("a note <of> a run".to_owned());
    let machine = [("name", "xeon-2cpu"), ("cpu", "Xeon"), ("kernel", "6.18")];
    let machine = machine.map(|(name, value)| (name.to_owned(), value.into()));
    Results {
        format: 1,
        name: name.to_owned(),
        headline: "cpu_s_per_gb".to_owned(),
        date: "2026-11-22T12:15:30Z".to_owned(),
        command: format!("cargo xtask bench {name}"),
        quick: false,
        tls: true,
        settings: BTreeMap::new(),
        machine: BTreeMap::from(machine),
        versions: BTreeMap::new(),
        floor_sweep: Vec::new(),
        skipped: vec!["50000 viewers: ulimit".to_owned()],
        summary: rows.collect(),
        fits: Vec::new(),
        runs: vec![Run {
            case: name.to_owned(),
            server: "ours".to_owned(),
            number: 1,
            point: points[0],
            figures,
        }],
    }
}

fn grid() -> Results {
    let mut points = Vec::new();
    for size in [10_000, 500_000] {
        points.extend([1, 100, 10_000].map(|connections| point(size, connections)));
    }
    results("delivery", &points)
}

fn curves() -> Results {
    let mut curves = results(
        "curves",
        &[1, 10, 100].map(|viewers| point(500_000, viewers)),
    );
    curves.fits.push(Fit {
        case: "curves".to_owned(),
        server: "ours".to_owned(),
        axis: Axis::Connections,
        from: 1,
        to: 100,
        exponent: 0.125,
        off_by: 1.03,
    });
    curves
}

/// A file has the scenario, the time and the machine in its name, and holds all of it.
#[test]
fn a_file_holds_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = grid().write(folder.path()).unwrap();
    let name = path.file_name().unwrap();
    assert_eq!(name, "delivery-2026-11-22-121530-xeon-2cpu.json");
    assert_eq!(Results::read(&path).unwrap(), grid());
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.lines().count() < 60, "a row is a line:\n{text}");

    std::fs::write(&path, "{\"name\": \"delivery\"}").unwrap();
    let error = Results::read(&path).unwrap_err().to_string();
    assert!(error.contains("no results"), "{error}");
}

/// The page shows each row, figure, fit, note, command and plot of each kind, and nothing of a
/// file's text as HTML.
#[test]
fn a_report_has_every_table() {
    let folder = tempfile::tempdir().unwrap();
    let (kept, out) = (folder.path().join("kept"), folder.path().join("out"));
    let mut elsewhere = results("paced", &[point(500_000, 9)]);
    elsewhere.date = "2026-01-01T00:00:00Z".to_owned();
    let mut old = results("paced", &[point(500_000, 1000)]);
    old.date = "2025-01-01T00:00:00Z".to_owned();
    for results in [
        grid(),
        curves(),
        results("paced", &[point(500_000, 1000)]),
        elsewhere,
        old,
    ] {
        results.write(&kept).unwrap();
    }
    page::make(&kept, &out, None).unwrap();
    let html = std::fs::read_to_string(out.join("report.html")).unwrap();
    for due in [
        "<code>cargo xtask bench delivery</code>",
        "<code>cargo xtask bench curves</code>",
        "<th>500 kB, 100 connections</th><td>0.500 <small>(0.450–0.550)</small></td>\
         <td>1.00* <small>(0.900–1.10)</small></td><td class=\"ratio\">0.500</td>",
        "<summary>delivery: 10 kB, 1 connection</summary>",
        "<code>another_figure</code>",
        "<td>connections, 1 to 100</td><td>0.125</td><td>3 %</td>",
        "a note &lt;of&gt; a run",
        "50000 viewers: ulimit",
        "2025-01-01T00:00:00Z",
        "1 earlier",
    ] {
        assert!(html.contains(due), "no {due} in the page");
    }
    // Two of the grid, one of the curve, one of bars; each inside the page and beside it.
    for name in [
        "delivery-10000",
        "delivery-500000",
        "curves",
        "paced",
        "paced-2",
    ] {
        let svg = std::fs::read_to_string(out.join(format!("{name}.svg"))).unwrap();
        assert!(svg.starts_with("<svg") && html.contains(&svg), "{name}");
        assert!(
            svg.contains("nginx") && svg.contains("cpu_s_per_gb"),
            "{name}"
        );
    }
    assert!(!html.contains("http://www.w3.org/2000/svg\" src") && !html.contains("<script"));
}

/// A README gets a line for each part; a folder without results is no report.
#[test]
fn a_readme_gets_the_summary() {
    let folder = tempfile::tempdir().unwrap();
    let readme = folder.path().join("README.md");
    let marks = "<!-- results: written by `cargo xtask bench report --readme FILE` -->\n\
                 <!-- end of results -->\n";
    std::fs::write(&readme, format!("# perf\n{marks}the end\n")).unwrap();
    let kept = folder.path().join("kept");
    std::fs::create_dir(&kept).unwrap();
    assert!(page::make(&kept, folder.path(), Some(&readme)).is_err());
    curves().write(&kept).unwrap();
    page::make(&kept, folder.path(), Some(&readme)).unwrap();
    let text = std::fs::read_to_string(&readme).unwrap();
    let line = "| 500 kB, 10 connections | 0.500 (0.450–0.550) | 1.00 (0.900–1.10)\\* | 0.500 |";
    for due in ["# perf\n", line, "to the power 0.125", "the end\n"] {
        assert!(text.contains(due), "no {due} in\n{text}");
    }
}

/// The ratio is of now to then, and counts as a change only beyond the runs' spread.
#[test]
fn earlier_results_are_held_against() {
    let (now, mut then) = (grid(), grid());
    for row in &mut then.summary {
        let times = if row.point.object_bytes == 10_000 {
            2.0
        } else {
            1.05
        };
        for (_, spread) in &mut row.figures {
            let Spread { median, min, max } = *spread;
            *spread = Spread {
                median: median * times,
                min: min * times,
                max: max * times,
            };
        }
    }
    let against = Against::compare(&now, &then).unwrap();
    assert_eq!(against.lines().len(), 12);
    let said = against.to_string();
    for line in against.lines() {
        let due = if line.point.object_bytes == 10_000 {
            0.5
        } else {
            1.0 / 1.05
        };
        assert!((line.ratio() - due).abs() < 1e-9, "{said}");
    }
    assert_eq!(said.matches("0.500 times, better").count(), 6, "{said}");
    assert_eq!(said.matches("within the runs' spread").count(), 6, "{said}");
    let back = Against::compare(&then, &now).unwrap().to_string();
    assert_eq!(back.matches("2.00 times, worse").count(), 6, "{back}");
}

/// Results of another scenario, protocol or point are refused; another machine is named.
#[test]
fn what_cannot_be_compared_is_refused() {
    let now = grid();
    let error = |then: &Results| Against::compare(&now, then).unwrap_err().to_string();
    assert!(error(&curves()).contains("delivery cannot be held against those of curves"));
    let mut plain = grid();
    plain.tls = false;
    assert!(error(&plain).contains("plain HTTP"));
    let elsewhere = results("delivery", &[point(64, 64)]);
    assert!(error(&elsewhere).contains("no part and point in common"));
    let mut other = grid();
    other.machine.insert("kernel".to_owned(), "7.3".into());
    let said = Against::compare(&now, &other).unwrap().to_string();
    assert!(
        said.contains("kernel is \"6.18\" now, and was \"7.3\""),
        "{said}"
    );
}

/// Of live viewers more is better, in the page as well as against earlier results; a row that the
/// generator may have bounded has a star; and a figure that only one server has is shown.
#[test]
fn more_viewers_are_better() {
    let live = |times: f64| {
        let mut live = results("viewers", &[point(500_000, 8_000)]);
        live.headline = "viewers".to_owned();
        for row in &mut live.summary {
            row.figures[0].0 = "viewers".to_owned();
            let Spread { median, min, max } = row.figures[0].1;
            row.figures[0].1 = Spread {
                median: median * times,
                min: min * times,
                max: max * times,
            };
        }
        let join = ("join_p99_ms".to_owned(), live.summary[0].figures[1].1);
        live.summary[1].figures.push(join);
        live
    };
    let (now, then) = (live(4_000.0), live(2_000.0));
    let against = Against::compare(&now, &then).unwrap().to_string();
    assert!(against.contains("2.00 times, better"), "{against}");
    let against = Against::compare(&then, &now).unwrap().to_string();
    assert!(against.contains("0.500 times, worse"), "{against}");

    let text = now.to_string();
    for due in ["nginx (3) *", "join_p99_ms", "* the generator"] {
        assert!(text.contains(due), "no {due} in\n{text}");
    }
    let folder = tempfile::tempdir().unwrap();
    let (kept, out) = (folder.path().join("kept"), folder.path().join("out"));
    now.write(&kept).unwrap();
    page::make(&kept, &out, None).unwrap();
    let html = std::fs::read_to_string(out.join("report.html")).unwrap();
    for due in ["more is better", "<td>4000*", "<code>join_p99_ms</code>"] {
        assert!(html.contains(due), "no {due} in the page");
    }
}
