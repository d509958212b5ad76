//! How a chart is drawn.

use {
    super::{Bars, Chart, Color, Line},
    crate::sim::report::text::{self, shortened},
    plotters::{
        coord::Shift,
        prelude::*,
        style::Color as _,
        style::text_anchor::{HPos, Pos, VPos},
    },
};

type Drawn<T = ()> = Result<T, DrawingAreaErrorKind<std::io::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Coordinates are whole numbers: a chart is drawn so many times as large as it is shown.
const SCALE: i32 = 2;

/// What a letter is wide, on average and in parts of its size: there are no fonts to ask.
const LETTER: f64 = 0.52;

const TITLE: i32 = 14;
const TEXT: i32 = 11;
const LEGEND_ROW: i32 = 17;
const MARGIN: i32 = 10;

/// The marks before names of the legend.
#[derive(Clone, Copy)]
enum Mark {
    Line(Color),
    Dashes(Color),
    Area(Color),
    Dot(Color),
}

/// Where the values are drawn, in shown pixels; and on what.
struct Frame<'a, 'b> {
    area: &'b Area<'a>,
    left: i32,
    top: i32,
    width: i32,
    height: i32,
}

pub(super) fn draw(chart: &Chart) -> String {
    let mut svg = String::new();
    let size = ((chart.width * SCALE) as u32, (chart.height * SCALE) as u32);
    let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
    let drawn = draw_on(chart, &area).and_then(|()| area.present());
    drop(area);
    // Writing to a text does not fail; a page with a chart less would be better than none.
    if drawn.is_err() { String::new() } else { svg }
}

fn draw_on(chart: &Chart, area: &Area<'_>) -> Drawn {
    area.fill(&Color::Surface.rgb())?;
    let most = f64::from(chart.width - 2 * MARGIN) / (LETTER * f64::from(TITLE));
    let title = font(TITLE, Color::Ink, HPos::Left, VPos::Top, true);
    area.draw_text(
        &shortened(&chart.title, most as usize),
        &title,
        (MARGIN * SCALE, MARGIN * SCALE),
    )?;
    let top = draw_legend(chart, area)?;
    let left = if matches!(chart.bars, Some(Bars::Ranges(..))) {
        170
    } else {
        58
    };
    let frame = Frame {
        area,
        left,
        top,
        width: chart.width - left - 2 * MARGIN,
        height: chart.height - top - 42,
    };
    frame.windows(chart)?;
    frame.axes(chart)?;
    if let Some(bars) = &chart.bars {
        frame.bars(chart, bars)?;
    }
    for line in &chart.lines {
        frame.line(chart, line)?;
    }
    if let Some((bound, _)) = &chart.bound {
        let y = frame.y(chart.y.place(*bound));
        frame.dashes(Color::Ink, (frame.left, y), (frame.left + frame.width, y))?;
    }
    Ok(())
}

fn font(size: i32, color: Color, across: HPos, down: VPos, bold: bool) -> TextStyle<'static> {
    // Plotters asks for the height of a line, 1.24 times the size of the letters.
    let font = ("system-ui, sans-serif", f64::from(size * SCALE) * 1.24).into_font();
    let font = if bold { font.style(FontStyle::Bold) } else { font };
    font.color(&color.rgb()).pos(Pos::new(across, down))
}

fn stroke(color: Color, width: u32) -> ShapeStyle {
    color.rgb().stroke_width(width)
}

fn scaled((x, y): (i32, i32)) -> (i32, i32) {
    (x * SCALE, y * SCALE)
}

/// Below the title, in as many rows as it takes; returns where the rows end.
fn draw_legend(chart: &Chart, area: &Area<'_>) -> Drawn<i32> {
    let (mut x, mut y) = (MARGIN, MARGIN + TITLE + 12);
    let entries = legend(chart);
    for (mark, name) in &entries {
        let name = shortened(name, 40);
        let width = 22 + (LETTER * f64::from(TEXT) * name.chars().count() as f64) as i32 + 14;
        if x > MARGIN && x + width > chart.width - MARGIN {
            (x, y) = (MARGIN, y + LEGEND_ROW);
        }
        let middle = y + TEXT / 2;
        match *mark {
            Mark::Line(color) => area.draw(&path(&[(x, middle), (x + 16, middle)], stroke(color, 4)))?,
            Mark::Dashes(color) => {
                area.draw(&path(&[(x, middle), (x + 6, middle)], stroke(color, 3)))?;
                area.draw(&path(&[(x + 10, middle), (x + 16, middle)], stroke(color, 3)))?;
            }
            Mark::Area(color) => {
                let corners = [scaled((x, middle - 5)), scaled((x + 16, middle + 5))];
                area.draw(&Rectangle::new(corners, color.rgb().mix(0.25).filled()))?;
            }
            Mark::Dot(color) => area.draw(&Circle::new(scaled((x + 8, middle)), 4 * SCALE, color.rgb().filled()))?,
        }
        let style = font(TEXT, Color::Label, HPos::Left, VPos::Center, false);
        area.draw_text(&name, &style, scaled((x + 22, middle)))?;
        x += width;
    }
    Ok(if entries.is_empty() {
        MARGIN + TITLE + 16
    } else {
        y + LEGEND_ROW + 8
    })
}

fn legend(chart: &Chart) -> Vec<(Mark, String)> {
    let mut all: Vec<_> = chart
        .lines
        .iter()
        .map(|it| (Mark::Line(it.color), it.name.clone()))
        .collect();
    if let Some(Bars::Ranges(_, names)) = &chart.bars {
        all.extend(
            names
                .iter()
                .zip(Color::DATA)
                .map(|(name, color)| (Mark::Dot(color), (*name).to_owned())),
        );
    }
    if chart.lines.iter().any(|it| !it.band.is_empty()) {
        all.push((Mark::Area(Color::Line), "least to greatest replication".to_owned()));
    }
    if !chart.outages.is_empty() {
        all.push((Mark::Area(Color::Outage), "outage".to_owned()));
    }
    if !chart.deploys.is_empty() {
        all.push((Mark::Dashes(Color::Line), "deploy".to_owned()));
    }
    if chart.warm_up.is_some() {
        all.push((Mark::Area(Color::Label), "warm-up".to_owned()));
    }
    if let Some((_, name)) = &chart.bound {
        all.push((Mark::Dashes(Color::Ink), name.clone()));
    }
    all
}

fn path(points: &[(i32, i32)], style: ShapeStyle) -> PathElement<(i32, i32)> {
    PathElement::new(points.iter().copied().map(scaled).collect::<Vec<_>>(), style)
}

impl Frame<'_, '_> {
    fn x(&self, place: f64) -> i32 {
        self.left + (f64::from(self.width) * place).round() as i32
    }

    fn y(&self, place: f64) -> i32 {
        self.top + (f64::from(self.height) * (1.0 - place)).round() as i32
    }

    /// In drawn pixels, which are finer.
    fn point(&self, chart: &Chart, (x, y): (f64, f64)) -> (i32, i32) {
        let fine = |start: i32, length: i32, place: f64| {
            (f64::from(start * SCALE) + f64::from(length * SCALE) * place).round() as i32
        };
        let (x, y) = (chart.x.place(x), chart.y.place(y));
        (fine(self.left, self.width, x), fine(self.top, self.height, 1.0 - y))
    }

    /// A span of the x axis, at least as wide as can be seen.
    fn span(&self, chart: &Chart, from: f64, until: f64, color: Color, opacity: f64) -> Drawn {
        let left = self.x(chart.x.place(from));
        let right = self.x(chart.x.place(until)).max(left + 1);
        let corners = [scaled((left, self.top)), scaled((right, self.top + self.height))];
        self.area
            .draw(&Rectangle::new(corners, color.rgb().mix(opacity).filled()))
    }

    fn windows(&self, chart: &Chart) -> Drawn {
        if let Some(until) = chart.warm_up {
            self.span(chart, chart.x.least, until, Color::Label, 0.08)?;
        }
        for (from, until) in &chart.outages {
            self.span(chart, *from, *until, Color::Outage, 0.16)?;
        }
        for at in &chart.deploys {
            let x = self.x(chart.x.place(*at));
            let ends = [(x, self.top), (x, self.top + self.height)];
            // Of many lines each is drawn at once, to keep the file small.
            if chart.deploys.len() > 20 {
                self.area.draw(&path(&ends, stroke(Color::Grid, 2)))?;
            } else {
                self.dashes(Color::Line, ends[0], ends[1])?;
            }
        }
        Ok(())
    }

    fn dashes(&self, color: Color, from: (i32, i32), to: (i32, i32)) -> Drawn {
        const LENGTH: i32 = 5;
        let (across, down) = (to.0 - from.0, to.1 - from.1);
        let count = across.abs().max(down.abs()) / LENGTH;
        let at = |part: i32| (from.0 + across * part / count, from.1 + down * part / count);
        (0..count)
            .step_by(2)
            .try_for_each(|it| self.area.draw(&path(&[at(it), at(it + 1)], stroke(color, 2))))
    }

    fn axes(&self, chart: &Chart) -> Drawn {
        let (right, foot) = (self.left + self.width, self.top + self.height);
        let label = |across, down| font(TEXT, Color::Label, across, down, false);
        for (value, text) in &chart.y.ticks {
            let y = self.y(chart.y.place(*value));
            self.area
                .draw(&path(&[(self.left, y), (right, y)], stroke(Color::Grid, 2)))?;
            self.area
                .draw_text(text, &label(HPos::Right, VPos::Center), scaled((self.left - 6, y)))?;
        }
        for (value, text) in &chart.x.ticks {
            let x = self.x(chart.x.place(*value));
            self.area
                .draw(&path(&[(x, foot), (x, foot + 4)], stroke(Color::Line, 2)))?;
            self.area
                .draw_text(text, &label(HPos::Center, VPos::Top), scaled((x, foot + 7)))?;
        }
        self.area
            .draw(&path(&[(self.left, foot), (right, foot)], stroke(Color::Line, 2)))?;
        let below = label(HPos::Center, VPos::Top);
        self.area
            .draw_text(&chart.x.title, &below, scaled((self.left + self.width / 2, foot + 23)))?;
        let beside = label(HPos::Center, VPos::Top).transform(FontTransform::Rotate270);
        self.area
            .draw_text(&chart.y.title, &beside, scaled((4, self.top + self.height / 2)))
    }

    fn line(&self, chart: &Chart, line: &Line) -> Drawn {
        let color = line.color.rgb();
        let finite = |it: &&(f64, f64, f64)| it.1.is_finite() && it.2.is_finite();
        let upper = line
            .band
            .iter()
            .filter(finite)
            .map(|it| self.point(chart, (it.0, it.2)));
        let lower = line
            .band
            .iter()
            .rev()
            .filter(finite)
            .map(|it| self.point(chart, (it.0, it.1)));
        let band: Vec<_> = upper.chain(lower).collect();
        if !band.is_empty() {
            self.area.draw(&Polygon::new(band, color.mix(0.2).filled()))?;
        }
        for part in line.points.split(|it| !it.1.is_finite()).filter(|it| !it.is_empty()) {
            let points: Vec<_> = thinned(part).into_iter().map(|it| self.point(chart, it)).collect();
            if line.dots || points.len() == 1 {
                for point in &points {
                    self.area.draw(&Circle::new(*point, 3 * SCALE, color.filled()))?;
                }
            }
            self.area.draw(&PathElement::new(points, color.stroke_width(3)))?;
        }
        Ok(())
    }

    fn bars(&self, chart: &Chart, bars: &Bars) -> Drawn {
        match bars {
            Bars::Upright(bars) => self.upright(chart, bars),
            Bars::Ranges(rows, _) => self.ranges(chart, rows),
        }
    }

    fn upright(&self, chart: &Chart, bars: &[(String, f64)]) -> Drawn {
        let foot = self.top + self.height;
        let each = f64::from(self.width) / bars.len().max(1) as f64;
        let half = ((each * 0.35) as i32).clamp(1, 32);
        for (index, (name, value)) in bars.iter().enumerate() {
            let x = self.left + (each * (index as f64 + 0.5)) as i32;
            let y = self
                .y(chart.y.place(*value))
                .min(if *value > 0.0 { foot - 1 } else { foot });
            let corners = [scaled((x - half, y)), scaled((x + half, foot))];
            self.area.draw(&Rectangle::new(corners, Color::Blue.rgb().filled()))?;
            let below = font(TEXT, Color::Label, HPos::Center, VPos::Top, false);
            self.area.draw_text(name, &below, scaled((x, foot + 7)))?;
            if each > 44.0 {
                let above = font(TEXT, Color::Ink, HPos::Center, VPos::Bottom, false);
                let label = if *value > 0.0 && *value < 0.001 {
                    "< 0.1 %".to_owned()
                } else {
                    text::percent(text::rounded(*value, 2))
                };
                self.area.draw_text(&label, &above, scaled((x, y - 3)))?;
            }
        }
        Ok(())
    }

    fn ranges(&self, chart: &Chart, rows: &[(String, Vec<f64>)]) -> Drawn {
        let each = f64::from(self.height) / rows.len().max(1) as f64;
        for (index, (name, values)) in rows.iter().enumerate() {
            let y = self.top + (each * (index as f64 + 0.5)) as i32;
            let beside = font(TEXT, Color::Label, HPos::Right, VPos::Center, false);
            self.area
                .draw_text(&shortened(name, 22), &beside, scaled((self.left - 8, y)))?;
            let places: Vec<i32> = values
                .iter()
                .filter(|it| it.is_finite())
                .map(|it| self.x(chart.x.place(*it)))
                .collect();
            if let (Some(first), Some(last)) = (places.iter().min(), places.iter().max()) {
                self.area
                    .draw(&path(&[(*first, y), (*last, y)], stroke(Color::Line, 4)))?;
            }
            for (x, color) in places.iter().zip(Color::DATA) {
                self.area
                    .draw(&Circle::new(scaled((*x, y)), 5 * SCALE, color.rgb().filled()))?;
            }
        }
        Ok(())
    }
}

/// At most about a thousand points that show the same line: of each stretch the least and the greatest.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let size = points.len().div_ceil(500);
    if size <= 2 {
        return points.to_vec();
    }
    let by_value = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
    let mut kept = Vec::new();
    for stretch in points.chunks(size) {
        let ends = [stretch.iter().min_by(by_value), stretch.iter().max_by(by_value)];
        let mut ends: Vec<(f64, f64)> = ends.into_iter().flatten().copied().collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        ends.dedup();
        kept.extend(ends);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thinned_line_keeps_its_peaks() {
        let mut points: Vec<_> = (0..100_000).map(|it| (it as f64, 1.0)).collect();
        points[77_777].1 = 50.0;
        let thinned = thinned(&points);
        assert!(
            thinned.len() <= 1_000 && thinned.contains(&(77_777.0, 50.0)),
            "{}",
            thinned.len()
        );
        assert!(thinned.is_sorted_by_key(|it| it.0));
    }
}
