//! The parts of the report: the board's page, each attack, the real transaction, the measures.

use bitcoin::Amount;

use super::measures::MEASURES;
use super::{Outcome, theft};
use crate::show::btc;

/// Text made safe for HTML.
pub fn esc(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            '`' => String::new(),
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

/// BTC without the zeros that nobody reads.
fn short(sat: u64) -> String {
    let text = btc(Amount::from_sat(sat));
    let number = text.trim_end_matches(" BTC").trim_end_matches('0').trim_end_matches('.');
    let (whole, rest) = number.split_once('.').map_or((number, ""), |(w, r)| (w, r));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if rest.is_empty() { format!("{grouped} BTC") } else { format!("{grouped}.{rest} BTC") }
}

pub fn board(outcome: &Outcome) -> String {
    let longest = outcome.honest.iter().map(|h| h.secs).fold(0.0, f64::max);
    let refused = outcome.attacks.iter().filter(|a| a.refused()).count();
    let signatures = outcome.attacks.iter().map(|a| a.signatures).sum::<u32>();
    let answer = if signatures == 0 {
        let rest = outcome.possible.first().map_or_else(String::new, |p| {
            format!(
                " What remains: {}, all of them hostile, could take {} {}.",
                p.needs.join(" and "),
                short(p.max_sat),
                p.within
            )
        });
        format!(
            "<b>Yes.</b> Under the rules of this drill the transaction that emptied DMM Bitcoin’s wallet breaks {} rules and is refused, and so was everything else that was tried.{}",
            outcome.theft.codes().len(),
            esc(&rest)
        )
    } else {
        "<b>No.</b> Something was signed for the thief: see below.".to_owned()
    };
    format!(
        "<section class=\"board\"><h1>Would this have stopped the theft?</h1><p class=\"answer\">{answer}</p>\
         <div class=\"three\"><div><b class=\"bad\">{}</b>left DMM Bitcoin on 31 May 2024 in one transaction: 9 \
         coins, each with 2 of 3 signatures, {} of 18 valid{}</div>\
         <div><b class=\"good\">{}</b>went to the thief from the vault of this drill; {refused} of {} attacks refused, \
         {signatures} signatures</div>\
         <div><b>{longest:.2} s</b>machine time of the longest honest step; people's own time is not counted</div></div>\
         <h3>Two addresses, the lower one the thieves'</h3>\
         <p class=\"pair\">{}{}<br>{}{}</p>\
         <p>People compare the first and the last characters, and here those agree. Nobody has to compare: the \
         policy refuses an address that is not on the list, and one that looks like a listed one.</p>\
         <div class=\"words\"><p><b>cosigner</b> a small program with one key that every payment needs. It decides \
         for itself, signs only what people approved, and keeps the log. <b>approver</b> a person with a passkey and a review machine \
         that decodes the very transaction; an approval is both signatures. <b>holder</b> who keeps a key of the \
         wallet itself. <b>quorum</b> the people whose approvals a payment needs. <b>witness</b> an outside party \
         that holds the log to one history and tells the time.</p>\
         <p class=\"dim\">Countersign drill <b>dmm-2024</b>, a vault on the network {}. All keys are test keys; no \
         coin is real. Facts are marked:{} read from the chain,{} told by others,{} ours for this drill.</p></div></section>\n",
        short(outcome.lost_sat),
        outcome.valid_signatures,
        tag("chain"),
        short(outcome.taken_sat()),
        outcome.attacks.len(),
        marked(theft::USUAL, theft::THIEF),
        tag("reported, one source"),
        marked(theft::THIEF, theft::USUAL),
        tag("chain"),
        esc(outcome.network),
        tag("chain"),
        tag("reported"),
        tag("assumption"),
    )
}

pub fn honest(outcome: &Outcome) -> String {
    let rows: String = outcome
        .honest
        .iter()
        .map(|h| {
            let (class, word) = if h.ok { ("good", "ok") } else { ("bad", "FAILED") };
            format!(
                "<tr><td class=\"{class}\">{word}</td><td>{}<br><code class=\"dim\">{}</code></td><td class=\"num\">{:.2} s</td></tr>",
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
    let mut text = format!(
        "<section><h2>The thief holds more and more</h2><p>Each row adds to the ones above it. Whoever is asked to sign is the \
         real cosigner, a process of its own, or the thief's copy of it.</p>{}",
        super::picture::draw(outcome)
    );
    let rows: String = outcome
        .attacks
        .iter()
        .map(|a| {
            let (class, word) = if a.refused() { ("good", "refused") } else { ("bad", "NOT REFUSED") };
            format!(
                "<tr><td>{}</td><td>{}</td><td><code>{}</code></td><td class=\"{class}\">{word}</td></tr>",
                a.id, esc(a.title), a.expected
            )
        })
        .collect();
    text.push_str(&format!("<table>{rows}</table>"));
    for attack in &outcome.attacks {
        text.push_str(&article(attack));
    }
    text.push_str(
        "<p class=\"dim\">The other attacks of the catalogue that belong to this part of Countersign are tests of \
         the project, named by their ids: P01 to P36 on transactions, A02 to A25 on approvals, S01 to S18 on policy \
         and state, L01 to L11 on the log, K04 to K13 on keys, D01 to D30 on the design.</p></section>\n",
    );
    text
}

fn article(attack: &super::Attack) -> String {
    let (class, word) = if attack.refused() { ("good", "refused") } else { ("bad", "NOT REFUSED") };
    let mut violations: Vec<_> = attack.violations.iter().collect();
    violations.sort_by_key(|v| v.code != attack.expected);
    let details: String = violations
        .iter()
        .map(|v| format!("<li><code>{}</code> {}</li>", v.code, esc(&v.detail)))
        .collect();
    let refusal = match attack.refusal.as_deref() {
        Some(digest) => format!("<p>The cosigner’s signed refusal: <code>{}</code></p>", esc(digest)),
        None => "<p>No cosigner was asked here, so there is no signed refusal: the script itself fails.</p>"
            .to_owned(),
    };
    format!(
        "<article><h3>{} {}</h3><p>Holds: {}. <b class=\"{class}\">{word}</b>, {} signatures of the \
         cosigner.</p><p>Changed: <code>{}</code></p><ul>{details}</ul>{refusal}\
         <p class=\"dim\">Run it again: <code>countersign drill --attack {}</code></p></article>",
        attack.id,
        esc(attack.title),
        esc(&attack.holds.join(", ")),
        attack.signatures,
        esc(&attack.changed),
        attack.id
    )
}

pub fn theft(outcome: &Outcome) -> String {
    let rows: String = outcome
        .theft
        .violations
        .iter()
        .map(|v| {
            let (limit, actual) = crate::show::limits(v).unwrap_or_default();
            format!(
                "<tr><td><code>{}</code><br>{}</td><td class=\"num\">{}</td><td class=\"num\">{}</td></tr>",
                v.code,
                esc(&v.detail),
                esc(&limit),
                esc(&actual)
            )
        })
        .collect();
    format!(
        "<section><h2>The real transaction</h2><p><code>{}</code>{} against this drill's policy{}, the wallet \
         registered with its real descriptor{} to be judged and never signed, the usual address{} on the \
         allow-list, a request for the same sum to it{}.</p><table><tr><th>what is broken</th>\
         <th class=\"num\">limit</th><th class=\"num\">actual</th></tr>{rows}</table></section>\n",
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
                short(p.max_sat),
                esc(p.within)
            )
        })
        .collect();
    format!(
        "<section><h2>Still possible</h2><p>Countersign does not stop people who are enough to decide and who agree \
         to steal. It bounds what they take, and how fast.</p><table><tr><th>who must be hostile</th>\
         <th>the most they take</th></tr>{rows}</table></section>\n"
    )
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
