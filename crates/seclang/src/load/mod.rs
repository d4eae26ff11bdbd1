//! Rule files to rules: directives in the order they were read, chains joined, defaults filled in, exclusions applied.
//!
//! Nothing is skipped: a directive, operator, transformation, action or variable that is not known is an error with file,
//! line and caret, and every error is told, not only the first. What is known but can have no effect here (where an audit
//! log goes) is a note. The crate reads no files itself: a [`Reader`] brings them.

#[cfg(feature = "directory")]
pub mod directory;
mod operators;
mod settings;
mod updates;

use std::collections::HashMap;

use crate::error::Problem;
use crate::lex::{Directive, File, Word, directives};
use crate::rule::actions::{self, Actions};
use crate::rule::{Condition, Disruption, EngineMode, Phase, Rule, Targets, targets};
use crate::run::Rules;
pub use settings::{Exclusion, GateUse, Settings};

/// Deepest nesting of `Include`.
const INCLUDE_DEPTH_MAX: usize = 8;

/// Most rules that are loaded.
const RULES_MAX: usize = 20_000;

/// Most mistakes that are told.
const PROBLEMS_MAX: usize = 100;

/// Brings what rule files name.
pub trait Reader {
    /// The files that a pattern of `Include` in the file `from` means, in order.
    ///
    /// # Errors
    /// One sentence.
    fn include(&self, from: &str, pattern: &str) -> Result<Vec<File>, String>;

    /// The content of a data file that an operator in the file `from` names.
    ///
    /// # Errors
    /// One sentence.
    fn data(&self, from: &str, name: &str) -> Result<Vec<u8>, String>;
}

/// Rules, and what is worth knowing about them.
#[derive(Debug)]
pub struct Loaded {
    /// The rules, ready to judge.
    pub rules: Rules,
    /// What was understood but has no or another effect here.
    pub notes: Vec<Problem>,
}

/// What stands in the rule files, in order.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    Rule(Box<Rule>),
    Marker(String),
}

/// Loads rules from files.
///
/// # Errors
/// Every mistake, in the order of the files.
pub fn load(files: &[File], reader: &dyn Reader, settings: &Settings) -> Result<Loaded, Vec<Problem>> {
    let mut loading = Loading {
        reader,
        settings,
        settings_done: false,
        items: Vec::new(),
        open_chain: None,
        defaults: HashMap::new(),
        seen_ids: HashMap::new(),
        mode: EngineMode::On,
        updates: Vec::new(),
        notes: Vec::new(),
        problems: Vec::new(),
        response_types: None,
    };
    for file in files {
        loading.file(file, 0);
    }
    loading.settings_before_rules();
    loading.file(&File::new("exclusions of the configuration", &settings.after()), 0);
    loading.close_chain();
    let updates = std::mem::take(&mut loading.updates);
    for update in updates {
        if let Err(problem) = update.apply(&mut loading.items) {
            loading.problems.push(problem);
        }
    }
    let Loading { items, mode, notes, mut problems, response_types, .. } = loading;
    if !problems.is_empty() {
        let dropped = problems.len().saturating_sub(PROBLEMS_MAX);
        problems.truncate(PROBLEMS_MAX);
        if dropped > 0 {
            problems.push(Problem::of_file("rules", format!("{dropped} more mistakes are not shown"), ""));
        }
        return Err(problems);
    }
    match Rules::compile(items, mode, response_types, settings.gate) {
        Ok(rules) => Ok(Loaded { rules, notes }),
        Err(problems) => Err(problems),
    }
}

struct Loading<'r> {
    reader: &'r dyn Reader,
    settings: &'r Settings,
    settings_done: bool,
    items: Vec<Item>,
    /// A rule whose chain goes on with the next one.
    open_chain: Option<(Box<Rule>, Word)>,
    defaults: HashMap<Phase, Actions>,
    seen_ids: HashMap<u32, crate::error::Position>,
    mode: EngineMode,
    updates: Vec<updates::Update>,
    notes: Vec<Problem>,
    problems: Vec<Problem>,
    response_types: Option<Vec<String>>,
}

impl Loading<'_> {
    fn file(&mut self, file: &File, depth: usize) {
        let base = file.name.rsplit(['/', '\\']).next().unwrap_or_default();
        // The set-up and the exclusions before the rules come first, then what the configuration says, then the rules.
        if base.starts_with("REQUEST-9") && !base.starts_with("REQUEST-900") {
            self.settings_before_rules();
        }
        let (found, mut problems) = directives(file);
        self.problems.append(&mut problems);
        for directive in &found {
            if let Err(problem) = self.directive(file, directive, depth) {
                self.problems.push(problem);
            }
        }
    }

    fn settings_before_rules(&mut self) {
        if !std::mem::replace(&mut self.settings_done, true) {
            let text = self.settings.before();
            self.file(&File::new("settings of the configuration", &text), 0);
        }
    }

    fn close_chain(&mut self) {
        if let Some((_, word)) = self.open_chain.take() {
            let message = "the chain has no next rule".to_owned();
            self.problems.push(word.problem(0, message, "take out `chain`, or write the next `SecRule`"));
        }
    }

    fn directive(&mut self, file: &File, directive: &Directive, depth: usize) -> Result<(), Problem> {
        let name = directive.name.text.to_ascii_lowercase();
        if !matches!(name.as_str(), "secrule" | "secaction") {
            self.close_chain();
        }
        match name.as_str() {
            "secrule" => self.rule(file, directive),
            "secaction" => self.action(directive),
            "secmarker" => {
                let marker = argument(directive, 0)?.text.clone();
                self.items.push(Item::Marker(marker));
                Ok(())
            }
            "secdefaultaction" => {
                let word = argument(directive, 0)?;
                let actions = actions::parse(word, &mut self.notes)?;
                let phase = actions.phase.ok_or_else(|| {
                    word.problem(0, "the phase is missing".to_owned(), "write `phase:2` among the default actions")
                })?;
                self.defaults.insert(phase, actions);
                Ok(())
            }
            "secruleengine" => {
                let word = argument(directive, 0)?;
                let help = "write `On`, `Off` or `DetectionOnly`";
                let mode = actions::engine_mode(&word.text);
                self.mode = mode.ok_or_else(|| word.problem(0, format!("unknown mode `{}`", word.text), help))?;
                Ok(())
            }
            "secresponsebodymimetype" => {
                let types = directive.arguments.iter().map(|word| word.text.to_ascii_lowercase());
                self.response_types.get_or_insert_default().extend(types);
                Ok(())
            }
            "include" | "includeoptional" => self.include(file, directive, depth, name == "includeoptional"),
            "secruleremovebyid"
            | "secruleremovebytag"
            | "secruleremovebymsg"
            | "secruleupdatetargetbyid"
            | "secruleupdatetargetbytag"
            | "secruleupdatetargetbymsg"
            | "secruleupdateactionbyid" => {
                self.updates.push(updates::parse(&name, directive, &mut self.notes)?);
                Ok(())
            }
            _ => self.setting(&name, directive),
        }
    }

    /// Directives that set something which others keep in their engine: known, and without effect here.
    fn setting(&mut self, name: &str, directive: &Directive) -> Result<(), Problem> {
        if matches!(name, "seccomponentsignature" | "seccollectiontimeout" | "secwebappid" | "secserversignature") {
            return Ok(());
        }
        if WITHOUT_EFFECT.contains(&name) {
            let message = format!("`{}` has no effect here", directive.name.text);
            let help = "limits, logs and bodies are set in the gateway's configuration";
            self.notes.push(directive.name.problem(0, message, help));
            return Ok(());
        }
        if NOT_CARRIED_OUT.contains(&name) {
            let message = format!("`{}` is not carried out here", directive.name.text);
            return Err(directive.name.problem(0, message, "judging starts no scripts and writes into no message"));
        }
        let message = format!("unknown directive `{}`", directive.name.text);
        Err(directive.name.problem(0, message, "see the list in docs/crs.md"))
    }

    fn include(&mut self, file: &File, directive: &Directive, depth: usize, optional: bool) -> Result<(), Problem> {
        let word = argument(directive, 0)?;
        if depth >= INCLUDE_DEPTH_MAX {
            return Err(word.problem(0, format!("files include each other more than {INCLUDE_DEPTH_MAX} deep"), ""));
        }
        let found = self.reader.include(&file.name, &word.text);
        let found = found.map_err(|error| word.problem(0, error, ""))?;
        if found.is_empty() && !optional {
            let message = format!("no file is meant by `{}`", word.text);
            return Err(word.problem(0, message, "write `IncludeOptional` where there may be none"));
        }
        for file in &found {
            self.file(file, depth + 1);
        }
        Ok(())
    }

    fn rule(&mut self, file: &File, directive: &Directive) -> Result<(), Problem> {
        if let Some(extra) = directive.arguments.get(3) {
            let help = "`SecRule` has variables, an operator and actions; quotes inside quotes need a backslash";
            return Err(extra.problem(0, "an argument too many".to_owned(), help));
        }
        let targets = targets::parse(argument(directive, 0)?, &mut self.notes)?;
        let word = argument(directive, 1)?;
        let data = |name: &str| self.reader.data(&file.name, name);
        let (operator, negated) = operators::parse(word, &data, &mut self.notes)?;
        let actions = match directive.arguments.get(2) {
            Some(word) => actions::parse(word, &mut self.notes)?,
            None => Actions::default(),
        };
        let condition = Condition {
            targets,
            operator: Some(operator),
            negated,
            transforms: Vec::new(),
            multi_match: actions.multi_match,
            capture: actions.capture,
            set: Vec::new(),
            controls: Vec::new(),
        };
        self.add(directive, actions, condition)
    }

    fn action(&mut self, directive: &Directive) -> Result<(), Problem> {
        let actions = actions::parse(argument(directive, 0)?, &mut self.notes)?;
        let condition = Condition {
            targets: Targets::default(),
            operator: None,
            negated: false,
            transforms: Vec::new(),
            multi_match: false,
            capture: false,
            set: Vec::new(),
            controls: Vec::new(),
        };
        self.add(directive, actions, condition)
    }

    /// Joins a condition to the open chain or begins a rule.
    fn add(&mut self, directive: &Directive, actions: Actions, mut condition: Condition) -> Result<(), Problem> {
        let goes_on = actions.chain;
        if let Some((mut rule, word)) = self.open_chain.take() {
            condition.transforms.clone_from(&actions.transforms);
            condition.set = actions.set;
            condition.controls = actions.controls;
            rule.conditions.push(condition);
            if rule.message.is_none() {
                rule.message = actions.message;
            }
            if goes_on {
                self.open_chain = Some((rule, word));
            } else {
                self.items.push(Item::Rule(rule));
            }
            return Ok(());
        }
        if self.items.len() >= RULES_MAX {
            return Err(directive.name.problem(0, format!("more than {RULES_MAX} rules"), ""));
        }
        let rule = self.begin(directive, actions, condition)?;
        if goes_on {
            self.open_chain = Some((Box::new(rule), directive.name.clone()));
        } else {
            self.items.push(Item::Rule(Box::new(rule)));
        }
        Ok(())
    }

    fn begin(&mut self, directive: &Directive, actions: Actions, mut condition: Condition) -> Result<Rule, Problem> {
        let phase = actions.phase.unwrap_or(Phase::RequestBody);
        let position = directive.name.position();
        let id = actions.id.unwrap_or(0);
        if id == 0 && condition.operator.is_some() {
            let help = "write `id:NUMBER` among the actions; exclusions and findings name rules by it";
            return Err(directive.name.problem(0, "the rule has no `id`".to_owned(), help));
        }
        if let Some(other) = self.seen_ids.insert(id, position.clone()).filter(|_| id != 0) {
            return Err(directive.name.problem(0, format!("the rule number {id} is taken at {other}"), ""));
        }
        let default = self.defaults.get(&phase);
        let inherited = default.filter(|_| !actions.transforms_reset).map_or(&[][..], |default| &default.transforms);
        condition.transforms = [inherited, &actions.transforms].concat();
        condition.set = actions.set;
        condition.controls = actions.controls;
        let written = actions.disruption.unwrap_or(Disruption::Block);
        // `block`, also where nothing is written, is what the default action of the phase says.
        let disruption = match written {
            Disruption::Block => match default.and_then(|default| default.disruption) {
                Some(Disruption::Block) | None => Disruption::Pass,
                Some(own) => own,
            },
            own => own,
        };
        Ok(Rule {
            id,
            phase,
            conditions: vec![condition],
            disruption,
            status: actions.status.or_else(|| default.and_then(|default| default.status)),
            message: actions.message,
            tags: actions.tags,
            severity: actions.severity,
            logs: actions.logs.or_else(|| default.and_then(|default| default.logs)).unwrap_or(true),
            jump: actions.jump,
            position,
        })
    }
}

fn argument(directive: &Directive, at: usize) -> Result<&Word, Problem> {
    directive.arguments.get(at).ok_or_else(|| {
        let message = format!("`{}` has too few arguments", directive.name.text);
        directive.name.problem(0, message, "it needs a value behind it")
    })
}

/// Directives that are understood and set what is set elsewhere here, in small letters.
const WITHOUT_EFFECT: &[&str] = &[
    "secargumentseparator",
    "secargumentslimit",
    "secauditengine",
    "secauditlog",
    "secauditlog2",
    "secauditlogdirmode",
    "secauditlogfilemode",
    "secauditlogformat",
    "secauditlogparts",
    "secauditlogrelevantstatus",
    "secauditlogstoragedir",
    "secauditlogtype",
    "seccachetransformations",
    "secconnengine",
    "seccookieformat",
    "seccookiev0separator",
    "secdatadir",
    "secdebuglog",
    "secdebugloglevel",
    "secgeolookupdb",
    "secguardianlog",
    "sechttpblkey",
    "secinterceptonerror",
    "secpcrematchlimit",
    "secpcrematchlimitrecursion",
    "secreadstatelimit",
    "secrequestbodyaccess",
    "secrequestbodyinmemorylimit",
    "secrequestbodyjsondepthlimit",
    "secrequestbodylimit",
    "secrequestbodylimitaction",
    "secrequestbodynofileslimit",
    "secresponsebodyaccess",
    "secresponsebodylimit",
    "secresponsebodylimitaction",
    "secruleperftime",
    "secsensorid",
    "secstatusengine",
    "secstreaminbodyinspection",
    "secstreamoutbodyinspection",
    "sectmpdir",
    "sectmpsaveuploadedfiles",
    "secunicodemap",
    "secunicodemapfile",
    "secuploaddir",
    "secuploadfilelimit",
    "secuploadfilemode",
    "secuploadkeepfiles",
    "secwritestatelimit",
    "secxmlexternalentity",
];

/// Directives that would start programs, fetch rules or change messages.
const NOT_CARRIED_OUT: &[&str] = &[
    "seccontentinjection",
    "sechashengine",
    "sechashkey",
    "sechashmethodpm",
    "sechashmethodrx",
    "sechashparam",
    "secremoterules",
    "secremoterulesfailaction",
    "secruleinheritance",
    "secrulescript",
];
