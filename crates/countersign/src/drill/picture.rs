//! The report's one picture: what the thief takes, ring by ring, and what is left standing.

use super::Outcome;

const WIDTH: usize = 900;
const ROW: usize = 46;
const TOP: usize = 34;

fn text(x: usize, y: usize, class: &str, content: &str) -> String {
    format!("<text x=\"{x}\" y=\"{y}\" class=\"{class}\">{}</text>", super::report::esc(content))
}

/// A row for each thing that the thief takes, with the attacks tried by then; the cosigner last.
pub fn draw(outcome: &Outcome) -> String {
    let mut levels: Vec<(&str, Vec<&str>, u32)> = Vec::new();
    for attack in &outcome.attacks {
        let level = attack.holds.last().copied().unwrap_or_default();
        match levels.last_mut().filter(|(name, ..)| *name == level) {
            Some((_, ids, signatures)) => {
                ids.push(attack.id);
                *signatures += attack.signatures;
            }
            None => levels.push((level, vec![attack.id], attack.signatures)),
        }
    }
    let height = TOP + ROW * (levels.len() + 1) + 14;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"What the thief holds, row by row, and the signatures that he gets: none\">"
    );
    svg.push_str(&text(20, 20, "head", "the thief takes"));
    svg.push_str(&text(455, 20, "head", "and tries"));
    svg.push_str(&text(760, 20, "head", "cosigner's signatures"));
    for (row, (name, ids, signatures)) in levels.iter().enumerate() {
        let y = TOP + ROW * row;
        // Each bar reaches further to the left: he keeps what he had.
        svg.push_str(&format!(
            "<rect x=\"10\" y=\"{y}\" width=\"420\" height=\"{}\" rx=\"6\" class=\"taken\"/>",
            ROW - 10
        ));
        let plus = if row == 0 { *name } else { &format!("+ {name}") };
        svg.push_str(&text(22, y + 23, "on", plus));
        svg.push_str(&text(455, y + 23, "ids", &ids.join("  ")));
        svg.push_str(&text(830, y + 23, "num", &signatures.to_string()));
    }
    let y = TOP + ROW * levels.len();
    svg.push_str(&format!(
        "<rect x=\"10\" y=\"{y}\" width=\"{}\" height=\"{}\" rx=\"6\" class=\"left\"/>",
        WIDTH - 20,
        ROW - 6
    ));
    svg.push_str(&text(
        22,
        y + 25,
        "on",
        "left: one small program, the cosigner, and enough approvers with their own machines",
    ));
    svg.push_str("</svg>");
    svg
}
