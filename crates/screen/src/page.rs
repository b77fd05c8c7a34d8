//! Pages: HTML, SVG and components, of which the scripts and the handlers of events are read. They are read in their place:
//! what is no script is blank, so that offsets stay what they are (HTML Standard, 4.12.1, 8.1.8.1).

/// Types of scripts that are code; others are data for other scripts.
const CODE: [&str; 8] =
    ["", "module", "javascript", "ecmascript", "babel", "jsx", "typescript", "text/ts"];

/// The scripts of a page; `None` where there are none.
#[must_use]
pub fn scripts(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let mut code: Vec<u8> =
        text.bytes().map(|b| if matches!(b, b'\n' | b'\r') { b } else { b' ' }).collect();
    let mut any = false;
    let mut keep = |from: usize, to: usize| {
        let (Some(into), Some(body)) = (code.get_mut(from..to), text.as_bytes().get(from..to))
        else {
            return;
        };
        into.copy_from_slice(body);
        any |= !body.trim_ascii().is_empty();
        // Ends a statement, whatever comes next.
        if let Some(end) = code.get_mut(to).filter(|b| **b == b' ') {
            *end = b';';
        }
    };
    let mut at = 0;
    while let Some(found) = lower.get(at..).and_then(|rest| rest.find('<')) {
        let start = at + found;
        let rest = lower.get(start..).unwrap_or_default();
        if rest.starts_with("<!--") {
            at = rest.find("-->").map_or(lower.len(), |end| start + end + 3);
            continue;
        }
        let end = tag_end(rest).map_or(lower.len(), |end| start + end);
        let tag = lower.get(start..end).unwrap_or_default();
        for (from, to) in handlers(tag) {
            keep(start + from, start + to);
        }
        at = end.max(start + 1);
        let is_script = tag.strip_prefix("<script").is_some_and(|rest| {
            rest.is_empty() || rest.starts_with([' ', '\t', '\n', '\r', '/', '>'])
        });
        if is_script && !tag.ends_with("/>") {
            let close = lower.get(at..).and_then(|rest| rest.find("</script"));
            let close = close.map_or(lower.len(), |close| at + close);
            if is_code(tag) {
                // In SVG and XHTML a script may stand in a section that is not parsed.
                let body = lower.get(at..close).unwrap_or_default();
                let from = body.find("<![cdata[").map_or(at, |open| at + open + 9);
                let to = body.rfind("]]>").map_or(close, |shut| (at + shut).max(from));
                keep(from, to);
            }
            at = close;
        }
    }
    any.then(|| String::from_utf8(code).ok()).flatten()
}

/// The same with what a template puts in taken for a number, or for nothing.
#[must_use]
pub fn without_templates(code: &str) -> String {
    let mut bytes = code.as_bytes().to_vec();
    for (open, close, value) in [("{{", "}}", true), ("{%", "%}", false), ("{#", "#}", false)] {
        let mut at = 0;
        while let Some(found) = code.get(at..).and_then(|rest| rest.find(open)) {
            let from = at + found;
            let Some(len) = code.get(from..).and_then(|rest| rest.find(close)) else { break };
            let to = from + len + close.len();
            if let Some(part) = bytes.get_mut(from..to) {
                part.iter_mut().filter(|b| **b != b'\n').for_each(|b| *b = b' ');
                if let Some(first) = part.first_mut().filter(|_| value) {
                    *first = b'0';
                }
            }
            at = to;
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}

/// Where a tag ends: after its `>`, which may stand in quotes before.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in tag.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

/// Values of attributes that are code: handlers of events, and addresses that are scripts.
fn handlers(tag: &str) -> Vec<(usize, usize)> {
    const SCRIPT: &str = "javascript:";
    let bytes = tag.as_bytes();
    let (mut all, mut last) = (Vec::new(), 0);
    for (equals, _) in tag.match_indices('=').filter(|(at, _)| *at > 0) {
        if equals < last {
            continue; // inside of the one before
        }
        let after = tag.get(equals + 1..).unwrap_or_default();
        let open = equals + 1 + after.bytes().take_while(u8::is_ascii_whitespace).count();
        let quote = bytes.get(open).copied().filter(|b| matches!(b, b'"' | b'\''));
        let from = open + usize::from(quote.is_some());
        let value = tag.get(from..).unwrap_or_default();
        let skipped = if is_handler(bytes.get(..equals).unwrap_or_default()) {
            0
        } else if value.starts_with(SCRIPT) {
            SCRIPT.len()
        } else {
            continue;
        };
        let len = match quote {
            Some(quote) => value.find(char::from(quote)),
            None => value.find(|c: char| c.is_whitespace() || c == '>'),
        };
        last = from + len.unwrap_or(value.len());
        all.push((from + skipped, last));
    }
    all
}

/// Whether what stands before an equals sign is the name of a handler: `onload`, with something before it that ends names.
fn is_handler(before: &[u8]) -> bool {
    const LEN_MAX: usize = 40;
    let before = before.trim_ascii_end();
    let len = before.iter().rev().take(LEN_MAX).take_while(|b| b.is_ascii_alphabetic()).count();
    let (rest, name) = before.split_at(before.len() - len);
    let ends = rest.last().is_some_and(|b| b.is_ascii_whitespace() || b"/\"':@".contains(b));
    ends && name.len() > 2 && name.starts_with(b"on")
}

/// Whether a script's type says that it is code.
fn is_code(tag: &str) -> bool {
    let Some(at) = tag.find("type=") else { return true };
    let value = tag.get(at + 5..).unwrap_or_default().trim_start_matches(['"', '\'']);
    let end = value.find(['"', '\'', ' ', '>', ';', '\n', '\t']).unwrap_or(value.len());
    let value = value.get(..end).unwrap_or_default();
    let short = value.rsplit('/').next().unwrap_or(value).trim_start_matches("x-");
    CODE.contains(&short) || CODE.contains(&value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(page: &str) -> String {
        let code = scripts(page).unwrap_or_default();
        assert!(code.is_empty() || code.len() == page.len());
        code.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn scripts_and_handlers_are_found_in_their_place() {
        for (page, code) in [
            ("<p>1</p><script>a()</script><SCRIPT type='module' src=x>b()</SCRIPT >", "a(); b();"),
            (
                "<script type=\"application/json\">{}</script><script type=text/template><b></script>",
                "",
            ),
            ("<img src=x onerror=\"a('>')\" alt=y><a href='javascript:b()'>c</a>", "a('>'); b();"),
            ("<!-- <script>a()</script> --><scripted>b()</scripted>", ""),
            ("<svg><script><![CDATA[a()]]></script></svg>", "a();"),
            ("<script>a()", "a()"),
            ("<script>ü()</script>", "ü();"),
            ("plain", ""),
        ] {
            assert_eq!(words(page), code, "{page}");
        }
        let page = "<h1>\n<script>\nevil()</script>";
        assert_eq!(scripts(page).unwrap().find("evil"), page.find("evil"));
        assert_eq!(
            without_templates("a = {{ x }}; {% if b %}c(){# d #}"),
            "a = 0      ;           c()       "
        );
    }
}
