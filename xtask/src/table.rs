//! Tables for people and the same figures as JSON for machines.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use crate::Outcome;

/// One cell of a table.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Cell {
    /// Left-aligned text.
    Text(String),
    /// A whole number.
    Count(u64),
    /// A figure, shown with three decimals.
    Ratio(f64),
    /// A figure, shown with one decimal.
    Figure(f64),
    /// Nothing was measured here.
    None,
}

impl Cell {
    /// A text cell.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Count(count) => count.to_string(),
            Self::Ratio(value) => format!("{value:.3}"),
            Self::Figure(value) => format!("{value:.1}"),
            Self::None => "-".to_owned(),
        }
    }
}

/// A titled table.
#[derive(Clone, Debug, Serialize)]
pub struct Table {
    /// What was measured.
    pub title: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The rows, each as long as `columns`.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table.
    pub fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        Self {
            title: title.into(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// The table as Markdown with aligned columns, readable as plain text.
    pub fn markdown(&self) -> String {
        let rows: Vec<Vec<String>> = self.rows.iter().map(|row| row.iter().map(Cell::shown).collect()).collect();
        let widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, name)| {
                let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
                cells.max().unwrap_or(0).max(name.chars().count()).max(3)
            })
            .collect();
        let numeric: Vec<bool> = (0..self.columns.len())
            .map(|at| self.rows.iter().any(|row| !matches!(row.get(at), None | Some(Cell::Text(_) | Cell::None))))
            .collect();
        let line = |cells: &[String]| {
            let cells = cells.iter().zip(&widths).zip(&numeric).map(|((cell, &width), &right)| {
                if right { format!(" {cell:>width$} ") } else { format!(" {cell:<width$} ") }
            });
            format!("|{}|\n", cells.collect::<Vec<_>>().join("|"))
        };
        let rule = widths
            .iter()
            .zip(&numeric)
            .map(|(&width, &right)| if right { format!("{}:", "-".repeat(width + 1)) } else { "-".repeat(width + 2) });
        let mut text = format!("{}\n\n{}", self.title, line(&self.columns));
        text.push_str(&format!("|{}|\n", rule.collect::<Vec<_>>().join("|")));
        for row in &rows {
            text.push_str(&line(row));
        }
        text
    }
}

/// Prints the tables and, where a path is given, writes them there as JSON.
pub fn publish(tables: &[Table], json: Option<&Path>) -> Outcome {
    let mut out = std::io::stdout().lock();
    for table in tables {
        writeln!(out, "{}", table.markdown())?;
    }
    if let Some(path) = json {
        let mut text = serde_json::to_string_pretty(tables)?;
        text.push('\n');
        std::fs::write(path, text).map_err(|error| format!("`{}` could not be written: {error}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_right_aligned() {
        let mut table = Table::new("Measured", &["site", "F1"]);
        table.rows.push(vec![Cell::text("a"), Cell::Ratio(0.5)]);
        table.rows.push(vec![Cell::text("longer"), Cell::None]);
        let expected = "Measured\n\n| site   |    F1 |\n|--------|------:|\n| a      | 0.500 |\n| longer |     - |\n";
        assert_eq!(table.markdown(), expected);
    }
}
