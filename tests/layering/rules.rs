//! The rules of `src/guide/rules.md` and who cites them.
//!
//! An id is a letter of the page's and one or two digits, with a small letter behind them or not: `Q7`, `L3d`. What
//! cites it: a comment, a string that holds ids and nothing else, the member `rules` of a recorded case, and the name of
//! a scenario (`b07_..` is B7). The ends of a range (`Q3-Q5`, `L2 to L3d`) have to exist as well, but a range names no
//! rule, or the head of a file would name them all.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use super::{
    Breach, Source, files,
    rust::{comments, literals},
    sources,
};

const PAGE: &str = include_str!("../../src/guide/rules.md");
const DIFFERENCES: &str = include_str!("../../src/guide/differences.md");

/// The letters of the ids. Others make false hits likelier.
const LETTERS: &str = "BCDEFLMNQWX";

const OPENS: &str = "<a id=\"";
const CLOSES: &str = "\"></a>**";

const CHOICE: &str = "**Choice:**";
const NO_TEST: &str = "**No test:**";

/// The id and text of every rule, in the order of the page.
static RULES: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
    let entry = |entry: &'static str| {
        let (id, rest) = entry.split_once(CLOSES).expect("an anchor is followed by its id");
        let text = rest.strip_prefix(id).and_then(|it| it.strip_prefix("**"));
        let text = text.unwrap_or_else(|| panic!("the anchor {id} is followed by another id"));
        (id, text.split_once("\n#").map_or(text, |(text, _)| text))
    };
    PAGE.split(OPENS).skip(1).map(entry).collect()
});

static IDS: LazyLock<BTreeSet<&str>> = LazyLock::new(|| RULES.iter().map(|(id, _)| *id).collect());

fn with_mark(mark: &str) -> Vec<&'static str> {
    let marked = RULES.iter().filter(|(_, text)| text.contains(mark));
    marked.map(|(id, _)| *id).collect()
}

fn is_id(word: &str) -> bool {
    let Some(rest) = word.strip_prefix(|it| LETTERS.contains(it)) else {
        return false;
    };
    let digits = rest.strip_suffix(|it: char| it.is_ascii_lowercase()).unwrap_or(rest);
    let is_number = digits.bytes().all(|it| it.is_ascii_digit()) && !digits.starts_with('0');
    (1..=2).contains(&digits.len()) && is_number
}

/// The ids in `text`, and whether each is the end of a range.
fn ids(text: &str) -> Vec<(&str, bool)> {
    let is_word = |it: char| it.is_alphanumeric() || it == '_';
    let mut found: Vec<(&str, usize)> = Vec::new();
    let mut at = 0;
    for word in text.split(|it| !is_word(it)) {
        if is_id(word) {
            found.push((word, at));
        }
        at += word.len();
        at += text[at..].chars().next().map_or(0, char::len_utf8);
    }
    let joined = |first: (&str, usize), second: (&str, usize)| {
        let between = &text[first.1 + first.0.len()..second.1];
        first.0[..1] == second.0[..1] && ["-", " to ", ".."].contains(&between)
    };
    let pairs: Vec<_> = found.windows(2).map(|pair| joined(pair[0], pair[1])).collect();
    let is_end = |at: usize| pairs.get(at) == Some(&true) || at > 0 && pairs[at - 1];
    found
        .iter()
        .enumerate()
        .map(|(at, (id, _))| (*id, is_end(at)))
        .collect()
}

/// The ids that a Rust file cites: id, line, and whether it is the end of a range.
fn cited(source: &Source) -> Vec<(String, usize, bool)> {
    let mut cited = Vec::new();
    for comment in comments(&source.text) {
        let found = ids(&comment.text).into_iter();
        cited.extend(found.map(|(id, range)| (id.to_owned(), comment.line, range)));
    }
    for literal in literals(&source.text) {
        let inside = literal.text.trim_matches('"');
        if inside.split([' ', ',']).filter(|it| !it.is_empty()).all(is_id) {
            cited.extend(
                ids(inside)
                    .into_iter()
                    .map(|(id, _)| (id.to_owned(), literal.line, false)),
            );
        }
    }
    if source.is_in("tests/service/scenarios/") {
        let numbers = source.tokens.iter().filter_map(|it| {
            let (number, _) = it.text.strip_prefix('b')?.split_once('_')?;
            Some((number.parse::<u8>().ok()?, it.line))
        });
        cited.extend(numbers.map(|(number, line)| (format!("B{number}"), line, false)));
    }
    cited
}

/// Where in `src` the code of tests is: the lines of tokens that are compiled for tests alone, and what is before them.
fn is_test(source: &Source, line: usize) -> bool {
    if !source.is_in("src/") {
        return source.is_in("tests/") && !source.path.starts_with("tests/layering");
    }
    let next = source.tokens.iter().find(|it| it.line >= line).map(|it| it.line);
    next.is_some_and(|next| source.code.iter().all(|it| it.line != next))
}

pub(super) fn a_rule_that_is_cited_exists(source: &Source) -> Vec<Breach> {
    const LAW: &str = "a rule that is cited is in src/guide/rules.md";
    let unknown = cited(source).into_iter().filter(|(id, ..)| !IDS.contains(id.as_str()));
    unknown.map(|(id, line, _)| source.breach(LAW, line, id)).collect()
}

/// The members `rules` of the recorded cases: file and ids.
fn recorded() -> Vec<(String, Vec<String>)> {
    let mut recorded = Vec::new();
    for (path, text) in files(&["tests/aws/cases"], "json") {
        for list in text.split("\"rules\": [").skip(1) {
            let (list, _) = list.split_once(']').expect("a list ends");
            let ids = list.split(',').map(|it| it.trim().trim_matches('"').to_owned());
            recorded.push((path.clone(), ids.collect()));
        }
    }
    recorded
}

#[test]
fn every_rule_has_an_id_of_its_own() {
    let mut found = BTreeMap::new();
    for (id, _) in RULES.iter() {
        assert!(is_id(id), "{id}");
        *found.entry(*id).or_insert(0) += 1;
    }
    found.retain(|_, count| *count > 1);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_rule_that_a_page_or_a_recorded_case_cites_exists() {
    let mut unknown = Vec::new();
    for (path, text) in files(&["src", "tests", "benches", "examples"], "md") {
        let found = ids(&text).into_iter().filter(|(id, _)| !IDS.contains(id));
        unknown.extend(found.map(|(id, _)| format!("{path}: {id}")));
    }
    for (path, ids) in recorded() {
        let found = ids.into_iter().filter(|id| !IDS.contains(id.as_str()));
        unknown.extend(found.map(|id| format!("{path}: {id}")));
    }
    assert_eq!(unknown, [""; 0]);
}

/// Also the other way round, so that a mark does not outlive its reason.
#[test]
fn exactly_the_rules_without_a_test_are_marked_so() {
    let mut named: BTreeSet<_> = recorded().into_iter().flat_map(|(_, ids)| ids).collect();
    for source in sources() {
        let by_tests = cited(&source)
            .into_iter()
            .filter(|(_, line, range)| !range && is_test(&source, *line));
        named.extend(by_tests.map(|(id, ..)| id));
    }
    let unnamed = RULES.iter().filter(|(id, _)| !named.contains(*id));
    let unnamed: Vec<_> = unnamed.map(|(id, _)| *id).collect();
    assert_eq!(unnamed, with_mark(NO_TEST));
}

#[test]
fn the_differences_list_exactly_the_rules_with_a_choice() {
    let rows = DIFFERENCES.lines().filter_map(|line| line.strip_prefix("| ["));
    let listed = rows.filter_map(|row| {
        let (id, link) = row.split_once("](crate::guide::rules#")?;
        let (anchor, _) = link.split_once(") |")?;
        assert_eq!(anchor, id, "the link of {id}");
        Some(id)
    });
    assert_eq!(listed.collect::<Vec<_>>(), with_mark(CHOICE));
}

#[test]
fn a_citation_is_told_from_what_looks_like_one() {
    let found = |text| ids(text).into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(
        found("rules Q7, `F18` and (L3d); D19: yes"),
        ["Q7", "F18", "L3d", "D19"]
    );
    assert_eq!(
        found("MD5, E404, A4, C0, M1_mac, g1-m1, xQ7, U+FFFE, Q, 7, utf8, Q7ab"),
        [""; 0]
    );
    let ranges = |text| {
        ids(text)
            .into_iter()
            .filter(|it| it.1)
            .map(|(id, _)| id)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ranges("Q3-Q5, Q7; L2 to L3d, F1 - F2, Q9-F1"),
        ["Q3", "Q5", "L2", "L3d"]
    );
}

#[test]
fn citations_are_comments_lists_of_ids_and_names_of_scenarios() {
    let text = "//! Q7\n/* F18 */ fn b07_a() { f(\"Q8\", \"M1 M3\", \"Q9 or so\", Q10) } // D19";
    let found = |path| {
        let cited = cited(&Source::new(path, text)).into_iter();
        cited.map(|(id, line, _)| format!("{id} {line}")).collect::<Vec<_>>()
    };
    assert_eq!(found("tests/a.rs"), ["Q7 1", "F18 2", "D19 2", "Q8 2", "M1 2", "M3 2"]);
    assert_eq!(
        found("tests/service/scenarios/a.rs").last().map(String::as_str),
        Some("B7 2")
    );
}

#[test]
fn an_unknown_rule_is_noticed() {
    let made_up = format!("// Q7\n\n// {}\n", concat!("Q", "99"));
    let breaches = a_rule_that_is_cited_exists(&Source::new("src/a.rs", &made_up));
    let lines: Vec<_> = breaches.iter().map(|it| it.line).collect();
    assert_eq!(lines, [3]);
}

#[test]
fn a_test_in_src_is_told_from_the_code_around_it() {
    let text = "// Q1\nfn f() {}\n#[cfg(test)]\nmod tests {\n    // Q2\n    fn g() {} // Q3\n}\n";
    let source = Source::new("src/a.rs", text);
    let tests: Vec<_> = (1..=6).filter(|line| is_test(&source, *line)).collect();
    assert_eq!(tests, [3, 4, 5, 6]);
}
