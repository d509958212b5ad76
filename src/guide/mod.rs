//! Documentation that belongs to no single item. The guide of a feature is built with that feature.
//!
//! * [`rules`]: what SQS does, by number, and what this crate does where SQS leaves the answer open.
//! * [`differences`]: where SQS leaves the answer open, by topic; what this crate does not do; what it adds.
//! * [`architecture`]: the modules of the crate, which of them may name which, and why.
//! * [`changelog`]: what changed, by release.
#![cfg_attr(
    feature = "aws-protocol",
    doc = "* [`sqs_endpoint`]: the HTTP API of SQS, in process and over loopback, and where it differs."
)]
#![cfg_attr(
    feature = "journal",
    doc = "* [`durability`]: what a journal promises, what each level of it costs and survives, and its format."
)]
#![cfg_attr(
    feature = "payloads",
    doc = "* [`payloads`]: bodies up to 2 GB beside a queue, and how they go along with Amazon's extended client."
)]
#![cfg_attr(
    feature = "sim",
    doc = "* [`simulation`]: queues and workers simulated in virtual time, and how to read the report."
)]
#![cfg_attr(
    feature = "testing",
    doc = "* [`consumers`]: how to find the bug in a consumer with a check, and how to read its report."
)]
#![cfg_attr(
    feature = "topics",
    doc = "* [`topics`]: one message for many queues, filter policies, and how delivery differs from SNS."
)]
#![cfg_attr(
    feature = "worker",
    doc = "* [`worker`]: handlers run over a queue, and what becomes of a message."
)]
//!
//! # In the repository
//!
//! These files are in the repository and not in this documentation: `examples/README.md`, an index of the examples;
//! `benches/README.md`, all figures and how to measure them; `CONTRIBUTING.md`, `SECURITY.md` and `RELEASING.md`.

#[doc = include_str!("../../ARCHITECTURE.md")]
pub mod architecture {}

#[doc = include_str!("rules.md")]
pub mod rules {}

#[doc = include_str!("differences.md")]
pub mod differences {}

#[cfg(feature = "testing")]
#[cfg_attr(feature = "worker", doc = "[`Runner`]: crate::worker::Runner")]
#[cfg_attr(feature = "worker", doc = "[`MessageQueue`]: crate::backend::MessageQueue")]
#[cfg_attr(not(feature = "worker"), doc = "[`Runner`]: crate#what-is-in-it")]
#[cfg_attr(not(feature = "worker"), doc = "[`MessageQueue`]: crate#what-is-in-it")]
#[doc = ""]
#[doc = include_str!("consumers.md")]
pub mod consumers {}

#[cfg(feature = "aws-protocol")]
#[doc = include_str!("sqs_endpoint.md")]
pub mod sqs_endpoint {}

#[cfg(feature = "journal")]
#[doc = include_str!("durability.md")]
#[doc = include_str!("durability_format.md")]
pub mod durability {}

#[cfg(feature = "sim")]
#[doc = include_str!("simulation.md")]
pub mod simulation {}

#[cfg(feature = "payloads")]
#[doc = include_str!("payloads.md")]
pub mod payloads {}

#[cfg(feature = "topics")]
#[doc = include_str!("topics.md")]
pub mod topics {}

#[cfg(feature = "worker")]
#[cfg_attr(feature = "testing", doc = "[`conformance`]: crate::testing::conformance")]
#[cfg_attr(feature = "schedule", doc = "[`Cron`]: crate::schedule::Cron")]
#[cfg_attr(
    feature = "schedule",
    doc = "[`SchedulerBuilder::wrap_threads`]: crate::schedule::SchedulerBuilder::wrap_threads"
)]
#[cfg_attr(not(feature = "testing"), doc = "[`conformance`]: crate#what-is-in-it")]
#[cfg_attr(not(feature = "schedule"), doc = "[`Cron`]: crate#what-is-in-it")]
#[cfg_attr(
    not(feature = "schedule"),
    doc = "[`SchedulerBuilder::wrap_threads`]: crate#what-is-in-it"
)]
#[doc = ""]
#[doc = include_str!("worker.md")]
pub mod worker {}

#[doc = include_str!("../../CHANGELOG.md")]
pub mod changelog {}

/// Rustdoc checks links to items only. A path within the repository is a dead link in the documentation.
#[cfg(test)]
mod tests {
    const README: &str = include_str!("../../README.md");
    const ROOT: &str = include_str!("../lib.rs");
    const PAGES: [&str; 13] = [
        README,
        include_str!("../../ARCHITECTURE.md"),
        include_str!("rules.md"),
        include_str!("differences.md"),
        include_str!("consumers.md"),
        include_str!("durability.md"),
        include_str!("durability_format.md"),
        include_str!("payloads.md"),
        include_str!("sqs_endpoint.md"),
        include_str!("simulation.md"),
        include_str!("topics.md"),
        include_str!("worker.md"),
        include_str!("../../CHANGELOG.md"),
    ];

    /// Names and targets of the lines `[name]: target`.
    fn definitions(page: &str) -> impl Iterator<Item = (&str, &str)> {
        page.lines()
            .filter_map(|line| line.strip_prefix('[')?.split_once("]: "))
    }

    #[test]
    fn links_within_a_sentence_lead_to_an_item_or_an_address() {
        let leads = |target: &&str| {
            ["crate::", "std::", "https://", "#"]
                .iter()
                .any(|it| target.starts_with(it))
        };
        for page in PAGES {
            let targets = page.split("](").skip(1);
            let dead: Vec<_> = targets
                .filter(|it| !leads(it))
                .filter_map(|it| it.split(')').next())
                .collect();
            assert_eq!(dead, [""; 0]);
        }
    }

    /// Rustdoc takes no images along.
    #[test]
    fn the_chart_of_the_front_page_is_that_of_readme() {
        let chart = include_bytes!("../../examples/queue_lab/outage.svg");
        assert!(
            include_str!("outage.base64") == data_encoding::BASE64.encode(chart),
            "base64 -w 0 examples/queue_lab/outage.svg >src/guide/outage.base64"
        );
    }

    #[test]
    fn a_link_to_a_file_of_the_repository_leads_elsewhere_in_the_documentation_with_any_features() {
        let (before_readme, _) = ROOT.split_once("README.md").expect("README is the front page");
        for (name, target) in definitions(README).filter(|(_, target)| !target.starts_with("https://")) {
            let defines = |start: &str| {
                let mut lines = before_readme.lines().filter(|line| line.starts_with(start));
                lines.any(|line| line.contains(&format!("[{name}]: ")))
            };
            let with_any_features = ["//!", "#![doc"].into_iter().any(defines)
                || (defines("#![cfg_attr(feature") && defines("#![cfg_attr(not(feature"));
            assert!(with_any_features, "{name} leads to {target}");
        }
        let elsewhere = PAGES[1..].iter().flat_map(|page| definitions(page));
        let paths: Vec<_> = elsewhere
            .filter(|(_, target)| !target.starts_with("https://") && !target.starts_with("crate::"))
            .collect();
        assert_eq!(paths, [("", ""); 0]);
    }
}
