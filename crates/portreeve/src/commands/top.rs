//! `portreeve top`: a live view of what is recorded, in the terminal.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::Timestamp;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Row, Sparkline, Table};
use store::query::{Cell, Direction, Field, Filter, Group, Measure, Order, Query};
use store::{Inventory, QueryLimits, Reader};

use super::Outcome;
use crate::learned::printable;
use crate::now;

/// Shows what is recorded as it is recorded; `q` ends it.
#[derive(clap::Args)]
pub struct Arguments {
    /// Where events are kept.
    #[arg(long, default_value = "data")]
    data: PathBuf,
    /// How much of the past is shown.
    #[arg(long, default_value = "1m", value_parser = super::time)]
    since: Duration,
    /// Only exchanges that fit, such as `status=429`.
    #[arg(long = "where", value_name = "FILTER")]
    filter: Option<String>,
    /// Print one view as text and end.
    #[arg(long)]
    once: bool,
}

/// Rows of each table.
const ROWS: usize = 12;
/// Columns of the curve.
const STEPS: u32 = 60;

/// What one view shows.
struct View {
    totals: Vec<Cell>,
    curve: Vec<u64>,
    paths: Vec<Vec<Cell>>,
    reasons: Vec<Vec<Cell>>,
    clients: Vec<Vec<Cell>>,
}

/// Runs the command.
///
/// # Errors
/// When the data cannot be read.
pub fn run(arguments: &Arguments) -> Outcome {
    super::require_data(&arguments.data)?;
    let filter = match &arguments.filter {
        Some(text) => Filter::parse(text).map_err(|error| error.to_string())?,
        None => Filter::All(Vec::new()),
    };
    let reader = Reader::open(&arguments.data, QueryLimits::default())?;
    let view = || look(&reader, arguments, &filter);
    if arguments.once || !std::io::stdout().is_terminal() {
        return print(&view()?);
    }
    let mut terminal = ratatui::try_init()?;
    let outcome = live(&mut terminal, &view);
    ratatui::restore();
    outcome
}

fn live(
    terminal: &mut ratatui::DefaultTerminal,
    view: &dyn Fn() -> Result<View, Box<dyn std::error::Error>>,
) -> Outcome {
    loop {
        let looked = Instant::now();
        let shown = view()?;
        terminal.draw(|frame| draw(frame, &shown))?;
        while looked.elapsed() < Duration::from_secs(1) {
            if !event::poll(Duration::from_millis(100))? {
                continue;
            }
            if let Event::Key(key) = event::read()? {
                let interrupted = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
                if interrupted || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
                    return Ok(());
                }
            }
        }
    }
}

fn look(reader: &Reader, arguments: &Arguments, filter: &Filter) -> Result<View, Box<dyn std::error::Error>> {
    let names = Arc::new(Inventory::open(&arguments.data)?.endpoint_names()?);
    let until = now();
    let since = Timestamp(until.0 - i64::try_from(arguments.since.as_micros()).unwrap_or(i64::MAX));
    let ask = |group_by: Vec<Group>, measures: Vec<Measure>, order: Order, limit: usize| {
        let query = Query { since, until, filter: filter.clone(), group_by, measures, order, limit };
        reader.query_blocking(&query, Arc::clone(&names)).map(|answer| answer.rows)
    };
    let by_count = |column| Order { column, direction: Direction::Descending };
    let busy = || vec![Measure::Count, Measure::Errors, Measure::Refused, Measure::Percentile(Field::Latency, 99)];
    let totals = readable(ask(Vec::new(), busy(), by_count(0), 1)?).into_iter().next().unwrap_or_default();
    let step_s = u32::try_from(arguments.since.as_secs() / u64::from(STEPS)).unwrap_or(60).max(1);
    let by_time = Order { column: 0, direction: Direction::Ascending };
    let steps = ask(vec![Group::Time { step_s }], vec![Measure::Count], by_time, STEPS as usize + 2)?;
    let mut curve = vec![0u64; STEPS as usize + 1];
    for step in &steps {
        if let (Some(Cell::Time(at)), Some(count)) = (step.first(), step.get(1)) {
            let index = at.micros_since(since) / (u64::from(step_s) * 1_000_000);
            if let Some(slot) = curve.get_mut(usize::try_from(index).unwrap_or(usize::MAX)) {
                *slot = whole(count);
            }
        }
    }
    Ok(View {
        totals,
        curve,
        paths: readable(ask(vec![Group::Field(Field::Method), Group::Field(Field::Path)], busy(), by_count(2), ROWS)?),
        reasons: ask(vec![Group::Field(Field::Reason)], vec![Measure::Count], by_count(1), ROWS)?,
        clients: ask(vec![Group::Field(Field::Client)], vec![Measure::Count, Measure::Errors], by_count(1), ROWS)?,
    })
}

/// The last column as a duration: `850 us`, `41 ms`, `2.5 s`.
fn readable(mut rows: Vec<Vec<Cell>>) -> Vec<Vec<Cell>> {
    for cell in rows.iter_mut().filter_map(|row| row.last_mut()) {
        let text = match whole(cell) {
            us @ ..1_000 => format!("{us} us"),
            us @ 1_000..10_000 => format!("{:.1} ms", us as f64 / 1e3),
            us @ 10_000..1_000_000 => format!("{:.0} ms", us as f64 / 1e3),
            us => format!("{:.1} s", us as f64 / 1e6),
        };
        *cell = if matches!(cell, Cell::Absent) { Cell::Absent } else { Cell::Text(text) };
    }
    rows
}

fn whole(cell: &Cell) -> u64 {
    match cell {
        Cell::Integer(number) => u64::try_from(*number).unwrap_or(0),
        Cell::Number(number) => *number as u64,
        _ => 0,
    }
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => printable(text),
        Cell::Integer(number) => number.to_string(),
        Cell::Number(number) => format!("{number:.0}"),
        Cell::Time(at) => jiff::Timestamp::from_microsecond(at.0).map(|at| format!("{at:.0}")).unwrap_or_default(),
        Cell::Flag(flag) => flag.to_string(),
        Cell::Absent => "-".to_owned(),
    }
}

fn headline(view: &View) -> String {
    let cell = |at: usize| view.totals.get(at).map_or_else(|| "0".to_owned(), text);
    format!("exchanges {}   errors {}   refused {}   p99 {}", cell(0), cell(1), cell(2), cell(3))
}

fn print(view: &View) -> Outcome {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", headline(view))?;
    for (title, rows) in [("busiest", &view.paths), ("findings", &view.reasons), ("clients", &view.clients)] {
        writeln!(out, "\n{title}")?;
        for row in rows {
            let cells: Vec<String> = row.iter().map(text).collect();
            writeln!(out, "  {}", cells.join("  "))?;
        }
    }
    Ok(())
}

fn draw(frame: &mut ratatui::Frame<'_>, view: &View) {
    let [head, curve, middle, foot] =
        Layout::vertical([Constraint::Length(1), Constraint::Length(5), Constraint::Min(6), Constraint::Length(14)])
            .areas(frame.area());
    frame.render_widget(Paragraph::new(Line::from(headline(view))), head);
    let spark = Sparkline::default().block(Block::bordered().title("exchanges")).data(view.curve.iter().copied());
    frame.render_widget(spark, curve);
    let widths =
        [7, 0, 9, 8, 8, 9].map(|width| if width == 0 { Constraint::Fill(1) } else { Constraint::Length(width) });
    let header = ["method", "path", "count", "errors", "refused", "p99"];
    frame.render_widget(table("busiest", &view.paths, &header, widths.to_vec()), middle);
    let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(foot);
    let two = vec![Constraint::Fill(1), Constraint::Length(7)];
    frame.render_widget(table("findings", &view.reasons, &["reason", "count"], two), left);
    let three = vec![Constraint::Min(15), Constraint::Length(7), Constraint::Length(6)];
    frame.render_widget(table("clients", &view.clients, &["client", "count", "errors"], three), right);
}

fn table<'t>(title: &'t str, rows: &[Vec<Cell>], header: &[&'t str], widths: Vec<Constraint>) -> Table<'t> {
    let rows = rows.iter().map(|row| Row::new(row.iter().map(text)));
    Table::new(rows, widths).header(Row::new(header.to_vec())).block(Block::bordered().title(title))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_readable() {
        let shown =
            |us: i64| readable(vec![vec![Cell::Integer(7), Cell::Integer(us)]])[0].iter().map(text).collect::<Vec<_>>();
        assert_eq!(shown(850), ["7", "850 us"]);
        assert_eq!(shown(1_234), ["7", "1.2 ms"]);
        assert_eq!(shown(41_179), ["7", "41 ms"]);
        assert_eq!(shown(2_500_000), ["7", "2.5 s"]);
        assert_eq!(text(&readable(vec![vec![Cell::Absent]])[0][0]), "-");
    }
}
