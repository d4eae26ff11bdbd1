//! The last argument of a rule: what it is and what it does when it matches.

use std::sync::Arc;

use super::{
    Allowed, BodyProcessor, Change, Control, Disruption, EngineMode, Jump, Phase, SetVariable, Severity, Target, Which,
    targets,
};
use crate::error::Problem;
use crate::expand::Text;
use crate::lex::Word;
use crate::pattern::Pattern;
use crate::transform::Transform;
use crate::variable::Variable;

/// Most actions of one rule.
const ACTIONS_MAX: usize = 200;

/// The actions of one rule or chain link, in the order that matters.
#[derive(Clone, Debug, Default)]
pub struct Actions {
    /// `id`.
    pub id: Option<u32>,
    /// `phase`.
    pub phase: Option<Phase>,
    /// `t`, in order.
    pub transforms: Vec<Transform>,
    /// `t:none` was there: transformations of the default action do not count.
    pub transforms_reset: bool,
    /// `multiMatch`.
    pub multi_match: bool,
    /// `capture`.
    pub capture: bool,
    /// `chain`.
    pub chain: bool,
    /// `setvar`.
    pub set: Vec<SetVariable>,
    /// `ctl`.
    pub controls: Vec<Control>,
    /// `pass`, `block`, `deny`, `drop`, `allow`, `redirect`, `proxy`.
    pub disruption: Option<Disruption>,
    /// `status`.
    pub status: Option<u16>,
    /// `msg`.
    pub message: Option<Text>,
    /// `tag`.
    pub tags: Vec<Arc<str>>,
    /// `severity`.
    pub severity: Option<Severity>,
    /// `log` or `nolog`.
    pub logs: Option<bool>,
    /// `skipAfter`, `skip`.
    pub jump: Option<Jump>,
}

/// One action as written.
struct Written<'w> {
    word: &'w Word,
    name: String,
    name_at: usize,
    value: String,
    value_at: usize,
}

impl Written<'_> {
    fn wrong(&self, message: String, help: &str) -> Problem {
        self.word.problem(self.value_at, message, help)
    }

    fn number<T: std::str::FromStr>(&self) -> Result<T, Problem> {
        self.value.trim().parse().map_err(|_| self.wrong(format!("`{}` is no number that fits", self.value), ""))
    }

    fn text(&self) -> Result<Text, Problem> {
        Text::parse(&self.value).map_err(|(at, name)| {
            self.word.problem(self.value_at + at, format!("unknown variable `{name}`"), "see the list in docs/crs.md")
        })
    }
}

/// Reads actions.
pub fn parse(word: &Word, notes: &mut Vec<Problem>) -> Result<Actions, Problem> {
    let mut actions = Actions::default();
    for (count, written) in split(word)?.into_iter().enumerate() {
        if count >= ACTIONS_MAX {
            return Err(word.problem(written.name_at, format!("more than {ACTIONS_MAX} actions"), ""));
        }
        one(&mut actions, &written, notes)?;
    }
    Ok(actions)
}

/// Splits at commas that stand in no single quotes; a backslash keeps a quote inside.
fn split(word: &Word) -> Result<Vec<Written<'_>>, Problem> {
    let mut found = Vec::new();
    let mut letters = word.text.char_indices().peekable();
    while letters.peek().is_some() {
        while letters.next_if(|(_, letter)| letter.is_whitespace() || *letter == ',').is_some() {}
        let Some(&(name_at, _)) = letters.peek() else { break };
        let mut written = Written { word, name: String::new(), name_at, value: String::new(), value_at: name_at };
        while let Some((_, letter)) = letters.next_if(|(_, letter)| !matches!(letter, ':' | ',')) {
            written.name.push(letter);
        }
        written.name = written.name.trim().to_owned();
        if letters.next_if(|(_, letter)| *letter == ':').is_some() {
            while letters.next_if(|(_, letter)| letter.is_whitespace()).is_some() {}
            written.value_at = letters.peek().map_or(word.text.len(), |(at, _)| *at);
            let quoted = letters.next_if(|(_, letter)| *letter == '\'').is_some();
            written.value_at += usize::from(quoted);
            let mut closed = !quoted;
            while let Some(&(_, letter)) = letters.peek() {
                if !quoted && letter == ',' {
                    break;
                }
                letters.next();
                if quoted && letter == '\\' && letters.next_if(|(_, next)| *next == '\'').is_some() {
                    written.value.push('\'');
                } else if quoted && letter == '\'' {
                    closed = true;
                    break;
                } else {
                    written.value.push(letter);
                }
            }
            if !closed {
                return Err(word.problem(written.value_at, "the quote ' is never closed".to_owned(), ""));
            }
            if !quoted {
                written.value.truncate(written.value.trim_end().len());
            }
        }
        found.push(written);
    }
    Ok(found)
}

fn one(actions: &mut Actions, written: &Written<'_>, notes: &mut Vec<Problem>) -> Result<(), Problem> {
    let value = written.value.as_str();
    match written.name.to_ascii_lowercase().as_str() {
        "id" => actions.id = Some(written.number()?),
        "phase" => {
            let phase = Phase::from_text(value);
            let help = "a phase is 1 to 5, `request`, `response` or `logging`";
            actions.phase = Some(phase.ok_or_else(|| written.wrong(format!("unknown phase `{value}`"), help))?);
        }
        "t" if value.eq_ignore_ascii_case("none") => {
            actions.transforms.clear();
            actions.transforms_reset = true;
        }
        "t" => {
            let transform = Transform::from_name(value);
            let help = "see the list in docs/crs.md";
            actions
                .transforms
                .push(transform.ok_or_else(|| written.wrong(format!("unknown transformation `{value}`"), help))?);
        }
        "multimatch" => actions.multi_match = true,
        "capture" => actions.capture = true,
        "chain" => actions.chain = true,
        "setvar" => actions.set.push(set_variable(written)?),
        "ctl" => actions.controls.push(control(written, notes)?),
        "pass" => actions.disruption = Some(Disruption::Pass),
        "block" => actions.disruption = Some(Disruption::Block),
        "deny" | "drop" => actions.disruption = Some(Disruption::Deny),
        "redirect" | "proxy" => {
            actions.disruption = Some(Disruption::Deny);
            let message = format!("`{}` refuses the exchange", written.name);
            notes.push(written.word.problem(written.name_at, message, "nobody is sent elsewhere"));
        }
        "allow" => actions.disruption = Some(Disruption::Allow(allowed(written)?)),
        "status" => actions.status = Some(written.number::<u16>()?),
        "msg" => actions.message = Some(written.text()?),
        "tag" => actions.tags.push(value.into()),
        "severity" => {
            let severity = Severity::from_text(value);
            let help = "a severity is 0 to 7 or one of EMERGENCY, ALERT, CRITICAL, ERROR, WARNING, NOTICE, INFO, DEBUG";
            actions.severity =
                Some(severity.ok_or_else(|| written.wrong(format!("unknown severity `{value}`"), help))?);
        }
        "log" => actions.logs = Some(true),
        "nolog" => actions.logs = Some(false),
        "skipafter" => actions.jump = Some(Jump::After(value.to_owned())),
        "skip" => actions.jump = Some(Jump::Over(written.number()?)),
        // Evidence never holds values, so what is logged of them is checked for its form only.
        "logdata" => drop(written.text()?),
        "auditlog"
        | "noauditlog"
        | "ver"
        | "rev"
        | "maturity"
        | "accuracy"
        | "deprecatevar"
        | "expirevar"
        | "xmlns"
        | "sanitisearg"
        | "sanitisematched"
        | "sanitisematchedbytes"
        | "sanitiserequestheader"
        | "sanitiseresponseheader"
        | "append"
        | "prepend"
        | "setenv" => {}
        "initcol" | "setsid" | "setuid" | "setrsc" => {
            let message = format!("`{}` keeps nothing: collections last for one exchange only", written.name);
            let help = "limits over many requests belong to the stage `rate`";
            notes.push(written.word.problem(written.name_at, message, help));
        }
        "exec" | "pause" => {
            let message = format!("the action `{}` is not carried out here", written.name);
            return Err(written.word.problem(written.name_at, message, "judging never waits and starts no program"));
        }
        _ => {
            let message = format!("unknown action `{}`", written.name);
            return Err(written.word.problem(written.name_at, message, "see the list in docs/crs.md"));
        }
    }
    Ok(())
}

fn allowed(written: &Written<'_>) -> Result<Allowed, Problem> {
    match written.value.to_ascii_lowercase().as_str() {
        "" => Ok(Allowed::Everything),
        "phase" => Ok(Allowed::Phase),
        "request" => Ok(Allowed::Request),
        other => {
            Err(written.wrong(format!("unknown reach `{other}` of `allow`"), "write `phase`, `request` or nothing"))
        }
    }
}

/// `tx.name=value`, `tx.name=+1`, `!tx.name`, `tx.name`.
fn set_variable(written: &Written<'_>) -> Result<SetVariable, Problem> {
    let (unset, rest) = match written.value.strip_prefix('!') {
        Some(rest) => (true, rest),
        None => (false, written.value.as_str()),
    };
    let (target, value) = rest.split_once('=').map_or((rest, None), |(target, value)| (target, Some(value)));
    let Some((collection, name)) = target.split_once(['.', ':']) else {
        return Err(written.wrong(format!("`{target}` names no variable of a collection"), "write it as `tx.name`"));
    };
    let known = Variable::from_name(collection.trim());
    let Some(collection) = known.filter(|known| *known == Variable::Tx || known.is_persistent()) else {
        return Err(written.wrong(format!("nothing can be set in `{collection}`"), "write `tx.name=value`"));
    };
    let text = |text: &str| {
        Text::parse(text).map_err(|(_, name)| written.wrong(format!("unknown variable `{name}`"), "see docs/crs.md"))
    };
    let value = value.map(str::trim_start);
    let change = match value {
        _ if unset => Change::Unset,
        None => Change::Set(text("1")?),
        Some(value) => match (value.strip_prefix('+'), value.strip_prefix('-')) {
            (Some(value), _) => Change::Add(text(value)?),
            (_, Some(value)) => Change::Subtract(text(value)?),
            _ => Change::Set(text(value)?),
        },
    };
    Ok(SetVariable { collection, name: text(&name.trim().to_ascii_lowercase())?, change })
}

fn control(written: &Written<'_>, notes: &mut Vec<Problem>) -> Result<Control, Problem> {
    let (name, value) = written.value.split_once('=').unwrap_or((&written.value, ""));
    let at = written.value_at + name.len() + 1;
    let wrong = |message: String, help: &str| written.word.problem(at, message, help);
    let on = || match value.to_ascii_lowercase().as_str() {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(wrong(format!("`{value}` is neither `On` nor `Off`"), "")),
    };
    Ok(match name.trim().to_ascii_lowercase().as_str() {
        "ruleremovebyid" => Control::Remove(Which::Ids(vec![range(value).ok_or_else(|| {
            wrong(format!("`{value}` is no rule number"), "write one, or a range such as 942000-942999")
        })?])),
        "ruleremovebytag" => Control::Remove(Which::Tag(selector(value).map_err(|error| wrong(error, ""))?)),
        "ruleremovebymsg" => Control::Remove(Which::Message(selector(value).map_err(|error| wrong(error, ""))?)),
        by @ ("ruleremovetargetbyid" | "ruleremovetargetbytag" | "ruleremovetargetbymsg") => {
            let (which, target) = value
                .split_once(';')
                .ok_or_else(|| wrong(format!("`{value}` names no target"), "write it as `942100;ARGS:name`"))?;
            let pattern = || selector(which).map_err(|error| wrong(error, ""));
            let rules = match by {
                "ruleremovetargetbytag" => Which::Tag(pattern()?),
                "ruleremovetargetbymsg" => Which::Message(pattern()?),
                _ => Which::Ids(vec![range(which).ok_or_else(|| wrong(format!("`{which}` is no rule number"), ""))?]),
            };
            Control::RemoveTarget(rules, single_target(written.word, at, target, notes)?)
        }
        "ruleengine" => Control::Engine(
            engine_mode(value)
                .ok_or_else(|| wrong(format!("unknown mode `{value}`"), "write `On`, `Off` or `DetectionOnly`"))?,
        ),
        "requestbodyprocessor" => Control::BodyProcessor(BodyProcessor::from_name(value).ok_or_else(|| {
            wrong(format!("unknown body processor `{value}`"), "write URLENCODED, MULTIPART, JSON or XML")
        })?),
        "forcerequestbodyvariable" if on()? => Control::ForceRequestBody,
        "requestbodyaccess" => Control::BodyAccess { response: false, on: on()? },
        "responsebodyaccess" => Control::BodyAccess { response: true, on: on()? },
        "forcerequestbodyvariable"
        | "auditengine"
        | "auditlogparts"
        | "debugloglevel"
        | "requestbodylimit"
        | "responsebodylimit"
        | "hashengine"
        | "hashenforcement" => Control::Nothing,
        _ => {
            let message = format!("unknown control `{name}`");
            return Err(written.wrong(message, "see the list in docs/crs.md"));
        }
    })
}

/// Tags and messages are searched for as patterns.
pub fn selector(text: &str) -> Result<Pattern, String> {
    Pattern::new(text.trim_matches(['"', '\''])).map_err(|(_, error)| format!("the pattern `{text}` is wrong: {error}"))
}

/// A target of `ctl`: the part behind the semicolon.
fn single_target(word: &Word, at: usize, text: &str, notes: &mut Vec<Problem>) -> Result<Target, Problem> {
    let mut alone = word.clone();
    alone.text = text.trim_start_matches('!').to_owned();
    let parsed = targets::parse(&alone, notes).map_err(|problem| word.problem(at, problem.message, &problem.help))?;
    let help = "write one variable, such as `ARGS:name`";
    parsed.wanted.into_iter().next().ok_or_else(|| word.problem(at, format!("`{text}` is no target"), help))
}

/// A rule number, or two with a dash between.
pub fn range(text: &str) -> Option<(u32, u32)> {
    let text = text.trim().trim_matches(['"', '\'']);
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
    (from <= to).then_some((from, to))
}

/// The mode of `SecRuleEngine` and `ctl:ruleEngine`.
pub fn engine_mode(text: &str) -> Option<EngineMode> {
    match text.to_ascii_lowercase().as_str() {
        "on" => Some(EngineMode::On),
        "off" => Some(EngineMode::Off),
        "detectiononly" => Some(EngineMode::DetectionOnly),
        _ => None,
    }
}
