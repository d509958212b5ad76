//! Charts as SVG, readable in light and dark.

mod axis;
mod draw;
mod style;

pub(in crate::sim) use {
    axis::Axis,
    style::{Color, dark_rules},
};

/// A line, with the band that the replications span.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Line {
    pub(in crate::sim) name: String,
    pub(in crate::sim) color: Color,
    pub(in crate::sim) points: Vec<(f64, f64)>,
    /// At the places of the points: least and greatest.
    pub(in crate::sim) band: Vec<(f64, f64, f64)>,
    /// Whether each point is marked.
    pub(in crate::sim) dots: bool,
}

/// A value from the foot of the chart upwards, or a span of values of a row.
#[derive(Clone, Debug)]
pub(in crate::sim) enum Bars {
    /// Names on the x axis, with the value of each.
    Upright(Vec<(String, f64)>),
    /// Names on the y axis, with the values of each, which a line joins; and what the values are.
    Ranges(Vec<(String, Vec<f64>)>, Vec<&'static str>),
}

/// A chart over two axes.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Chart {
    pub(in crate::sim) title: String,
    pub(in crate::sim) x: Axis,
    pub(in crate::sim) y: Axis,
    pub(in crate::sim) lines: Vec<Line>,
    pub(in crate::sim) bars: Option<Bars>,
    /// From and until, on the x axis.
    pub(in crate::sim) outages: Vec<(f64, f64)>,
    /// On the x axis.
    pub(in crate::sim) deploys: Vec<f64>,
    /// Where the measured time begins, on the x axis.
    pub(in crate::sim) warm_up: Option<f64>,
    /// A line across, on the y axis, and its name.
    pub(in crate::sim) bound: Option<(f64, String)>,
    pub(in crate::sim) width: i32,
    pub(in crate::sim) height: i32,
}

impl Chart {
    pub(in crate::sim) const fn new(title: String, x: Axis, y: Axis) -> Self {
        Self {
            title,
            x,
            y,
            lines: Vec::new(),
            bars: None,
            outages: Vec::new(),
            deploys: Vec::new(),
            warm_up: None,
            bound: None,
            width: 720,
            height: 280,
        }
    }

    /// The greatest value of a line, 0 at least.
    pub(in crate::sim) fn greatest(&self) -> f64 {
        let values = self.lines.iter().flat_map(|it| &it.points).map(|it| it.1);
        values.fold(0.0, f64::max)
    }

    /// For a page that has [`dark_rules`] in its style sheet.
    pub(in crate::sim) fn inline(&self) -> String {
        self.svg("")
    }

    /// For a file of its own.
    pub(in crate::sim) fn alone(&self) -> String {
        self.svg(&format!(
            "<style>@media (prefers-color-scheme:dark){{{}}}</style>",
            dark_rules()
        ))
    }

    fn svg(&self, style: &str) -> String {
        let drawing = draw::draw(self);
        // The size at which it is shown, a name for those who do not see it, and the style sheet.
        let body = drawing.find("viewBox").map_or("", |at| &drawing[at..]);
        let (tag, body) = body.split_once('>').unwrap_or((body, ""));
        format!(
            "<svg class=\"chart\" role=\"img\" aria-label=\"{}\" width=\"{}\" height=\"{}\" {tag}>{style}{body}",
            escaped(&self.title),
            self.width,
            self.height,
        )
    }
}

/// As text of a page or the value of an attribute.
pub(in crate::sim) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Not allowed in XML.
            it if it.is_control() => escaped.push(' '),
            it => escaped.push(it),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> Chart {
        let mut chart = Chart::new(
            "a & b".to_owned(),
            Axis::time("time", 100.0, 8),
            Axis::amount("messages", 30.0),
        );
        chart.lines.push(Line {
            name: "<visible>".to_owned(),
            color: Color::Blue,
            points: vec![(0.0, 1.0), (10.0, 30.0), (20.0, f64::NAN), (30.0, 4.0), (100.0, 5.0)],
            band: vec![(0.0, 0.0, 2.0), (10.0, 20.0, 40.0)],
            dots: false,
        });
        chart.outages.push((10.0, 40.0));
        chart.deploys.push(60.0);
        chart.warm_up = Some(5.0);
        chart.bound = Some((20.0, "at most 20".to_owned()));
        chart
    }

    #[test]
    fn a_chart_of_its_own_brings_its_dark_colours_and_one_of_a_page_does_not() {
        let (alone, inline) = (chart().alone(), chart().inline());
        assert!(alone.contains("<style>@media (prefers-color-scheme:dark)"));
        assert!(!inline.contains("<style>"));
        for svg in [alone, inline] {
            assert!(
                svg.starts_with("<svg class=\"chart\" role=\"img\" aria-label=\"a &amp; b\" width=\"720\""),
                "{svg}"
            );
            assert!(svg.contains("xmlns=\"http://www.w3.org/2000/svg\"") && svg.trim_end().ends_with("</svg>"));
            assert_eq!(svg.matches("<svg").count(), 1);
        }
    }

    #[test]
    fn a_legend_names_lines_outages_deploys_and_the_bound() {
        let svg = chart().inline();
        for name in [
            "&lt;visible&gt;",
            "outage",
            "deploy",
            "warm-up",
            "at most 20",
            "messages",
            "time (s)",
        ] {
            assert!(svg.contains(name), "no {name}");
        }
    }

    #[test]
    fn a_gap_in_the_values_is_a_gap_in_the_line() {
        let svg = chart().inline();
        let lines = svg
            .matches("<polyline fill=\"none\" opacity=\"1\" stroke=\"#2A78D6\"")
            .count();
        assert_eq!(lines, 3, "two parts and one in the legend\n{svg}");
    }

    #[test]
    fn a_chart_without_values_is_drawn() {
        let empty = Chart::new(String::new(), Axis::time("time", 0.0, 8), Axis::amount("messages", 0.0));
        assert!(empty.inline().contains("</svg>"));
    }
}
