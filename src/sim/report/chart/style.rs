//! Colours, in light and dark.

use plotters::style::RGBColor;

/// A colour of a chart by its use: a chart is drawn in the light ones, and a style sheet replaces each by its dark one.
/// The six for data are told apart with the common colour vision deficiencies too.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::sim) enum Color {
    Blue,
    Green,
    Amber,
    Violet,
    Red,
    Magenta,
    Surface,
    Ink,
    Label,
    Grid,
    Line,
    Outage,
}

/// Each with its light and its dark colour. The light ones differ from each other: the style sheet tells them apart.
const COLORS: [(Color, [u8; 3], [u8; 3]); 12] = [
    (Color::Blue, [0x2A, 0x78, 0xD6], [0x39, 0x87, 0xE5]),
    (Color::Green, [0x1B, 0xAF, 0x7A], [0x19, 0x9E, 0x70]),
    (Color::Amber, [0xED, 0xA1, 0x00], [0xC9, 0x85, 0x00]),
    (Color::Violet, [0x4A, 0x3A, 0xA7], [0x90, 0x85, 0xE9]),
    (Color::Red, [0xE3, 0x49, 0x48], [0xE6, 0x67, 0x67]),
    (Color::Magenta, [0xE8, 0x7B, 0xA4], [0xD5, 0x51, 0x81]),
    (Color::Surface, [0xFC, 0xFC, 0xFB], [0x1A, 0x1A, 0x19]),
    (Color::Ink, [0x0B, 0x0B, 0x0B], [0xFF, 0xFF, 0xFF]),
    (Color::Label, [0x52, 0x51, 0x4E], [0xC3, 0xC2, 0xB7]),
    (Color::Grid, [0xE6, 0xE5, 0xDF], [0x30, 0x30, 0x2D]),
    (Color::Line, [0x89, 0x87, 0x81], [0x8A, 0x88, 0x82]),
    (Color::Outage, [0xEB, 0x68, 0x34], [0xD9, 0x59, 0x26]),
];

impl Color {
    /// Those of lines, in order.
    pub(in crate::sim) const DATA: [Self; 6] = [
        Self::Blue,
        Self::Green,
        Self::Amber,
        Self::Violet,
        Self::Red,
        Self::Magenta,
    ];

    pub(super) fn rgb(self) -> RGBColor {
        let [red, green, blue] = self.light();
        RGBColor(red, green, blue)
    }

    fn light(self) -> [u8; 3] {
        COLORS.iter().find(|it| it.0 == self).map_or([0; 3], |it| it.1)
    }
}

/// The dark colours of the charts, as rules of a style sheet: what draws a chart knows neither variables nor classes.
pub(in crate::sim) fn dark_rules() -> String {
    let hex = |[red, green, blue]: [u8; 3]| format!("#{red:02X}{green:02X}{blue:02X}");
    let rules = COLORS.iter().flat_map(|(_, light, dark)| {
        let (light, dark) = (hex(*light), hex(*dark));
        ["fill", "stroke"].map(|it| format!(".chart [{it}=\"{light}\"]{{{it}:{dark}}}"))
    });
    rules.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_colour_has_a_dark_one_that_no_other_rule_changes() {
        let light: BTreeSet<_> = COLORS.iter().map(|it| it.1).collect();
        assert_eq!(light.len(), COLORS.len());
        assert!(dark_rules().contains(".chart [fill=\"#FCFCFB\"]{fill:#1A1A19}"));
    }
}
