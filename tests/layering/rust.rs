//! Reads Rust as far as the laws need it: tokens, items under `#[cfg(test)]`, paths.
//!
//! It never judges what it reads, and on text that is not Rust it returns something rather than panic.

pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// Identifiers, numbers and punctuation. Comments are dropped; a literal stays as its empty shell.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let shell = |piece: &str| match piece {
        _ if is_comment(piece) => None,
        _ if string(piece).is_some() => Some("\"\"".to_owned()),
        _ if character(piece).is_some() => Some("''".to_owned()),
        _ => Some(piece.to_owned()),
    };
    let pieces = pieces(text).into_iter();
    pieces
        .filter_map(|(piece, line)| shell(piece).map(|text| Token { text, line }))
        .collect()
}

/// The comments, documentation included, as they stand.
pub(crate) fn comments(text: &str) -> Vec<Token> {
    kept(text, is_comment)
}

/// The string literals, as they stand.
pub(crate) fn literals(text: &str) -> Vec<Token> {
    kept(text, |piece| string(piece).is_some())
}

fn kept(text: &str, keeps: impl Fn(&str) -> bool) -> Vec<Token> {
    let pieces = pieces(text).into_iter().filter(|(piece, _)| keeps(piece));
    let token = |(piece, line): (&str, usize)| Token {
        text: piece.to_owned(),
        line,
    };
    pieces.map(token).collect()
}

fn is_comment(piece: &str) -> bool {
    piece.starts_with("//") || piece.starts_with("/*")
}

/// All but the space between, each piece with the line that it begins on.
fn pieces(text: &str) -> Vec<(&str, usize)> {
    let (mut pieces, mut at, mut line) = (Vec::new(), 0, 1);
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = string(rest).or_else(|| character(rest)) {
            length
        } else if is_word(first) {
            word(rest)
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let piece = &rest[..length];
        if !first.is_whitespace() {
            pieces.push((piece, line));
        }
        line += piece.matches('\n').count();
        at += length;
    }
    pieces
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn word(rest: &str) -> usize {
    rest.find(|c| !is_word(c)).unwrap_or(rest.len())
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        let mark = &rest.as_bytes()[at..rest.len().min(at + 2)];
        match mark {
            b"/*" => depth += 1,
            b"*/" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            break;
        }
    }
    at
}

/// The length of the string literal that `rest` starts with, raw and byte strings included.
fn string(rest: &str) -> Option<usize> {
    let prefix = rest.find(|c: char| !"rbc".contains(c)).filter(|it| *it <= 2)?;
    let raw = rest[..prefix].contains('r');
    let hashes = if raw {
        rest[prefix..].bytes().take_while(|it| *it == b'#').count()
    } else {
        0
    };
    let body = prefix + hashes + 1;
    if rest.as_bytes().get(body - 1) != Some(&b'"') {
        return None;
    }
    if raw {
        let end = format!("\"{}", "#".repeat(hashes));
        let length = rest[body..].find(&end).map(|it| body + it + end.len());
        return Some(length.unwrap_or(rest.len()));
    }
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(body) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    Some(rest.len())
}

/// The length of the character literal that `rest` starts with; a lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let prefix = usize::from(rest.starts_with("b'"));
    let inside = rest[prefix..].strip_prefix('\'')?;
    let first = inside.chars().next()?;
    let end = if first == '\\' {
        2 + inside.get(2..)?.find('\'')?
    } else {
        inside[first.len_utf8()..]
            .starts_with('\'')
            .then_some(first.len_utf8())?
    };
    Some(prefix + 1 + end + 1)
}

/// The tokens without the items that carry `#[cfg(test)]`.
pub(crate) fn outside_tests(tokens: &[Token]) -> Vec<Token> {
    let (mut code, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        at = match test_item(tokens, at) {
            Some(end) => end,
            None => {
                code.push(Token {
                    text: tokens[at].text.clone(),
                    line: tokens[at].line,
                });
                at + 1
            }
        };
    }
    code
}

/// The names declared as `#[cfg(test)] mod name;`, whose code is in a file of their own.
pub(crate) fn test_modules(tokens: &[Token]) -> Vec<String> {
    let ends = (0..tokens.len()).filter_map(|at| test_item(tokens, at));
    let declared = ends.filter_map(|end| match &tokens[end.checked_sub(3)?..end] {
        [keyword, name, end] if keyword.text == "mod" && end.text == ";" => Some(name.text.clone()),
        _ => None,
    });
    declared.collect()
}

/// Where the item ends whose `#[cfg(test)]` starts at `at`.
fn test_item(tokens: &[Token], at: usize) -> Option<usize> {
    const ITEMS: &[&str] = &[
        "async", "const", "enum", "fn", "impl", "mod", "static", "struct", "trait", "type", "use",
    ];
    let text = |at: usize| tokens.get(at).map_or("", |it| it.text.as_str());
    let mut end = attribute(tokens, at)?;
    let inside: Vec<_> = (at + 2..end - 1).map(text).collect();
    let holds = |name| inside.contains(&name);
    if inside.first() != Some(&"cfg") || !holds("test") || holds("not") || holds("any") {
        return None;
    }
    while let Some(next) = attribute(tokens, end) {
        end = next;
    }
    if text(end) == "pub" {
        end += 1;
        if text(end) == "(" {
            end = group(tokens, end);
        }
    }
    ITEMS.contains(&text(end)).then_some(())?;
    while end < tokens.len() {
        match text(end) {
            ";" => return Some(end + 1),
            "{" => return Some(group(tokens, end)),
            "(" | "[" => end = group(tokens, end),
            _ => end += 1,
        }
    }
    Some(end)
}

/// Where the attribute ends that starts at `at`.
fn attribute(tokens: &[Token], at: usize) -> Option<usize> {
    let opens = tokens.get(at)?.text == "#" && tokens.get(at + 1)?.text == "[";
    opens.then(|| group(tokens, at + 1))
}

/// Where the bracketed group ends that starts at `at`.
fn group(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(at) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// Every path, `a::{b, c::d}` unfolded into `a::b` and `a::c::d`, with the line it ends on.
pub(crate) fn paths(tokens: &[Token]) -> Vec<(Vec<String>, usize)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        at = path(tokens, at, &[], &mut found).max(at + 1);
    }
    found
}

fn path(tokens: &[Token], mut at: usize, prefix: &[String], found: &mut Vec<(Vec<String>, usize)>) -> usize {
    let mut segments = prefix.to_vec();
    while let Some(token) = tokens.get(at) {
        if token.text == "{" && segments.len() > prefix.len() {
            at += 1;
            while at < tokens.len() && tokens[at].text != "}" {
                at = path(tokens, at, &segments, found).max(at + 1);
            }
            return at + 1;
        }
        if !(token.text == "*" || token.text.starts_with(is_word)) {
            return at;
        }
        segments.push(token.text.clone());
        at += 1;
        if tokens.get(at).is_none_or(|it| it.text != "::") {
            found.push((segments, token.line));
            return at;
        }
        at += 1;
    }
    at
}
