//! Progress bars: on stderr, on a terminal only, with rate and time left.

use std::fmt::Write;
use std::io::IsTerminal as _;
use std::time::Duration;

use chaingraph::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

/// The bar of a build, which changes its words as the build goes on.
pub struct BuildBar {
    bar: ProgressBar,
    stage: u8,
}

impl BuildBar {
    /// Nothing yet.
    pub fn new() -> Self {
        Self { bar: hidden(), stage: 0 }
    }

    /// Draws how far it is.
    pub fn show(&mut self, progress: Progress) {
        let (stage, at, of, words, unit) = match progress {
            Progress::Scanning(a, b) => (1, a, b, "looking at headers", Unit::Bytes),
            Progress::Blocks(a, b) => (2, a, b, "taking in blocks", Unit::Bytes),
            Progress::Lookups => (3, 0, 0, "sorting lookups", Unit::Things),
            Progress::Clusters(a, b) => (4, a, b, "joining addresses", Unit::Things),
            Progress::Checksums => (5, 0, 0, "taking checksums", Unit::Things),
        };
        if stage != self.stage {
            self.stage = stage;
            self.bar.finish_and_clear();
            self.bar = bar(words, of, unit);
        }
        self.bar.set_position(at);
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// What is counted.
#[derive(Clone, Copy)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Anything else.
    Things,
}

fn hidden() -> ProgressBar {
    ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden())
}

/// A bar on a terminal, nothing elsewhere. A total of 0 is unknown: a spinner.
pub fn bar(words: &'static str, total: u64, unit: Unit) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return hidden();
    }
    let template = match (total, unit) {
        (0, _) => "{spinner} {msg} {elapsed}",
        (_, Unit::Bytes) => {
            "{msg} {wide_bar} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta} left"
        }
        (_, Unit::Things) => "{msg} {wide_bar} {human_pos}/{human_len} {rate}/s {eta} left",
    };
    let bar = ProgressBar::new(total).with_message(words);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.with_key("rate", |state: &ProgressState, out: &mut dyn Write| {
            let _ = write!(out, "{:.0}", state.per_sec());
        }));
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
