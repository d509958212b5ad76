//! Numbers as text, the same on every machine.

use super::Estimate;

/// To so many significant digits after the first one; the same to the last bit on every machine.
pub(in crate::sim) fn rounded(value: f64, digits: usize) -> f64 {
    format!("{value:.digits$e}").parse().unwrap_or(value)
}

/// Four significant digits at most after the point, thousands set apart: `0.4121`, `12.34`, `1,234`; `-` for NaN.
pub(in crate::sim) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let text = fixed(value, decimals(value));
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A number without its interval, then the interval to the same decimal: `0.412 +- 0.003`.
pub(super) fn estimate(estimate: Estimate) -> String {
    let Some(half_width) = estimate.half_width.filter(|_| estimate.mean.is_finite()) else {
        return number(estimate.mean);
    };
    // No more than what rounding leaves.
    if half_width <= estimate.mean.abs() * 1e-9 {
        return format!("{} +- 0", number(estimate.mean));
    }
    let places = decimals(estimate.mean);
    // An interval that is not zero must not look like zero.
    let places = places.max(decimals(half_width).saturating_sub(2));
    format!("{} +- {}", fixed(estimate.mean, places), fixed(half_width, places))
}

/// Such as `12.3 %`.
pub(in crate::sim) fn percent(share: f64) -> String {
    if share.is_finite() {
        format!("{} %", number(share * 100.0))
    } else {
        number(share)
    }
}

pub(super) fn percent_estimate(share: Estimate) -> String {
    if share.mean.is_finite() {
        format!("{} %", estimate(share.scaled(100.0)))
    } else {
        number(share.mean)
    }
}

/// Seconds: `0.412 +- 0.003 s`.
pub(super) fn seconds_estimate(time: Estimate) -> String {
    if time.mean.is_finite() {
        format!("{} s", estimate(time))
    } else {
        number(time.mean)
    }
}

/// `$ 1.25`.
pub(super) fn dollars(amount: Estimate) -> String {
    if amount.mean.is_finite() {
        format!("$ {}", estimate(amount))
    } else {
        number(amount.mean)
    }
}

/// For a sentence, at most two units: `45 s`, `1 h 12 min`, `3 d 4 h`.
pub(in crate::sim) fn span(seconds: f64) -> String {
    if !seconds.is_finite() {
        return number(seconds);
    }
    if seconds < 60.0 {
        return format!("{} s", number(seconds));
    }
    let whole = seconds.round() as u64;
    let (large, small, rest) = match whole {
        0..3_600 => (format!("{} min", whole / 60), "s", whole % 60),
        3_600..86_400 => (format!("{} h", whole / 3_600), "min", whole % 3_600 / 60),
        _ => (format!("{} d", whole / 86_400), "h", whole % 86_400 / 3_600),
    };
    if rest == 0 {
        large
    } else {
        format!("{large} {rest} {small}")
    }
}

/// `count` and the noun, with an `s` unless it is one.
pub(in crate::sim) fn counted(count: f64, noun: &str) -> String {
    format!("{} {noun}{}", number(count), if count == 1.0 { "" } else { "s" })
}

/// Without what would move the cursor, and what XML does not allow.
pub(in crate::sim) fn plain(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect()
}

/// [`plain`], and at most `most` letters.
pub(in crate::sim) fn shortened(text: &str, most: usize) -> String {
    let text = plain(text);
    if text.chars().count() <= most {
        return text;
    }
    let kept: String = text.chars().take(most.saturating_sub(2)).collect();
    format!("{kept}..")
}

/// How many decimals give four significant digits.
fn decimals(value: f64) -> usize {
    let size = value.abs();
    if size == 0.0 || size >= 1_000.0 || (size >= 1.0 && size.fract() == 0.0) {
        return 0;
    }
    // Compared and not computed: logarithms differ between machines.
    let mut places = 1;
    let mut limit = 100.0;
    while size < limit && places < 9 {
        places += 1;
        limit /= 10.0;
    }
    places
}

fn fixed(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |it| ("-", it));
    let (whole, fraction) = digits.find('.').map_or((digits, ""), |at| digits.split_at(at));
    let mut grouped = String::with_capacity(text.len() + 4);
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if digits.bytes().any(|it| matches!(it, b'1'..=b'9')) {
        sign
    } else {
        ""
    };
    format!("{sign}{grouped}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_significant_digits_and_thousands_set_apart() {
        for (value, expected) in [
            (0.0, "0"),
            (7.0, "7"),
            (0.412_06, "0.4121"),
            (0.000_012_344, "0.00001234"),
            (12.345_6, "12.35"),
            (123.456, "123.5"),
            (1_234.56, "1,235"),
            (1_234_567.0, "1,234,567"),
            (-1_234.0, "-1,234"),
            (-0.000_000_000_01, "0"),
            (0.25, "0.25"),
            (f64::NAN, "-"),
        ] {
            assert_eq!(number(value), expected);
        }
    }

    #[test]
    fn an_interval_has_the_decimals_of_its_mean_and_more_if_it_would_vanish() {
        let of = |mean, half_width| {
            estimate(Estimate {
                mean,
                half_width: Some(half_width),
            })
        };
        assert_eq!(of(0.412, 0.003), "0.4120 +- 0.0030");
        assert_eq!(of(72_013.2, 210.4), "72,013 +- 210");
        assert_eq!(of(10.0, 0.0), "10 +- 0");
        assert_eq!(of(0.12, 1e-15), "0.12 +- 0");
        assert_eq!(of(5.0, 0.001_2), "5.0000 +- 0.0012");
    }

    #[test]
    fn spans_name_two_units_at_most() {
        for (seconds, expected) in [
            (0.25, "0.25 s"),
            (45.0, "45 s"),
            (60.0, "1 min"),
            (4_320.0, "1 h 12 min"),
            (3_600.0, "1 h"),
            (273_600.0, "3 d 4 h"),
        ] {
            assert_eq!(span(seconds), expected);
        }
    }

    #[test]
    fn rounding_keeps_significant_digits() {
        assert_eq!(rounded(12.706_204_736_174, 7), 12.706_205);
    }
}
