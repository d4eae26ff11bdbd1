//! Fragments of SQL grammar over tokens, and what they weigh.

use super::super::family::Weight;
use super::super::text::Text;
use super::token::{Inside, Kind, Token, tokens};
use crate::values::Spot;

/// Most tokens read of one text; an injection has done its work long before.
const TOKENS_MAX: usize = 20_000;

/// Texts with more tokens are judged by their fragments only.
const WHOLE_TOKENS_MAX: usize = 96;

/// What statements make, change and drop.
const OBJECTS: &[&str] =
    &["table", "database", "user", "view", "schema", "function", "procedure", "index", "login", "role", "trigger"];

/// The tokens of a text in one context, without the comments between them.
struct Stream<'t> {
    low: &'t [u8],
    tokens: Vec<Token>,
    /// Where the word `from` stands among the tokens.
    froms: Vec<u32>,
    /// A comment stands behind the last token.
    ends_in_comment: Option<&'t [u8]>,
    /// Comments between tokens, empty ones in the place of spaces.
    glue_comments: usize,
    /// Comments that some database reads (`/*+ ... */`).
    hints: usize,
    /// The value left a string.
    breaks: bool,
    prose: bool,
}

/// Weighs a text in one context. `None` when it does not leave the string it is taken to stand in.
pub(super) fn weigh(text: &Text<'_>, inside: Inside) -> Option<Weight> {
    let all = tokens(text.low, inside)?;
    let mut stream = Stream {
        low: text.low,
        tokens: Vec::with_capacity(all.len().min(TOKENS_MAX)),
        froms: Vec::new(),
        ends_in_comment: None,
        glue_comments: 0,
        hints: 0,
        breaks: inside != Inside::Bare,
        prose: text.prose || is_shown(text),
    };
    let last = all.len().saturating_sub(1);
    for (at, token) in all.iter().take(TOKENS_MAX).enumerate() {
        stream.hints += usize::from(token.kind == Kind::Comment && token.of(text.low).starts_with(b"/*+"));
        match token.kind {
            Kind::Comment if at == last => stream.ends_in_comment = Some(token.of(text.low)),
            Kind::Comment => {
                stream.glue_comments += usize::from(token.end - token.start >= 4 && !stream.tokens.is_empty())
            }
            _ => {
                if token.kind == Kind::Word && token.of(text.low) == b"from" {
                    stream.froms.push(stream.tokens.len() as u32);
                }
                stream.tokens.push(*token);
            }
        }
    }
    let mut weight = Weight::default();
    // Only tokens that can begin a fragment are looked at; most words of a text begin none.
    for at in 0..stream.tokens.len() {
        // Right behind the string that was left a statement may be wrapped in signs.
        if at <= 3 && stream.kind(at) != Some(Kind::Word) {
            stream.clause(at, &mut weight);
        }
        match stream.kind(at) {
            Some(Kind::Logic) => stream.condition(at, &mut weight),
            Some(Kind::Semicolon) => stream.stacked(at, &mut weight),
            Some(Kind::Version) => stream.version_comment(at, &mut weight),
            Some(Kind::Word) => match stream.text(at) {
                b"union" | b"intersect" | b"except" | b"minus" => stream.union_select(at, &mut weight),
                b"or" | b"and" | b"xor" => stream.condition(at, &mut weight),
                b"select" => {
                    stream.subquery(at, &mut weight);
                    stream.clause(at, &mut weight);
                }
                word if at <= 3 || begins_clause(word) => stream.clause(at, &mut weight),
                _ => {}
            },
            _ => {}
        }
    }
    stream.after_break(&mut weight);
    if inside == Inside::Bare && !stream.prose && stream.tokens.len() <= WHOLE_TOKENS_MAX {
        stream.whole(text, &mut weight);
    }
    if stream.hints > 0 && weight.points > 0 {
        weight.add(6, "comment for the optimizer");
    }
    if stream.glue_comments >= 2 && weight.points > 0 {
        weight.add(4, "comments as spaces");
    }
    Some(weight)
}

/// True for a listing in which every line closes the strings that it opens and no comment ends it: a program that somebody
/// shows. What leaves a string has a quote too many or cuts off what follows.
fn is_shown(text: &Text<'_>) -> bool {
    let even = |line: &[u8], quote: u8| memchr::memchr_iter(quote, line).count().is_multiple_of(2);
    let last = text.low.trim_ascii_end().rsplit(|&byte| byte == b'\n').next().unwrap_or_default();
    let cut = last.ends_with(b"--") || last.ends_with(b"#") || last.ends_with(b"/*");
    text.listing && !cut && text.low.split(|&byte| byte == b'\n').all(|line| even(line, b'\'') && even(line, b'"'))
}

impl<'t> Stream<'t> {
    fn kind(&self, at: usize) -> Option<Kind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    fn text(&self, at: usize) -> &'t [u8] {
        self.tokens.get(at).map_or(&[], |token| token.of(self.low))
    }

    fn is(&self, at: usize, words: &[&str]) -> bool {
        self.kind(at) == Some(Kind::Word) && {
            let text = self.text(at);
            words.iter().any(|word| word.as_bytes() == text)
        }
    }

    /// The index behind opening parentheses, signs and version marks.
    fn skip_prefix(&self, mut at: usize) -> usize {
        while matches!(self.kind(at), Some(Kind::Left | Kind::Version | Kind::Operator))
            || self.is(at, &["not", "binary", "distinct", "all", "distinctrow", "top"])
        {
            at += 1;
        }
        at
    }

    /// A literal, a name, a call: where the operand at `at` ends, and whether it is a literal.
    fn operand(&self, at: usize) -> Option<Operand> {
        let at = self.skip_prefix(at);
        let literal = match self.kind(at)? {
            Kind::Number | Kind::String | Kind::Variable => true,
            Kind::Open => return Some(Operand { end: at + 1, literal: true, open: true, called: false, word: false }),
            Kind::Word => self.is(at, &["null", "true", "false"]),
            _ => return None,
        };
        let mut end = at + 1;
        let is_word = self.kind(at) == Some(Kind::Word);
        while self.kind(end) == Some(Kind::Dot) && self.kind(end + 1) == Some(Kind::Word) {
            end += 2;
        }
        let called = is_word && self.kind(end) == Some(Kind::Left);
        if called {
            end = self.closing(end);
        }
        while self.kind(end) == Some(Kind::Right) {
            end += 1;
        }
        Some(Operand { end, literal, open: false, called, word: is_word && !literal })
    }

    /// The index behind the parenthesis that closes the one at `at`; looked for among the next 64 tokens.
    fn closing(&self, at: usize) -> usize {
        let mut depth = 0i32;
        for index in at..self.tokens.len().min(at + 64) {
            match self.kind(index) {
                Some(Kind::Left) => depth += 1,
                Some(Kind::Right) => {
                    depth -= 1;
                    if depth == 0 {
                        return index + 1;
                    }
                }
                _ => {}
            }
        }
        self.tokens.len().min(at + 64)
    }

    fn is_compare(&self, at: usize) -> bool {
        self.kind(at) == Some(Kind::Compare)
            || self.is(
                at,
                &[
                    "like", "rlike", "regexp", "in", "between", "is", "ilike", "similar", "glob", "sounds", "not",
                    "div", "mod",
                ],
            )
    }

    fn is_logic(&self, at: usize) -> bool {
        self.kind(at) == Some(Kind::Logic) || self.is(at, &["or", "and", "xor"])
    }

    /// Nothing follows but parentheses, a semicolon or a comment.
    fn ends_at(&self, mut at: usize) -> bool {
        while matches!(self.kind(at), Some(Kind::Right | Kind::Semicolon)) {
            at += 1;
        }
        at >= self.tokens.len()
    }

    /// The token before `at` ends something a query could go on behind: a literal, a parenthesis, the string that was
    /// left, or nothing at all.
    fn follows_value(&self, at: usize) -> bool {
        match at.checked_sub(1).and_then(|at| self.kind(at)) {
            None => true,
            Some(Kind::Word) => self.is(at - 1, &["null", "true", "false"]),
            Some(kind) => matches!(
                kind,
                Kind::Break
                    | Kind::Number
                    | Kind::String
                    | Kind::Right
                    | Kind::Variable
                    | Kind::Semicolon
                    | Kind::Version
            ),
        }
    }

    /// Only parentheses and the like stand between the break and `at`.
    fn just_broke(&self, at: usize) -> bool {
        // Twelve tokens are more than any such run has, and they bound the time.
        self.breaks
            && (1..=12).contains(&at)
            && self.tokens.iter().take(at).skip(1).all(|token| {
                matches!(
                    token.kind,
                    Kind::Right | Kind::Semicolon | Kind::Version | Kind::Operator | Kind::Logic | Kind::Number
                )
            })
    }

    fn union_select(&self, at: usize, weight: &mut Weight) {
        if !self.is(at, &["union", "intersect", "except", "minus"]) {
            return;
        }
        let select = self.skip_prefix(at + 1);
        if !self.is(select, &["select", "values", "table"]) {
            return;
        }
        let glued = self.follows_value(at);
        let first = self.skip_prefix(select + 1);
        let list = match self.kind(first) {
            Some(Kind::Number | Kind::String | Kind::Variable | Kind::Open | Kind::Other) => 5,
            Some(Kind::Word) if self.is(first, &["null", "char", "concat", "select", "group_concat"]) => 5,
            Some(Kind::Word) => match self.kind(first + 1) {
                Some(Kind::Comma | Kind::Left | Kind::Dot | Kind::Logic) => 5,
                Some(Kind::Word) if self.is(first + 1, &["from"]) => 3,
                None => 2,
                _ => 0,
            },
            None => 4,
            _ if select > at + 1 || first > select + 1 => 4,
            _ => 0,
        };
        weight.add(if list > 0 || glued && !self.prose { 6 } else { 2 }, "union select");
        weight.add(list, "select list");
        if glued && list > 0 {
            weight.add(3, "behind a value");
        }
    }

    fn condition(&self, at: usize, weight: &mut Weight) {
        if !self.is_logic(at) {
            return;
        }
        let broke = self.just_broke(at);
        let glued = self.follows_value(at);
        let Some(left) = self.operand(at + 1) else {
            // `' or (select ...`, `' or exists(...`
            let inner = self.skip_prefix(at + 1);
            if self.is(inner, &["select", "exists", "case"]) && (broke || glued) {
                weight.add(10, "condition with a subquery");
            }
            return;
        };
        if self.is_compare(left.end) {
            let compare = left.end;
            let right = self.operand(
                compare
                    + 1
                    + usize::from(self.is(compare + 1, &["like", "null", "in", "between", "regexp", "rlike", "not"])),
            );
            let points = match right {
                Some(right) if left.literal && right.literal => 10,
                Some(right) if (left.called || right.called) && (broke || glued) => 8,
                Some(_) if broke => 9,
                Some(right) if right.open && self.breaks => 8,
                Some(right) if at == 0 && !self.prose && self.ends_at(right.end) => {
                    if self.text(at + 1) == self.text(compare + 1) { 9 } else { 7 }
                }
                Some(_) if glued && !self.prose && self.ends_in_comment.is_some() => 7,
                Some(_) if glued && !self.prose => 3,
                None if broke => 7,
                _ => 0,
            };
            // Two literals are compared in `filter=a eq 1 and 2=2` only by someone who tests; in prose by no one either.
            weight.add(if points == 10 && !broke && !glued { 8 } else { points }, "condition");
            return;
        }
        let ends = self.ends_at(left.end);
        let points = match (broke, glued) {
            (true, _) if left.open => 8,
            (true, _) if ends && self.ends_in_comment.is_some() => 10,
            (true, _) if left.called => 8,
            (true, _) if ends && left.literal => 8,
            (true, _) if ends && self.kind(at) == Some(Kind::Logic) => 6,
            (false, true) if left.called && !self.prose => 5,
            (false, true) if ends && left.literal && at > 0 && self.kind(at - 1) == Some(Kind::Number) => {
                if self.ends_in_comment.is_some() { 9 } else { 4 }
            }
            _ => 0,
        };
        weight.add(points, "condition");
    }

    fn stacked(&self, at: usize, weight: &mut Weight) {
        if self.kind(at) != Some(Kind::Semicolon) || !self.statement(at + 1) {
            return;
        }
        let points = if self.just_broke(at) {
            11
        } else if at == 0
            || !self.prose && self.ends_in_comment.is_some()
            || (self.follows_value(at) && self.kind(at - 1) != Some(Kind::Right))
        {
            10
        } else if self.prose {
            2
        } else {
            5
        };
        weight.add(points, "second statement");
    }

    /// A statement begins at `at`, by more than its first word.
    fn statement(&self, at: usize) -> bool {
        let at = self.skip_prefix(at);
        let next = |words: &[&str]| self.is(at + 1, words);
        let next_kind = self.kind(at + 1);
        match self.text(at) {
            b"drop" | b"create" | b"alter" => next(OBJECTS) || next(&["temporary", "or"]),
            b"replace" => next(&["into"]) || next_kind == Some(Kind::Word) && self.kind(at + 2) == Some(Kind::Left),
            b"insert" | b"merge" => next(&["into"]),
            b"delete" => next(&["from"]),
            b"truncate" => next(&["table"]) || self.text(at + 1).starts_with(b"["),
            b"update" => self.is(at + 2, &["set"]),
            b"exec" | b"execute" => {
                next(&["master", "sp_executesql", "xp_cmdshell", "immediate", "sp_configure"])
                    || matches!(next_kind, Some(Kind::Left | Kind::Variable | Kind::String))
                    || self.kind(at + 2) == Some(Kind::Dot)
                    || self.text(at + 1).starts_with(b"sp_")
                    || self.text(at + 1).starts_with(b"xp_")
            }
            b"declare" => matches!(next_kind, Some(Kind::Variable)) || self.is(at + 2, &["varchar", "int", "cursor"]),
            b"waitfor" => next(&["delay", "time"]),
            b"shutdown" => self.ends_at(at + 1) || next(&["with", "immediate", "abort"]),
            b"select" => self.select_list(at + 1),
            b"set" => matches!(next_kind, Some(Kind::Variable)),
            b"if" | b"while" | b"begin" => {
                matches!(next_kind, Some(Kind::Left)) && self.tokens.len() > at + 4
                    || next(&["select", "exec", "declare"])
                    || self.kind(at + 2) == Some(Kind::Dot)
            }
            b"load" => next(&["data"]),
            b"grant" | b"revoke" => next(&["all", "select", "dba", "connect", "execute"]),
            b"attach" => next(&["database"]),
            b"copy" => self.is(at + 2, &["from", "to"]),
            b"do" | b"call" => self.kind(at + 2) == Some(Kind::Left),
            b"rename" => next(&["table"]),
            _ => false,
        }
    }

    /// What follows `select` reads as a select list and not as a sentence.
    fn select_list(&self, at: usize) -> bool {
        if self.text(at) == b"*" {
            return true;
        }
        let first = self.skip_prefix(at);
        match self.kind(first) {
            Some(Kind::Number | Kind::String | Kind::Variable | Kind::Open) => true,
            Some(Kind::Word) => {
                matches!(self.kind(first + 1), Some(Kind::Comma | Kind::Left | Kind::Dot))
                    || self.is(first + 1, &["from", "as"])
                    || self.is(first, &["null", "case"])
            }
            // `select * from`
            _ => false,
        }
    }

    fn subquery(&self, at: usize, weight: &mut Weight) {
        if !self.is(at, &["select"]) {
            return;
        }
        let in_parens = at > 0 && matches!(self.kind(at - 1), Some(Kind::Left));
        let listed = self.select_list(at + 1) || self.kind(at + 1) == Some(Kind::Left);
        if !listed {
            return;
        }
        if in_parens {
            weight.add(if self.prose { 3 } else { 5 }, "subquery");
            let outer = at.checked_sub(2);
            if outer.is_none()
                || outer.is_some_and(|outer| {
                    matches!(
                        self.kind(outer),
                        Some(Kind::Operator | Kind::Left | Kind::Comma | Kind::Compare | Kind::Logic | Kind::Break)
                    ) || self.is_logic(outer)
                })
            {
                weight.add(if self.prose { 2 } else { 4 }, "in an expression");
            }
        }
        let next_from = self.froms.partition_point(|&from| from as usize <= at);
        let from = self.froms.get(next_from).map(|&from| from as usize).filter(|&from| from < at + 40);
        if from.is_some_and(|from| matches!(self.kind(from + 1), Some(Kind::Word | Kind::Left | Kind::Variable))) {
            // A whole query as a value is odd, but some interfaces take just that.
            weight.add(
                if self.breaks && !self.prose {
                    6
                } else if self.prose {
                    1
                } else {
                    4
                },
                "select from",
            );
        }
    }

    fn clause(&self, at: usize, weight: &mut Weight) {
        let broke = self.just_broke(at);
        let glued = self.follows_value(at);
        self.compared_inside(at, weight);
        if !(broke || glued) {
            return;
        }
        let by = self.is(at, &["order", "group"]) && self.is(at + 1, &["by"]);
        if by && (broke || matches!(self.kind(self.skip_prefix(at + 2)), Some(Kind::Number | Kind::Open))) {
            let closes = self.ends_in_comment.is_some() || self.ends_at(at + 3);
            weight.add(if closes && !self.prose { 10 } else { 5 }, "order by");
        }
        if self.is(at, &["having", "where"])
            && self
                .operand(at + 1)
                .is_some_and(|left| self.is_compare(left.end) && (left.literal || left.called || broke))
        {
            weight.add(10, "having");
        }
        let compares = self.is(at, &["rlike", "regexp", "like", "between"]);
        // `Dancin' like a robot` goes on with a word.
        if compares
            && broke
            && matches!(self.kind(at + 1), Some(Kind::String | Kind::Open | Kind::Number | Kind::Left | Kind::Variable))
        {
            weight.add(6, "comparison behind the string");
        }
        if self.is(at, &["limit", "procedure", "into", "for"])
            && broke
            && matches!(self.kind(at + 1), Some(Kind::Number | Kind::Word))
        {
            weight.add(5, "clause behind the string");
        }
        if self.is(at, &["waitfor"]) && self.is(at + 1, &["delay", "time"]) {
            weight.add(6, "waits");
        }
        if broke && self.statement(at) && at <= 3 {
            weight.add(9, "statement behind the string");
        }
    }

    /// `iif(1=1,`, `elt(1=1,`, `case when (1=1) then`: a choice by a comparison of two literals.
    fn compared_inside(&self, at: usize, weight: &mut Weight) {
        let open = if self.is(at, &["iif", "if", "elt", "make_set", "decode", "nullif"]) {
            at + 1
        } else if self.is(at, &["case"]) && self.is(at + 1, &["when"]) {
            at + 2
        } else {
            return;
        };
        let first = self.skip_prefix(open);
        let literals = matches!(self.kind(first), Some(Kind::Number | Kind::String))
            && self.kind(first + 1) == Some(Kind::Compare)
            && matches!(self.kind(first + 2), Some(Kind::Number | Kind::String));
        weight.add(if literals { 10 } else { 0 }, "choice by a constant");
    }

    /// What the value is as a whole, where it is short: a statement, or the middle of one that closes what it did not
    /// open.
    fn whole(&self, text: &Text<'_>, weight: &mut Weight) {
        // A field of a document may hold a statement that somebody wrote down; a parameter is looked up by its value.
        let asked =
            matches!(text.spot, Spot::Query(_) | Spot::Form(_) | Spot::Cookie(_) | Spot::Header(..) | Spot::Xml(_));
        if self.is_complete_statement() {
            let ended = self.tokens.iter().any(|token| token.kind == Kind::Semicolon) || self.ends_in_comment.is_some();
            weight.add(
                if !asked {
                    5
                } else if ended {
                    10
                } else {
                    8
                },
                "a whole statement",
            );
        }
        let clauses = ["select", "from", "where", "group", "having", "order", "limit", "join", "union"];
        let present = clauses.iter().filter(|clause| (0..self.tokens.len()).any(|at| self.is(at, &[clause]))).count();
        if present >= 3 && self.is(0, &["select"]) {
            weight.add(
                if !asked {
                    2
                } else if present >= 4 {
                    6
                } else {
                    3
                },
                "clauses of a query",
            );
        }
        if asked && self.closes_unopened() {
            weight.add(8, "closes what it did not open");
        }
        let whens = (0..self.tokens.len()).find(|&at| self.is(at, &["case"]) && self.is(at + 1, &["when"]));
        if asked && whens.is_some_and(|at| (at..self.tokens.len()).any(|then| self.is(then, &["then"]))) {
            weight.add(if whens == Some(0) { 8 } else { 5 }, "choice of a query");
        }
        // The value ends where the comparison begins: the rest of the query goes on with it.
        let last = self.tokens.len().saturating_sub(1);
        if asked
            && self.is(0, &["if", "iif", "elt", "nullif"])
            && self.kind(1) == Some(Kind::Left)
            && self.kind(last) == Some(Kind::Compare)
        {
            weight.add(8, "an open comparison");
        }
    }

    /// The first tokens are a statement with its object and what belongs to it, not only words that also begin sentences
    /// and labels.
    fn is_complete_statement(&self) -> bool {
        if !self.statement(0) {
            return matches!(self.text(0), b"execute" | b"exec") && self.is(1, &["immediate"]);
        }
        let mut at = 1;
        let between = ["if", "exists", "not", "into", "from", "temporary", "unique", "or", "replace", "only"];
        while self.is(at, OBJECTS) || self.is(at, &between) {
            at += 1;
        }
        // The name of the object, with its schema.
        if self.kind(at) == Some(Kind::Word) {
            at += 1;
        }
        while self.kind(at) == Some(Kind::Dot) && self.kind(at + 1) == Some(Kind::Word) {
            at += 2;
        }
        let next = |words: &[&str]| self.is(at, words);
        match self.text(0) {
            b"drop" | b"truncate" => {
                self.kind(at) == Some(Kind::Semicolon)
                    || next(&["cascade", "restrict", "purge"])
                    || self.text(at).starts_with(b"[")
            }
            b"alter" => {
                next(&["add", "drop", "modify", "rename", "change", "column", "set", "with", "identified", "disable"])
            }
            b"create" => {
                self.kind(at) == Some(Kind::Left)
                    || next(&["as", "on", "returns", "return", "identified", "with", "is", "before", "after"])
            }
            b"insert" | b"replace" | b"merge" => {
                self.kind(at) == Some(Kind::Left) || next(&["values", "select", "set", "default", "using"])
            }
            b"delete" => self.kind(at) == Some(Kind::Semicolon) || next(&["where"]),
            b"update" => next(&["set"]) && self.kind(at + 2) == Some(Kind::Compare),
            b"grant" | b"revoke" => {
                (1..self.tokens.len()).any(|at| self.is(at, &["on", "to"])) && self.tokens.len() >= 4
            }
            b"exec" | b"execute" | b"declare" | b"waitfor" | b"load" | b"attach" => true,
            _ => false,
        }
    }

    /// A parenthesis or quote of the query around it is closed first and another opened for it at the end, with a word of
    /// SQL between them: `) like (`, `)) or ((`.
    fn closes_unopened(&self) -> bool {
        let (mut depth, mut lowest) = (0i32, 0i32);
        for token in &self.tokens {
            match token.kind {
                Kind::Left => depth += 1,
                Kind::Right => depth -= 1,
                _ => {}
            }
            lowest = lowest.min(depth);
        }
        lowest < 0
            && depth >= 0
            && self.kind(0) == Some(Kind::Right)
            && (0..self.tokens.len())
                .any(|at| self.is_logic(at) || self.is_compare(at) || self.is(at, &["union", "having", "order"]))
    }

    fn version_comment(&self, at: usize, weight: &mut Weight) {
        if self.kind(at) == Some(Kind::Version) && self.kind(at + 1) == Some(Kind::Word) {
            weight.add(9, "version comment");
        }
    }

    /// What stands right behind the string that was left: a comment, an operator that goes on, another string.
    fn after_break(&self, weight: &mut Weight) {
        if !self.breaks {
            return;
        }
        let prefix = self.tokens.first().map_or(0, |token| token.end);
        let mut at = 1;
        while matches!(self.kind(at), Some(Kind::Right | Kind::Semicolon)) {
            at += 1;
        }
        if at >= self.tokens.len() {
            if let Some(comment) = self.ends_in_comment {
                let points = match comment {
                    [b'-', ..] if comment.len() <= 4 => 10,
                    [b'-', ..] => 7,
                    [b'#'] | [b'#', b' ', ..] | [b'/', b'*'] => 8,
                    _ => 4,
                };
                weight.add(if prefix <= 64 && !self.prose { points } else { 3 }, "comment behind the string");
            }
            return;
        }
        let joins = matches!(self.kind(at), Some(Kind::Operator | Kind::Logic | Kind::Compare))
            || self.is(at, &["div", "mod", "is", "in", "sounds"]);
        if !joins || self.prose {
            return;
        }
        let inner = self.skip_prefix(at + 1);
        if self.is(inner, &["select", "case", "if", "iif", "exists"]) {
            weight.add(9, "expression behind the string");
        } else if let Some(operand) = self.operand(at + 1) {
            let compare = self.kind(at) == Some(Kind::Compare);
            if operand.called {
                weight.add(5, "call behind the string");
            } else if operand.open && self.tokens.len() <= 12 {
                weight.add(if compare || self.kind(at) == Some(Kind::Logic) { 7 } else { 4 }, "string goes on");
            } else if self.ends_at(operand.end) && self.ends_in_comment.is_some() {
                weight.add(8, "expression and comment");
            } else if compare && operand.literal {
                weight.add(4, "comparison behind the string");
            } else if operand.word
                && self.tokens.len() <= 12
                && self.tokens.iter().any(|token| token.kind == Kind::Open)
            {
                weight.add(5, "expression behind the string");
            }
        }
    }
}

/// Words at which [`Stream::clause`] may find something: clauses, comparisons, choices, statements.
fn begins_clause(word: &[u8]) -> bool {
    matches!(
        word,
        b"order"
            | b"group"
            | b"having"
            | b"where"
            | b"rlike"
            | b"regexp"
            | b"like"
            | b"between"
            | b"limit"
            | b"procedure"
            | b"into"
            | b"for"
            | b"waitfor"
            | b"iif"
            | b"if"
            | b"elt"
            | b"make_set"
            | b"decode"
            | b"nullif"
            | b"case"
            | b"drop"
            | b"create"
            | b"alter"
            | b"insert"
            | b"merge"
            | b"replace"
            | b"delete"
            | b"truncate"
            | b"update"
            | b"exec"
            | b"execute"
            | b"declare"
            | b"shutdown"
            | b"set"
            | b"while"
            | b"begin"
            | b"load"
            | b"grant"
            | b"revoke"
            | b"attach"
            | b"copy"
            | b"do"
            | b"call"
            | b"rename"
    )
}

struct Operand {
    /// Behind its last token.
    end: usize,
    literal: bool,
    /// It is a string the end of the value cut.
    open: bool,
    called: bool,
    word: bool,
}
