//! The report's page around its parts: one self-contained HTML file, for paper and for either light.

use super::Outcome;
use super::report;

const STYLE: &str = "\
:root{color-scheme:light dark;--fg:#16181d;--bg:#fff;--dim:#5a6270;--line:#d9dde4;--bad:#b3261e;--good:#1b6e3c;--mark:#ffe08a}\
@media(prefers-color-scheme:dark){:root{--fg:#e7e9ee;--bg:#14161a;--dim:#9aa3b2;--line:#333944;--bad:#ff8a80;--good:#7fd6a2;--mark:#6b5200}}\
*{box-sizing:border-box}body{margin:0 auto;max-width:60rem;padding:2rem 1.2rem;background:var(--bg);color:var(--fg);font:16px/1.5 system-ui,sans-serif}\
section{overflow-x:auto}h1{font-size:1.7rem;margin:0 0 .3rem}h2{margin:2.4rem 0 .6rem;border-bottom:1px solid var(--line)}h3{margin:1.4rem 0 .2rem}\
.dim{color:var(--dim)}.three{display:flex;flex-wrap:wrap;gap:1rem;margin:1.5rem 0}.three div{flex:1 1 14rem;border:1px solid var(--line);border-radius:.5rem;padding:1rem}\
.three b{display:block;font-size:1.7rem;font-variant-numeric:tabular-nums}.bad{color:var(--bad)}.good{color:var(--good)}\
code,pre{font:.9em/1.5 ui-monospace,monospace;overflow-wrap:anywhere}pre{white-space:pre-wrap}\
.pair{font:min(1.15rem,4vw)/1.9 ui-monospace,monospace;overflow-wrap:anywhere}.pair mark{background:var(--mark);color:inherit}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line)}\
.answer{font-size:1.15rem}.words{border-left:3px solid var(--line);padding-left:1rem;font-size:.92em}.num{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}\
svg{width:100%;height:auto;margin:.5rem 0}svg text{font:15px system-ui,sans-serif;fill:var(--fg)}svg .head{fill:var(--dim);font-size:13px}svg .ids{font-family:ui-monospace,monospace}svg .num{font-weight:700;text-anchor:middle}\
svg .taken{fill:none;stroke:var(--bad);stroke-width:1.5}svg .left{fill:none;stroke:var(--good);stroke-width:2.5}\
.tag{font-size:.75em;border:1px solid var(--line);border-radius:.3rem;padding:0 .35rem;white-space:nowrap}\
@page{size:A4;margin:16mm}td code{overflow-wrap:break-word}@media print{section{overflow:visible}.three div{flex-basis:9rem}.three b{font-size:1.3rem}body{max-width:none;padding:0;font-size:10.5pt}h2{break-after:avoid}article,tr{break-inside:avoid}.board{break-after:page}}";

/// The whole page.
pub fn render(outcome: &Outcome) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>Countersign drill dmm-2024</title><style>{STYLE}</style></head><body>\n\
         {}{}{}{}{}{}</body></html>\n",
        report::board(outcome),
        report::honest(outcome),
        report::attacks(outcome),
        report::theft(outcome),
        report::possible(outcome),
        report::measures(),
    )
}
