//! The parts of the report: the board's page, each attack, the real transaction, the measures.

use bitcoin::Amount;

use super::measures::MEASURES;
use super::{Outcome, theft};
use crate::show::btc;

/// Text made safe for HTML.
fn esc(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            c if c.is_control() => "?".to_owned(),
            c => c.to_string(),
        })
        .collect()
}

fn tag(kind: &str) -> String {
    format!(" <span class=\"tag\">{kind}</span>")
}

/// One address of a pair with the characters marked in which it differs from the other.
fn marked(one: &str, other: &str) -> String {
    let mut others = other.chars();
    one.chars()
        .map(|c| if others.next() == Some(c) { c.to_string() } else { format!("<mark>{c}</mark>") })
        .collect()
}

pub fn board(outcome: &Outcome) -> String {
    let longest = outcome.honest.iter().map(|h| h.secs).fold(0.0, f64::max);
    let refused = outcome.attacks.iter().filter(|a| a.refused()).count();
    format!(
        "<section class=\"board\"><h1>Would it have happened to us?</h1>\
         <p class=\"dim\">Countersign drill <b>dmm-2024</b>. All keys are test keys; no coin is real. Network of \
         the vault: {}. Facts are marked{}{}{}.</p>\
         <div class=\"three\"><div><b class=\"bad\">{}</b>left DMM Bitcoin on 31 May 2024 in one transaction; {} \
         of its 18 signatures are valid{}</div>\
         <div><b class=\"good\">0 BTC</b>left the vault here; {refused} of {} attacks refused, {} signatures</div>\
         <div><b>{longest:.2} s</b>machine time of the longest honest step; people's own time is not counted</div></div>\
         <h3>Two addresses, one of them the thieves'</h3>\
         <p class=\"pair\">{}{}<br>{}{}</p>\
         <p>People compare the first and the last characters, and here those agree. Nobody has to compare: the \
         policy refuses an address that is not on the list, and one that looks like a listed one.</p>\
         <p><b>What it takes now:</b> a thief needs enough approvers, each with passkey and own review machine, in \
         two networks, <em>and</em> holders' keys. What that would yield stands under “Still possible”.</p></section>\n",
        esc(outcome.network),
        tag("chain"),
        tag("reported"),
        tag("assumption"),
        btc(Amount::from_sat(outcome.lost_sat)),
        outcome.valid_signatures,
        tag("chain"),
        outcome.attacks.len(),
        outcome.attacks.iter().map(|a| a.signatures).sum::<u32>(),
        marked(theft::USUAL, theft::THIEF),
        tag("reported, one source"),
        marked(theft::THIEF, theft::USUAL),
        tag("chain"),
    )
}

pub fn honest(outcome: &Outcome) -> String {
    let rows: String = outcome
        .honest
        .iter()
        .map(|h| {
            let (class, word) = if h.ok { ("good", "ok") } else { ("bad", "FAILED") };
            format!(
                "<tr><td class=\"{class}\">{word}</td><td>{}<br><code class=\"dim\">{}</code></td><td>{:.2} s</td></tr>",
                esc(&h.title), esc(&h.txid), h.secs
            )
        })
        .collect();
    let verify = match &outcome.receipt {
        Some(path) => format!(
            "<p>Check it: <code>countersign verify {} --vault-id {}</code></p>",
            esc(path),
            esc(&outcome.vault_id)
        ),
        None => String::new(),
    };
    format!("<section><h2>An honest day</h2><table>{rows}</table>{verify}</section>\n")
}

pub fn attacks(outcome: &Outcome) -> String {
    let mut text = "<section><h2>The thief holds more and more</h2>".to_owned();
    for attack in &outcome.attacks {
        let (class, word) =
            if attack.refused() { ("good", "refused") } else { ("bad", "NOT REFUSED") };
        let details: String = attack
            .violations
            .iter()
            .map(|v| format!("<li><code>{}</code> {}</li>", v.code, esc(&v.detail)))
            .collect();
        let refusal = attack.refusal.as_deref().map_or_else(String::new, |digest| {
            format!("<p>Signed refusal <code>{}</code></p>", esc(digest))
        });
        text.push_str(&format!(
            "<article><h3>{} {}</h3><p>Holds: {}. <b class=\"{class}\">{word}</b>, {} signatures of the cosigner.</p>\
             <p>Changed: <code>{}</code></p><ul>{details}</ul>{refusal}\
             <p class=\"dim\">Run it again: <code>countersign drill --json | jq '.attacks[]|select(.id==\"{}\")'</code></p></article>",
            attack.id, esc(attack.title), esc(&attack.holds.join(", ")), attack.signatures,
            esc(&attack.changed), attack.id
        ));
    }
    text.push_str("</section>\n");
    text
}

pub fn theft(outcome: &Outcome) -> String {
    let rows: String = outcome
        .theft
        .violations
        .iter()
        .map(|v| {
            let facts: Vec<String> = v
                .facts
                .iter()
                .filter(|(name, _)| name == "limit" || name == "actual")
                .map(|(name, fact)| match fact {
                    withdrawal::code::Fact::Number(n) => format!("{name} {n}"),
                    withdrawal::code::Fact::Text(t) => format!("{name} {t}"),
                })
                .collect();
            format!(
                "<tr><td><code>{}</code></td><td>{}</td><td class=\"dim\">{}</td></tr>",
                v.code,
                esc(&v.detail),
                esc(&facts.join(", "))
            )
        })
        .collect();
    format!(
        "<section><h2>The real transaction</h2><p><code>{}</code>{} against this drill's policy{}, the wallet \
         registered with its real descriptor{}, the usual address{} on the allow-list, a request for the same sum \
         to it{}.</p><table>{rows}</table></section>\n",
        theft::TXID,
        tag("chain"),
        tag("assumption"),
        tag("chain"),
        tag("reported, one source"),
        tag("assumption")
    )
}

pub fn possible(outcome: &Outcome) -> String {
    let rows: String = outcome
        .possible
        .iter()
        .map(|p| {
            format!(
                "<tr><td>{}</td><td><b>{}</b> {}</td></tr>",
                esc(&p.needs.join(" and ")),
                btc(Amount::from_sat(p.max_sat)),
                esc(p.within)
            )
        })
        .collect();
    format!("<section><h2>Still possible</h2><table>{rows}</table></section>\n")
}

pub fn measures() -> String {
    let rows: String = MEASURES
        .iter()
        .map(|(id, source, asked, standing, shows)| {
            format!(
                "<tr><td>{id}</td><td>{}<br><span class=\"dim\">{}</span></td><td>{}</td><td>{}</td></tr>",
                esc(asked), esc(source), standing.words(), esc(shows)
            )
        })
        .collect();
    format!(
        "<section><h2>What the authorities asked for</h2><p class=\"dim\">In our words{}; of the NPA alert only the \
         structure could be read, so M17 to M22 are to be compared with its text.</p><table>{rows}</table></section>\n",
        tag("reported")
    )
}
