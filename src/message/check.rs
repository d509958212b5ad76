//! What SQS takes as text and as user attributes of a message (M2, M12 to M21).
use super::{MessageAttributeValue, MessageAttributes};
use crate::error::{InvalidMessageAttribute as Invalid, InvalidMessageAttribute};
use crate::limits::Limits;

/// Whether every character is a tab, a line feed, a carriage return or at least a space, and none is U+FFFE or U+FFFF
/// (M2, M5).
///
/// The first pass has no branch, so compilers turn it into vector instructions; most texts end there. U+FFFE and
/// U+FFFF are the bytes EF BF BE and EF BF BF, and no text below them has a byte as large as EF.
pub(crate) fn is_text(text: &str) -> bool {
    let (mut least, mut greatest) = (u8::MAX, 0);
    for &byte in text.as_bytes() {
        least = least.min(byte);
        greatest = greatest.max(byte);
    }
    let controls = least < 0x20
        && text
            .bytes()
            .any(|byte| byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r'));
    let noncharacters = greatest >= 0xef && text.contains(['\u{fffe}', '\u{ffff}']);
    !controls && !noncharacters
}

/// Rules M12 to M21.
pub(super) fn check_attributes(attributes: &MessageAttributes, limits: &Limits) -> Result<(), InvalidMessageAttribute> {
    let (count, limit) = (attributes.len(), limits.message_attributes);
    if count > limit {
        return Err(Invalid::TooMany { count, limit });
    }
    attributes.iter().try_for_each(|(name, value)| {
        check_name(name, limits.attribute_name_length)?;
        let base = check_data_type(name, value.data_type(), limits.attribute_data_type_length)?;
        check_value(name, base, value)
    })
}

/// The system attribute `AWSTraceHeader`, a text of its own (M25).
pub(super) fn check_trace_header(header: &str) -> Result<(), InvalidMessageAttribute> {
    let name = || "AWSTraceHeader".to_owned();
    if header.is_empty() {
        return Err(Invalid::Empty {
            name: name(),
            expected: "String",
            system: true,
        });
    }
    is_text(header)
        .then_some(())
        .ok_or_else(|| Invalid::Characters { name: name() })
}

/// Whether a message attribute may have this name under SQS's own limit.
#[cfg(feature = "worker")]
pub(crate) fn check_attribute_name(name: &str) -> Result<(), InvalidMessageAttribute> {
    check_name(name, Limits::aws().attribute_name_length)
}

/// M13, M21.
fn check_name(name: &str, limit: usize) -> Result<(), InvalidMessageAttribute> {
    let owned = || name.to_owned();
    if name.chars().count() > limit {
        return Err(Invalid::NameTooLong { limit });
    }
    if name.is_empty() || !name.chars().all(is_name_character) {
        return Err(Invalid::NameCharacters { name: owned() });
    }
    let starts_with = |prefix: &str| {
        name.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    if starts_with("AWS.") || starts_with("Amazon.") {
        return Err(Invalid::NameReserved { name: owned() });
    }
    if name.starts_with('.') || name.ends_with('.') || name.contains("..") {
        return Err(Invalid::NamePeriods { name: owned() });
    }
    Ok(())
}

/// Letters, digits, `_`, `-` and `.`, where Latin letters with diacritics are letters too (M13).
fn is_name_character(character: char) -> bool {
    match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' | '.' => true,
        '\u{d7}' | '\u{f7}' => false,
        '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => true,
        _ => false,
    }
}

/// The base of a data type that [`check_data_type`] let pass.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Base {
    String,
    Number,
    Binary,
}

/// M14, M20.
fn check_data_type(name: &str, data_type: &str, limit: usize) -> Result<Base, InvalidMessageAttribute> {
    let owned = || name.to_owned();
    if data_type.is_empty() {
        return Err(Invalid::DataTypeMissing { name: owned() });
    }
    if data_type.chars().count() > limit {
        return Err(Invalid::DataTypeTooLong { name: owned(), limit });
    }
    let (base, label) = match data_type.split_once('.') {
        Some((base, label)) => (base, Some(label)),
        None => (data_type, None),
    };
    let base = match base {
        "String" => Base::String,
        "Number" => Base::Number,
        "Binary" => Base::Binary,
        _ => return Err(Invalid::DataType { name: owned() }),
    };
    if label.is_some_and(|label| label.is_empty() || !label.chars().all(is_name_character)) {
        return Err(Invalid::DataTypeLabel {
            name: owned(),
            data_type: data_type.to_owned(),
        });
    }
    Ok(base)
}

/// M15 to M17.
fn check_value(name: &str, base: Base, value: &MessageAttributeValue) -> Result<(), InvalidMessageAttribute> {
    let owned = || name.to_owned();
    if base == Base::Binary {
        let empty = || Invalid::Empty {
            name: owned(),
            expected: "Binary",
            system: false,
        };
        return value
            .binary_value()
            .filter(|bytes| !bytes.is_empty())
            .map(|_| ())
            .ok_or_else(empty);
    }
    let Some(text) = value.string_value().filter(|text| !text.is_empty()) else {
        return Err(Invalid::Empty {
            name: owned(),
            expected: "String",
            system: false,
        });
    };
    if !is_text(text) {
        return Err(Invalid::Characters { name: owned() });
    }
    if base == Base::Number && !is_number(text) {
        return Err(Invalid::Number {
            name: owned(),
            value: text.to_owned(),
        });
    }
    Ok(())
}

/// Whether `text` is a decimal number of at most 38 significant digits that is zero or has a magnitude of 10^-128 to
/// 10^126 (M17). Zeros before and after the other digits are not significant.
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let Some(exponent) = parse_exponent(exponent) else {
        return false;
    };
    if whole.len() + fraction.len() == 0 {
        return false;
    }
    // Places of the first and the last digit that is not zero, and the first itself.
    let mut significant: Option<(usize, usize, u8)> = None;
    for (place, digit) in whole.bytes().chain(fraction.bytes()).enumerate() {
        if !digit.is_ascii_digit() {
            return false;
        }
        if digit != b'0' {
            let (first, _, leading) = significant.unwrap_or((place, place, digit));
            significant = Some((first, place, leading));
        }
    }
    let Some((first, last, leading)) = significant else {
        return true;
    };
    let magnitude = whole.len() as i64 - 1 - first as i64 + exponent;
    let is_power_of_ten = first == last && leading == b'1';
    last - first < 38 && ((-128..=125).contains(&magnitude) || is_power_of_ten && magnitude == 126)
}

/// The exponent of a number; one beyond what any mantissa in memory can make up for is brought nearer to zero.
fn parse_exponent(text: &str) -> Option<i64> {
    const FAR: i64 = 1 << 48;
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let magnitude = digits
        .bytes()
        .fold(0, |sum, digit| FAR.min(sum * 10 + i64::from(digit - b'0')));
    Some(if text.starts_with('-') { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_is_a_text_exactly_if_m2_lists_it() {
        // M2 M5
        for character in '\0'..=char::MAX {
            let listed = matches!(
                u32::from(character),
                0x9 | 0xa | 0xd | 0x20..=0xd7ff | 0xe000..=0xfffd | 0x1_0000..=0x10_ffff
            );
            assert_eq!(is_text(character.encode_utf8(&mut [0; 4])), listed, "{character:?}");
        }
    }

    #[test]
    fn a_bad_character_is_found_wherever_it_stands() {
        // M2
        for length in [1, 15, 16, 255, 256, 257, 600] {
            for place in 0..length {
                for (bad, good) in [
                    ("\0", "\n"),
                    ("\x1f", " "),
                    ("\u{fffe}", "\u{fffd}"),
                    ("\u{ffff}", "\u{1ffff}"),
                ] {
                    let text = |middle| format!("{}{middle}{}", "x".repeat(place), "\u{e9}".repeat(length - place - 1));
                    assert!(
                        !is_text(&text(bad)) && is_text(&text(good)),
                        "{bad:?} at {place} of {length}"
                    );
                }
            }
        }
    }

    #[test]
    fn numbers_have_38_digits_and_magnitudes_from_1e_minus_128_to_1e126() {
        // M17
        let nines = "9".repeat(38);
        let good = [
            "0",
            "-0",
            "+1",
            "007",
            "1.",
            ".5",
            "1e5",
            "1E+5",
            "-1.50e-3",
            "0e999999999999999999999",
            "99.12",
        ];
        let exact = [
            format!("{nines}e88"),
            format!("1{}", "0".repeat(126)),
            format!("0.{}1", "0".repeat(127)),
        ];
        let long = [
            format!("{}1{}", "0".repeat(100), "0".repeat(100)),
            format!("{}.{}", &nines[..19], &nines[19..]),
        ];
        for number in good
            .into_iter()
            .chain(["1e126", "1e-128", "-1e126", "1e125", "1e-127", "10e125"])
        {
            assert!(is_number(number), "{number}");
        }
        for number in exact.iter().chain(&long) {
            assert!(is_number(number), "{number}");
        }
        let bad = [
            "", "+", ".", "-.", "e5", "1e", "1e+", "1e1.0", "1.2.3", "0x10", " 1", "1 ", "1,0", "--1", "NaN", "inf",
        ];
        let beyond = [
            "1.1e126",
            "2e126",
            "1e127",
            "9e-129",
            "1e-129",
            "1e99999999999999999999",
            "1e-99999999999999999999",
        ];
        for number in bad.into_iter().chain(beyond) {
            assert!(!is_number(number), "{number}");
        }
        assert!(!is_number(&"9".repeat(39)) && !is_number(&format!("1{}1", "0".repeat(37))));
        assert!(is_number(&format!("1{}1", "0".repeat(36))) && is_number(&"9".repeat(37)));
    }
}
