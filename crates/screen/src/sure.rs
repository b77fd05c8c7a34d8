//! How sure a way is: whether it is short enough, and stands together, where code is mixed up with much other code (ADR 8).

use crate::flow::value::{Source, Step};
use crate::flow::{self, Hit};
use crate::waves::Waves;

/// Functions from which on a file is many modules in one.
const BUNDLE: usize = 1_500;
/// Steps from which on a way is no longer sure.
const STEPS_SURE: usize = 8;
/// The same, in a large project.
const STEPS_SURE_LARGE: usize = 4;

impl Waves {
    /// Whether a wave has so many modules that some way leads from anything to anything.
    #[must_use]
    pub fn is_large(&self, wave: usize) -> bool {
        self.all.get(wave).is_some_and(|(a, _)| a.units.len() >= flow::LARGE)
    }

    /// Whether the way of a hit is short enough to be sure of it; of what is mild anyway more is asked in a large project.
    #[must_use]
    pub fn is_sure(&self, wave: usize, hit: &Hit, mild: bool) -> bool {
        if self.is_bundle(wave, hit.module) && !hit.is_near() {
            return false;
        }
        if !self.is_large(wave) {
            return hit.steps.len() < STEPS_SURE;
        }
        if mild && hit.steps.len() > 2 {
            return false;
        }
        // Among so many modules only a constant that was really decoded counts, not one that may have been.
        let here = |s: &Step| s.module == hit.module && s.what.ends_with("decodes a constant");
        let folded = hit.steps.first().is_some_and(here);
        hit.steps.len() < STEPS_SURE_LARGE
            && self.goes_along_imports(wave, hit)
            && (hit.source != Source::Decoded || folded && hit.steps.len() <= 2)
    }

    /// Whether a module is many in one file.
    fn is_bundle(&self, wave: usize, module: usize) -> bool {
        let modules = self.all.get(wave).map_or(&[][..], |(a, _)| &a.project.modules);
        modules.get(module).is_some_and(|m| m.module.scopes.len() >= BUNDLE)
    }

    /// Whether each module on the way of a hit imports the one before it or is imported by it: values that get from one to
    /// another in another way do it over what many share, where they are mixed up with those of everybody else.
    fn goes_along_imports(&self, wave: usize, hit: &Hit) -> bool {
        let modules = self.all.get(wave).map_or(&[][..], |(a, _)| &a.project.modules);
        let imports = |from: usize, to: usize| {
            modules.get(from).is_some_and(|m| m.imports.values().any(|import| *import == to))
        };
        hit.steps.windows(2).all(|pair| match pair {
            [a, b] => {
                a.module == b.module || imports(a.module, b.module) || imports(b.module, a.module)
            }
            _ => true,
        })
    }
}
