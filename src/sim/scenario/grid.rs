//! Being written.
use super::{Scenario, ScenarioError};

pub(in crate::sim) struct Point {
    pub(in crate::sim) values: Vec<(String, f64)>,
    pub(in crate::sim) scenario: Scenario,
}

pub(in crate::sim) fn points(scenario: &Scenario) -> Result<Vec<Point>, ScenarioError> {
    Ok(vec![Point {
        values: Vec::new(),
        scenario: scenario.clone(),
    }])
}
