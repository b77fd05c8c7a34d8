//! `risk`: a score for addresses, with its reasons.

use serde_json::{Value, json};
use trace::risk::{Index, Risk};

use super::progress::{Unit, bar};
use super::{labels, name, open};
use crate::cli::RiskArgs;
use crate::cmd::Context;
use crate::fail::{Done, Fail};

/// Runs the command.
pub fn run(cx: Context, args: &RiskArgs) -> Done {
    let graph = open(&args.graph)?;
    let (attribution, versions) = labels::load(&graph, &args.labels)?;
    // Addresses are read before anything long is done.
    let mut asked = Vec::new();
    for address in &args.addresses {
        asked.push((address, name::script_of_address(&graph, address)?));
    }
    let drawn = bar("following labels", 1, Unit::Things);
    let index = Index::new(&graph, &attribution, &mut |at, of| {
        drawn.set_length(of.max(1));
        drawn.set_position(at);
    });
    drawn.finish_and_clear();
    let index = index.map_err(|e| Fail::Damaged(e.to_string()))?;
    let (mut list, mut text) = (Vec::new(), String::new());
    for (address, script) in asked {
        let risk = index.of_script(&script);
        text.push_str(&words(address, risk.as_ref()));
        list.push(shown(address, risk.as_ref()));
    }
    if !graph.manifest().complete {
        text.push_str("the graph has holes: what came through them is not in these scores\n");
    }
    if index.not_followed_sat > 0 {
        let lost = crate::show::btc(bitcoin::Amount::from_sat(index.not_followed_sat));
        text.push_str(&format!("{lost} could not be followed: scores may be too low\n"));
    }
    let json = json!({
        "risks": list,
        "label_versions": versions,
        "graph_id": graph.manifest().id(),
        "complete": graph.manifest().complete && index.not_followed_sat == 0,
        "not_followed_sat": index.not_followed_sat,
    });
    cx.say(&json, &text);
    Ok(())
}

fn round(n: f64) -> f64 {
    (n * 1e4).round() / 1e4
}

fn shown(address: &str, risk: Option<&Risk<'_>>) -> Value {
    let reasons: Vec<Value> = risk
        .iter()
        .flat_map(|risk| &risk.reasons)
        .map(|r| {
            json!({"touch": r.touch.word(), "kind": r.kind.word(), "label": r.label, "source": r.source,
                "sat": r.sat, "share": round(r.share), "weight": round(r.weight)})
        })
        .collect();
    json!({
        "address": address,
        "known": risk.is_some(),
        "score": risk.map(|r| round(r.score)),
        "reasons": reasons,
    })
}

fn words(address: &str, risk: Option<&Risk<'_>>) -> String {
    let Some(risk) = risk else {
        return format!("{address}\n  never paid in this graph: nothing is known of it\n");
    };
    let mut text = format!("{address}\n  score {:.2}\n", risk.score);
    let exposure = |r: &&trace::risk::Reason<'_>| {
        matches!(r.touch, trace::risk::Touch::Direct | trace::risk::Touch::Indirect)
    };
    let dust = risk.reasons.iter().filter(|r| exposure(r) && r.weight < 0.005).count();
    for r in risk.reasons.iter().filter(|r| !exposure(r) || r.weight >= 0.005) {
        let what = match r.touch {
            trace::risk::Touch::Own => {
                format!("labelled {} ({}), says {}", r.label, r.kind.word(), r.source)
            }
            trace::risk::Touch::Cluster => {
                format!(
                    "its cluster is labelled {} ({}), says {}",
                    r.label,
                    r.kind.word(),
                    r.source
                )
            }
            trace::risk::Touch::Direct => format!(
                "{:.1} % of what it received is straight from {}",
                r.share * 100.0,
                r.kind.word()
            ),
            trace::risk::Touch::Indirect => format!(
                "{:.1} % of what it received is from {}, over others",
                r.share * 100.0,
                r.kind.word()
            ),
        };
        text.push_str(&format!("  {:.2}  {what}\n", r.weight));
    }
    if dust > 0 {
        text.push_str(&format!(
            "        and {dust} of less than half a hundredth (--json has all)\n"
        ));
    }
    text
}
