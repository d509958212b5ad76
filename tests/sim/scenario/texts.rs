//! No text makes the reader panic.

use super::{EVERYTHING, bad_input::BASE};
use proptest::prelude::*;
use requeue::sim::Scenario;

#[test]
fn no_depth_overflows_the_stack() {
    for depth in [70, 100, 1_000, 100_000] {
        let dots = vec!["a"; depth].join(".");
        for text in [
            format!("{dots} = 1"),
            format!("[{dots}]"),
            format!("sweep.vary.{dots} = [1]"),
            format!("sweep.vary.\"{dots}\" = [1]"),
            format!("horizon = {}", "[".repeat(depth)),
            format!("queue = {}", "{a=".repeat(depth)),
        ] {
            assert!(Scenario::from_toml(&format!("{text}\n{BASE}")).is_err());
            assert!(Scenario::from_toml(&format!("{BASE}\n{text}")).is_err());
        }
    }
}

/// What may stand in a scenario by mistake.
fn mutation() -> impl Strategy<Value = String> {
    let odd = [
        "",
        "0",
        "-1",
        "nan",
        "inf",
        "1e308",
        "9223372036854775807",
        "\"",
        "'",
        "=",
        "[",
        "]",
        "{",
        "}",
        "\n",
        ".",
        ",",
        "#",
        "\"\"",
        "true",
        "1979-05-27",
        "queue",
        "[[fleet]]",
        "\"P9999Y\"",
        "\"9999999999999 w\"",
        "\u{0}",
        "\u{e9}",
        "`",
        "sweep.vary.\"a = 1\" = [1]\n",
        "sweep.vary.\"\" = [1]\n",
        "vary.seed = \"0..=9999\"\n",
        "..",
        "18446744073709551616",
    ];
    proptest::sample::select(odd.to_vec()).prop_map(str::to_owned)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(changes in proptest::collection::vec((any::<proptest::sample::Index>(), 0_usize..12, mutation()), 1..4)) {
        let mut text: Vec<char> = EVERYTHING.chars().collect();
        for (place, length, new) in changes {
            let start = place.index(text.len());
            let end = text.len().min(start + length);
            text.splice(start..end, new.chars());
        }
        let text: String = text.into_iter().collect();
        match Scenario::from_toml(&text) {
            Ok(scenario) => prop_assert_eq!(Scenario::from_toml(&scenario.to_toml().unwrap()).unwrap(), scenario),
            Err(error) => prop_assert!(!error.problem().is_empty()),
        }
    }
}
