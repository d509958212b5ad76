//! Requests and the answers that the rules ask for, kept as data in `tests/aws/cases`; its README says how.

use {
    case::{Case, Catalogue},
    run::Run,
    std::{collections::BTreeSet, fmt::Write, fs, path::Path},
};

#[path = "aws/case.rs"]
mod case;
#[path = "aws/expect.rs"]
mod expect;
#[path = "aws/run.rs"]
mod run;

/// Fewer are a sign that files went missing.
const FEWEST: usize = 150;

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/aws"))
}

/// Every case, with the name of its file.
fn cases() -> Vec<(String, Case)> {
    let mut paths: Vec<_> = fs::read_dir(folder().join("cases"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "json"))
        .collect();
    paths.sort();
    let mut cases = Vec::new();
    for path in paths {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let read = Case::read_all(&text).unwrap_or_else(|problem| panic!("{file}: {problem}"));
        cases.extend(read.into_iter().map(|case| (file.clone(), case)));
    }
    cases
}

#[test]
fn every_case_is_answered_as_its_rules_say() {
    let catalogue = Catalogue::read(&fs::read_to_string(folder().join("errors.json")).unwrap());
    let cases = cases();
    let mut report = String::new();
    let mut failures = 0;
    for (file, case) in &cases {
        if let Err(failure) = Run::of(case, &catalogue) {
            failures += 1;
            let (title, rules) = (&case.title, case.rules.join(" "));
            writeln!(report, "\n{file}: {title} [{rules}]\n{failure}").unwrap();
        }
    }
    assert!(failures == 0, "{failures} of {} cases fail\n{report}", cases.len());
}

#[test]
fn cases_are_many_and_have_titles_of_their_own() {
    let cases = cases();
    assert!(cases.len() >= FEWEST, "{} cases", cases.len());
    let mut titles = BTreeSet::new();
    for (file, case) in &cases {
        assert!(
            titles.insert(&case.title),
            "{file}: two cases are titled {:?}",
            case.title
        );
    }
}
