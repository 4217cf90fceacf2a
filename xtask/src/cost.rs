//! `cargo xtask cost`: prints the cost tables or writes them into their document.
//!
//! The model is the crate `colloquy-cost`.

use std::fs;

use anyhow::Context as _;

use crate::Verdict;

const DOCUMENT: &str = "docs/costs.md";

#[derive(clap::Args)]
pub(crate) struct CostOptions {
    /// Write the tables into docs/costs.md instead of printing them.
    #[arg(long)]
    write: bool,
}

/// `cargo xtask cost`
pub(crate) fn command(options: &CostOptions) -> Verdict {
    if options.write {
        let path = colloquy_harness::root().join(DOCUMENT);
        let document = fs::read_to_string(&path).context(DOCUMENT)?;
        let updated = colloquy_cost::update(&document);
        let updated =
            updated.with_context(|| format!("{DOCUMENT} lacks the lines of the tables"))?;
        fs::write(&path, updated).context(DOCUMENT)?;
    } else {
        print!("{}", colloquy_cost::tables());
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn document_has_the_computed_tables() {
        let document = fs::read_to_string(colloquy_harness::root().join(DOCUMENT)).unwrap();
        let updated = colloquy_cost::update(&document).unwrap();
        assert!(document == updated, "run `cargo xtask cost --write`");
    }
}
