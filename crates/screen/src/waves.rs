//! Waves of code: first what lies in the tree and what runs by itself, then the commands and files that this starts, and
//! so on. Each wave is followed by itself; what starts what is kept, so that the first cause is known.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use crate::assemble::{self, Assembly, Configs, Files, Unit};
use crate::autorun::Point;
use crate::code::{code, fits, is_text, too_large, without_room};
use crate::command;
use crate::finding::Fires;
use crate::flow::ir::Module;
use crate::flow::{self, Followed, Hit, Language, Runs, language_of};
use crate::limits::Limits;
use crate::nature::{self, Nature};
use crate::settings;
use crate::tree::{File, Missed, Tree};

/// Waves that are followed: a command that runs a script that runs code is three.
const WAVES_MAX: usize = 4;
/// Pieces of code that waves after the first may have.
const LATER_MAX: usize = 2_000;

/// A unit: its wave, and its module there.
pub type Id = (usize, usize);

/// A file whose name says that it is data, and that something runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OddRun {
    /// The file.
    pub file: usize,
    /// What runs it.
    pub from: Id,
    /// The file of what runs it.
    pub by: usize,
    /// Where in that.
    pub at: u32,
}

/// A command that some code starts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Started {
    /// The code.
    pub from: Id,
    /// Where in its file.
    pub at: u32,
    /// The line.
    pub line: String,
    /// It goes on when who started it is gone.
    pub detached: bool,
    /// When its code is loaded.
    pub on_load: bool,
}

/// All that was followed.
#[derive(Debug, Default)]
pub struct Waves {
    /// The waves, the first one first.
    pub all: Vec<(Assembly, Followed)>,
    /// Odd files that are run.
    pub odd: Vec<OddRun>,
    /// Commands that code starts.
    pub started: Vec<Started>,
    /// Files of languages that are built, which run then, and when that is.
    built: BTreeMap<usize, Fires>,
    edges: HashMap<Id, Vec<(Id, bool)>>,
    earliest: HashMap<Id, Fires>,
    /// Units that somebody runs: nothing imports them, and they are no packages.
    asked: HashSet<Id>,
}

impl Waves {
    /// A unit.
    #[must_use]
    pub fn unit(&self, (wave, module): Id) -> Option<&Unit> {
        self.all.get(wave)?.0.units.get(module)
    }

    /// All hits, with their waves.
    pub fn hits(&self) -> impl Iterator<Item = (usize, &Hit)> {
        self.all.iter().enumerate().flat_map(|(wave, (_, f))| f.hits.iter().map(move |h| (wave, h)))
    }

    /// When a unit is first run by something that nobody asked for.
    #[must_use]
    pub fn fires_of(&self, id: Id) -> Option<Fires> {
        self.earliest.get(&id).copied()
    }

    /// When something in a unit fires: when it is loaded, or only when something calls it.
    #[must_use]
    pub fn fires(&self, id: Id, on_load: bool) -> Fires {
        match (on_load, self.fires_of(id)) {
            (true, Some(fires)) => fires,
            (true, None) if self.asked.contains(&id) => Fires::Run,
            (true, None) => Fires::Import,
            (false, _) => Fires::Run,
        }
    }

    /// Whether a unit is a command or a script of a shell.
    #[must_use]
    pub fn is_of_command(&self, id: Id) -> bool {
        self.unit(id).is_some_and(|u| u.language == Language::Shell)
    }

    /// Whether something that nobody asked for runs code of a file.
    #[must_use]
    pub fn is_auto(&self, file: usize) -> bool {
        self.earliest.iter().any(|(id, fires)| {
            fires.is_auto()
                && *fires != Fires::Test
                && self.unit(*id).is_some_and(|u| u.file == file)
        })
    }

    /// Files of Rust and Go that run when something is built, or when they are imported.
    pub fn built(&self, tree: &Tree) -> BTreeMap<usize, Fires> {
        let mut all = self.built.clone();
        for (number, file) in
            tree.files.iter().enumerate().filter(|(_, f)| f.name().ends_with(".go"))
        {
            if file.text().contains("func init()") {
                all.entry(number).or_insert(Fires::Import);
            }
        }
        all
    }

    fn edge(&mut self, from: Id, to: Id, on_load: bool) {
        self.edges.entry(from).or_default().push((to, on_load));
    }

    /// Finds what only somebody who runs it loads: what nothing imports, and what that imports.
    fn ask(&mut self, tree: &Tree) {
        for (wave, (assembly, _)) in self.all.iter().enumerate() {
            let imported: HashSet<usize> =
                assembly.project.modules.iter().flat_map(|l| l.imports.values().copied()).collect();
            let mut open: Vec<usize> = Vec::new();
            for (module, unit) in assembly.units.iter().enumerate() {
                let file = tree.files.get(unit.file);
                let is_package = file.is_some_and(|f| {
                    matches!(
                        f.name(),
                        "__init__.py" | "index.js" | "index.ts" | "index.mjs" | "index.cjs"
                    )
                });
                if !imported.contains(&module) && !is_package {
                    open.push(module);
                }
            }
            while let Some(module) = open.pop() {
                if self.asked.insert((wave, module)) {
                    let linked = assembly.project.modules.get(module);
                    open.extend(linked.into_iter().flat_map(|l| l.imports.values().copied()));
                }
            }
        }
    }

    /// Spreads when things fire over what they start and import.
    fn spread(&mut self) {
        let mut open: VecDeque<Id> = self.earliest.keys().copied().collect();
        while let Some(id) = open.pop_front() {
            let Some(fires) = self.earliest.get(&id).copied() else { continue };
            let mut next: Vec<Id> = Vec::new();
            for (to, on_load) in self.edges.get(&id).into_iter().flatten() {
                if *on_load {
                    next.push(*to);
                }
            }
            let linked = self.all.get(id.0).and_then(|(a, _)| a.project.modules.get(id.1));
            next.extend(linked.into_iter().flat_map(|l| l.imports.values()).map(|m| (id.0, *m)));
            for to in next {
                let known = self.earliest.get(&to);
                if known.is_none_or(|k| fires < *k) {
                    self.earliest.insert(to, fires);
                    open.push_back(to);
                }
            }
        }
    }
}

/// Something to be followed in the next wave.
struct Next {
    unit: Unit,
    module: Module,
    /// What starts it, and whether that is when it is loaded.
    from: Option<(Id, bool)>,
    /// When it fires by itself.
    fires: Option<Fires>,
    /// The point that it is, among the points.
    point: Option<usize>,
}

struct Run<'a> {
    tree: &'a Tree,
    limits: Limits,
    /// Bytes of code for which there is room yet.
    room: usize,
    points: &'a [Point],
    files: Files<'a>,
    waves: Waves,
    /// Units by the files that they are.
    by_file: HashMap<(usize, Language), Id>,
    /// Units of points.
    by_point: HashMap<usize, Id>,
    seen: HashSet<(usize, u32, String)>,
    later: usize,
}

/// Follows a tree.
pub fn follow(
    tree: &Tree,
    points: &[Point],
    limits: &Limits,
    missed: &mut Vec<Missed>,
    announce: &mut dyn FnMut(&str),
) -> Waves {
    let mut first: Vec<Next> = Vec::new();
    let mut configs = Configs::new();
    let mut room = limits.all_code_len;
    let natures: Vec<Nature> = tree.files.iter().map(nature::nature).collect();
    let large = without_room(tree, &natures, limits, &mut room);
    for ((number, file), nature) in tree.files.iter().enumerate().zip(natures) {
        settings::config(file, &mut configs, missed);
        if large.contains(&number) {
            too_large(file, limits, missed);
            continue;
        }
        if let Some((language, module, spans)) = code(file, nature, missed, announce) {
            let unit = Unit { file: number, at: None, language, spans };
            first.push(Next { unit, module, from: None, fires: None, point: None });
        }
    }
    for (nth, point) in points.iter().enumerate() {
        let Some(command) = &point.command else { continue };
        let (module, error) = crate::shell::lower(command);
        if error.is_some() {
            unparsable(tree, point.file, missed);
        }
        // Whatever stands in a file that is a script has its place there.
        let is_file = tree.files.get(point.file).is_some_and(|f| f.text() == **command);
        let at = if is_file { None } else { Some(point.at) };
        let unit = Unit { file: point.file, at, language: Language::Shell, spans: Vec::new() };
        first.push(Next { unit, module, from: None, fires: Some(point.fires), point: Some(nth) });
    }
    announce("");
    let mut run = Run {
        tree,
        limits: *limits,
        room,
        points,
        files: Files::of(tree),
        waves: Waves::default(),
        by_file: HashMap::new(),
        by_point: HashMap::new(),
        seen: HashSet::new(),
        later: 0,
    };
    let mut next = first;
    for wave in 0..WAVES_MAX {
        if next.is_empty() && wave > 0 {
            break;
        }
        run.wave(wave, next, &configs, missed);
        next = run.started(wave, missed, announce);
    }
    if !next.is_empty() {
        let reason = "commands that start commands, over a limit".to_owned();
        missed.push(Missed { file: ".".to_owned(), reason });
    }
    run.waves.spread();
    run.waves.ask(tree);
    run.waves
}

/// A command, or code in one, that can't be read to its end.
fn unparsable(tree: &Tree, file: usize, missed: &mut Vec<Missed>) {
    let file = tree.files.get(file).map(|f| f.path.clone()).unwrap_or_default();
    missed.push(Missed { file, reason: "unparsable command".to_owned() });
}

impl Run<'_> {
    /// Follows a wave.
    fn wave(&mut self, wave: usize, next: Vec<Next>, configs: &Configs, missed: &mut Vec<Missed>) {
        let mut units = Vec::new();
        for (module, one) in next.into_iter().enumerate() {
            let id = (wave, module);
            if one.unit.at.is_none() && one.point.is_none() {
                self.by_file.entry((one.unit.file, one.unit.language)).or_insert(id);
            }
            if let Some(point) = one.point {
                self.by_point.insert(point, id);
            }
            if let Some(fires) = one.fires {
                self.waves.earliest.insert(id, fires);
            }
            if let Some((from, on_load)) = one.from {
                self.waves.edge(from, id, on_load);
            }
            units.push((one.unit, one.module));
        }
        let assembly = assemble::link(self.tree, units, configs.clone());
        let followed = flow::follow(&assembly.project, self.limits.work);
        if followed.cut {
            let reason = "code that takes too long to follow".to_owned();
            missed.push(Missed { file: ".".to_owned(), reason });
        }
        for module in &followed.too_deep {
            let file = assembly.units.get(*module).and_then(|u| self.tree.files.get(u.file));
            if let Some(file) = file {
                let reason = "code nested too deeply to be followed".to_owned();
                missed.push(Missed { file: file.path.clone(), reason });
            }
        }
        self.waves.all.push((assembly, followed));
    }

    /// What a wave starts.
    fn started(
        &mut self,
        wave: usize,
        missed: &mut Vec<Missed>,
        announce: &mut dyn FnMut(&str),
    ) -> Vec<Next> {
        let mut next = Vec::new();
        if wave == 0 {
            for (nth, point) in self.points.iter().enumerate() {
                for run in &point.runs {
                    self.point_runs(nth, point, run, &mut next, missed, announce);
                }
            }
        }
        let imported: Vec<(usize, String)> = match self.waves.all.get(wave) {
            Some((assembly, _)) => assembly
                .project
                .modules
                .iter()
                .enumerate()
                .flat_map(|(m, l)| l.data.values().map(move |p| (m, p.clone())))
                .filter(|(_, p)| !p.ends_with(".json") && !p.ends_with(".node"))
                .collect(),
            None => Vec::new(),
        };
        for (module, path) in imported {
            let from = (wave, module);
            let (Some(unit), Some(number)) = (self.waves.unit(from), self.number_of(&path)) else {
                continue;
            };
            let by = unit.file;
            let Some(file) = self.tree.files.get(number) else { continue };
            let at = self.tree.files.get(by).map_or(0, |f| {
                let name = path.rsplit('/').next().unwrap_or(&path);
                u32::try_from(f.text().find(name).unwrap_or(0)).unwrap_or(0)
            });
            let script = Some(Language::JavaScript);
            // Style sheets and pictures are imported by bundlers; only what is text may be code.
            if !matches!(
                path.rsplit('.').next(),
                Some(
                    "css"
                        | "scss"
                        | "less"
                        | "svg"
                        | "html"
                        | "md"
                        | "txt"
                        | "graphql"
                        | "vue"
                        | "wasm"
                )
            ) {
                self.odd_file(
                    file,
                    number,
                    from,
                    (by, at),
                    script,
                    None,
                    true,
                    &mut next,
                    missed,
                    announce,
                );
            }
        }
        let (commands, runs) = match self.waves.all.get(wave) {
            Some((_, followed)) => (followed.commands.clone(), followed.runs.clone()),
            None => (BTreeMap::new(), BTreeMap::new()),
        };
        for ((module, at, line), how) in commands {
            let from = (wave, module);
            let Some(unit) = self.waves.unit(from) else { continue };
            let (file, at) = (unit.file, unit.place(at));
            self.waves.started.push(Started {
                from,
                at,
                line: line.clone(),
                detached: how.detached,
                on_load: how.on_load,
            });
            if line.trim().is_empty() || !self.seen.insert((file, at, line.clone())) {
                continue;
            }
            self.later += 1;
            let (module, error) = crate::shell::lower(&line);
            if error.is_some() {
                unparsable(self.tree, file, missed);
            }
            let unit = Unit { file, at: Some(at), language: Language::Shell, spans: Vec::new() };
            next.push(Next {
                unit,
                module,
                from: Some((from, how.on_load)),
                fires: None,
                point: None,
            });
        }
        for ((module, at, runs), on_load) in runs {
            let from = (wave, module);
            let Some(unit) = self.waves.unit(from) else { continue };
            let (file, at) = (unit.file, unit.place(at));
            match runs {
                Runs::Code(program, text) => {
                    if !self.seen.insert((file, at, text.clone())) {
                        continue;
                    }
                    self.later += 1;
                    let (language, (module, error)) = match language_of(&program) {
                        Some(Language::Python) => (Language::Python, crate::python::lower(&text)),
                        Some(Language::JavaScript) => {
                            (Language::JavaScript, crate::javascript::lower(&text, false))
                        }
                        Some(Language::Shell) => (Language::Shell, crate::shell::lower(&text)),
                        None => {
                            let name = self
                                .tree
                                .files
                                .get(file)
                                .map(|f| f.path.clone())
                                .unwrap_or_default();
                            missed.push(Missed {
                                file: name,
                                reason: format!("code of `{program}` inside a command is not read"),
                            });
                            continue;
                        }
                    };
                    if error.is_some() {
                        unparsable(self.tree, file, missed);
                    }
                    let unit = Unit { file, at: Some(at), language, spans: Vec::new() };
                    next.push(Next {
                        unit,
                        module,
                        from: Some((from, on_load)),
                        fires: None,
                        point: None,
                    });
                }
                Runs::File(program, path) => {
                    self.file_runs(
                        from,
                        (file, at),
                        &program,
                        &path,
                        on_load,
                        &mut next,
                        missed,
                        announce,
                    );
                }
            }
        }
        if self.later > LATER_MAX {
            let reason = "commands that start commands, over a limit".to_owned();
            missed.push(Missed { file: ".".to_owned(), reason });
            next.clear();
        }
        next
    }

    fn number_of(&self, path: &str) -> Option<usize> {
        self.tree
            .files
            .binary_search_by(|f| f.path.as_str().cmp(path))
            .ok()
            .or_else(|| self.tree.file(path))
    }

    /// A point runs a file as it is.
    fn point_runs(
        &mut self,
        nth: usize,
        point: &Point,
        run: &str,
        next: &mut Vec<Next>,
        missed: &mut Vec<Missed>,
        announce: &mut dyn FnMut(&str),
    ) {
        let here = self.tree.files.get(point.file).map(|f| f.path.clone()).unwrap_or_default();
        let path = if self.files.has(run) {
            Some(run.to_owned())
        } else {
            self.files.from_command(&here, run)
        };
        let Some(number) = path.and_then(|p| self.number_of(&p)) else { return };
        let is_built = |f: &File| f.name().ends_with(".rs") || f.name().ends_with(".go");
        if self.tree.files.get(number).is_some_and(is_built) {
            let fires = self.waves.built.entry(number).or_insert(point.fires);
            *fires = (*fires).min(point.fires);
            return;
        }
        let known: Vec<Id> = [Language::Python, Language::JavaScript, Language::Shell]
            .iter()
            .filter_map(|l| self.by_file.get(&(number, *l)).copied())
            .collect();
        for id in &known {
            let fires = self.waves.earliest.entry(*id).or_insert(point.fires);
            *fires = (*fires).min(point.fires);
        }
        let Some(file) = self.tree.files.get(number).filter(|_| known.is_empty()) else { return };
        let from = self.by_point.get(&nth).copied().unwrap_or((0, usize::MAX));
        self.odd_file(
            file,
            number,
            from,
            (point.file, point.at),
            None,
            Some(point.fires),
            true,
            next,
            missed,
            announce,
        );
    }

    /// Something runs a file.
    #[expect(clippy::too_many_arguments, reason = "where from, what, and where to")]
    fn file_runs(
        &mut self,
        from: Id,
        (by, at): (usize, u32),
        program: &str,
        path: &str,
        on_load: bool,
        next: &mut Vec<Next>,
        missed: &mut Vec<Missed>,
        announce: &mut dyn FnMut(&str),
    ) {
        let here = self.tree.files.get(by).map(|f| f.path.clone()).unwrap_or_default();
        if program == "go" {
            let folder = self.files.from_command(&here, path).and_then(|p| self.number_of(&p));
            let inside = path.trim_start_matches("./").trim_end_matches("/...");
            let fires = self.waves.fires_of(from).unwrap_or(Fires::Build);
            let all = self.tree.files.iter().enumerate().filter(|(_, f)| f.name().ends_with(".go"));
            let under = all.filter(|(_, f)| f.path.contains(&format!("{inside}/"))).map(|(n, _)| n);
            for number in folder.into_iter().chain(under).collect::<Vec<_>>() {
                self.waves.built.entry(number).or_insert(fires);
            }
            return;
        }
        if matches!(program, "npm" | "make" | "pip") {
            return self.script_runs(from, &here, program, path, on_load);
        }
        let Some(number) = self.files.from_command(&here, path).and_then(|p| self.number_of(&p))
        else {
            return;
        };
        let language = language_of(program);
        let known: Vec<Id> = [Language::Python, Language::JavaScript, Language::Shell]
            .iter()
            .filter(|l| language.is_none_or(|wanted| wanted == **l))
            .filter_map(|l| self.by_file.get(&(number, *l)).copied())
            .collect();
        for id in &known {
            self.waves.edge(from, *id, on_load);
        }
        let Some(file) = self.tree.files.get(number).filter(|_| known.is_empty()) else { return };
        self.odd_file(
            file,
            number,
            from,
            (by, at),
            language,
            None,
            on_load,
            next,
            missed,
            announce,
        );
    }

    /// A file that is run and is not known as code yet.
    #[expect(clippy::too_many_arguments, reason = "where from, what, and where to")]
    fn odd_file(
        &mut self,
        file: &File,
        number: usize,
        from: Id,
        (by, at): (usize, u32),
        language: Option<Language>,
        fires: Option<Fires>,
        on_load: bool,
        next: &mut Vec<Next>,
        missed: &mut Vec<Missed>,
        announce: &mut dyn FnMut(&str),
    ) {
        let is_import = language == Some(Language::JavaScript)
            && self.waves.unit(from).is_some_and(|u| u.language == Language::JavaScript);
        let is_run = !is_import && (language.is_some() || fires.is_some());
        let is_program =
            [&b"\x7fELF"[..], b"MZ", b"\xcf\xfa\xed\xfe"].iter().any(|m| file.bytes.starts_with(m));
        // What is only imported may be a picture for a bundler; what an interpreter is given is taken for code.
        if !is_text(&file.bytes) && !is_program && !is_run {
            return;
        }
        if command::promises_data(&file.path)
            && !self.waves.odd.iter().any(|o| o.file == number && o.at == at)
        {
            self.waves.odd.push(OddRun { file: number, from, by, at });
        }
        let nature = match language {
            Some(Language::Python) => Nature::Python,
            Some(Language::JavaScript) => Nature::JavaScript,
            Some(Language::Shell) => Nature::Shell,
            None if file.bytes.starts_with(b"#!") => nature::script(&file.bytes),
            None if file.name().ends_with(".js") => Nature::JavaScript,
            None if command::promises_data(&file.path) => Nature::Shell,
            None => return,
        };
        if is_program {
            return;
        }
        if !self.seen.insert((number, u32::MAX, format!("{nature:?}"))) {
            return;
        }
        if !fits(file.bytes.len(), &self.limits, &mut self.room) {
            return too_large(file, &self.limits, missed);
        }
        if let Some((language, module, spans)) = code(file, nature, missed, announce) {
            let unit = Unit { file: number, at: None, language, spans };
            next.push(Next { unit, module, from: Some((from, on_load)), fires, point: None });
        }
    }

    /// A script of a package, a target of make, an installation that is started by name.
    fn script_runs(&mut self, from: Id, here: &str, program: &str, name: &str, on_load: bool) {
        let mut to: Vec<Id> = Vec::new();
        for (nth, point) in self.points.iter().enumerate() {
            let file = self.tree.files.get(point.file);
            let holds = |end: &str| file.is_some_and(|f| f.name() == end);
            let is_it = match program {
                "npm" => {
                    let named = point.name.as_deref();
                    let around =
                        named.map(|n| n.trim_start_matches("pre").trim_start_matches("post"));
                    holds("package.json")
                        && (named == Some(name)
                            || around == Some(name)
                            || matches!(name, "install" | "ci" | "i")
                                && point.fires == Fires::Install)
                }
                "make" => {
                    file.is_some_and(|f| f.name().to_lowercase().contains("makefile"))
                        && point.fires == Fires::Build
                }
                _ => holds("setup.py") || holds("pyproject.toml"),
            };
            if !is_it {
                continue;
            }
            to.extend(self.by_point.get(&nth));
            for run in &point.runs {
                let path = if self.files.has(run) {
                    Some(run.clone())
                } else {
                    self.files.from_command(here, run)
                };
                if let Some(number) = path.and_then(|p| self.number_of(&p)) {
                    for language in [Language::Python, Language::JavaScript, Language::Shell] {
                        to.extend(self.by_file.get(&(number, language)));
                    }
                }
            }
        }
        for id in to {
            self.waves.edge(from, id, on_load);
        }
    }
}
