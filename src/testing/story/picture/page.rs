//! The page around a picture.

use super::{super::Story, svg};

const STYLE: &str = "\
:root{color-scheme:light dark;--page:#f4f4f1;--surface:#fcfcfb;--ink:#16150f;--label:#5b5952;--line:#c9c7bf;\
--head:#ecebe5;--queue:#dde6f3;--bad:#b3261e;\
--m0:#1f5fb8;--m1:#0a7a4f;--m2:#8a5800;--m3:#5f3fb8;--m4:#a3266b;--m5:#0b6f80}\
@media (prefers-color-scheme:dark){:root{--page:#111110;--surface:#1a1a19;--ink:#f4f3ee;--label:#b5b3a9;--line:#4a4943;\
--head:#2b2a27;--queue:#22304a;--bad:#ff8a80;\
--m0:#7fb2f5;--m1:#5fd0a0;--m2:#e5b04a;--m3:#b8a3ff;--m4:#f08abf;--m5:#5cc8dc}}\
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}\
main{max-width:1400px;margin:0 auto;padding:20px 16px}\
h1{font-size:21px;margin:0 0 6px;overflow-wrap:anywhere}p{margin:4px 0;overflow-wrap:anywhere}\
.violated{color:var(--bad);font-weight:600;font-size:17px}.small{color:var(--label);font-size:13px}\
.scroll{overflow-x:auto;margin:14px 0;background:var(--surface);border:1px solid var(--line);border-radius:8px}\
pre{margin:8px 0;padding:10px;overflow-x:auto;background:var(--surface);border:1px solid var(--line);border-radius:8px;\
font:12px/1.5 ui-monospace,monospace}summary{cursor:pointer}\
svg{display:block;font:13px system-ui,sans-serif}\
text{fill:var(--ink);paint-order:stroke;stroke:var(--surface);stroke-width:4px;stroke-linejoin:round}\
.t{fill:var(--label);font-size:12px;font-variant-numeric:tabular-nums;text-anchor:end}.now{fill:var(--ink)}\
.name{font-weight:600;font-size:12px;text-anchor:middle;stroke:none}.note{font-style:italic}\
.head{fill:var(--head);stroke:var(--line)}.queue{fill:var(--queue)}.side{stroke:var(--line);fill:none}\
.l{stroke:var(--line);stroke-width:1.5}.gap{stroke:var(--line);stroke-dasharray:1 5;stroke-linecap:round}\
.strip{fill:var(--head);stroke:var(--line)}.s{stroke:none}.cycle{fill:none;stroke:var(--label);stroke-dasharray:4 4}\
.a{stroke:var(--c,var(--ink));stroke-width:2;fill:none}.late{stroke-dasharray:6 4}.p{fill:var(--c,var(--ink))}\
.x{stroke:var(--c,var(--ink));stroke-width:3;stroke-linecap:round;fill:none}.m{font-weight:700;fill:var(--c,var(--ink))}\
text.bad,.f{fill:var(--bad);font-weight:600}.bad{--c:var(--bad)}\
.c0{--c:var(--m0)}.c1{--c:var(--m1)}.c2{--c:var(--m2)}.c3{--c:var(--m3)}.c4{--c:var(--m4)}.c5{--c:var(--m5)}";

/// A page of its own: nothing in it comes from elsewhere, and it runs no script.
pub(in crate::testing::story) fn page(story: &Story, title: &str, also: Option<&str>) -> String {
    let picture = svg(&story.events, &story.violation);
    let also = also.map_or_else(String::new, |it| format!("<p class=\"small\">{}</p>\n", escaped(it)));
    let title = escaped(title);
    let (violation, replay) = (escaped(&story.violation), escaped(&story.replay));
    let text = escaped_lines(&story.to_string());
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{title}</title>\n<style>{STYLE}</style></head>\n<body><main>\n<h1>{title}</h1>\n\
         <p class=\"violated\">violated: {violation}</p>\n<p class=\"small\">replay: {replay}</p>\n{also}\
         <div class=\"scroll\" role=\"region\" aria-label=\"Picture\" tabindex=\"0\">\n{picture}\n</div>\n\
         <p class=\"small\">Time goes down. A round head is an actor, a square one a queue; a message keeps its colour; \
         what a fault struck is red. Point at an event to see where it was called.</p>\n\
         <details><summary>The same as text</summary>\n<pre>{text}</pre></details>\n</main></body></html>\n"
    )
}

/// As text of HTML and of XML.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // Not allowed in XML.
            '\u{fffe}' | '\u{ffff}' => escaped.push(' '),
            it if it.is_control() => escaped.push(' '),
            it => escaped.push(it),
        }
    }
    escaped
}

pub(super) fn escaped_lines(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(escaped).collect();
    lines.join("\n")
}

/// The beginning of a text that is too long.
pub(super) fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text.to_owned(),
    }
}
