//! Runs a single statement on a driver.

use colloquy_core::store::driver::{Access, Driver, DriverError, Param, Statement, Step};

pub(crate) async fn run<'a, D: Driver>(
    driver: &D,
    access: Access,
    statement: &'static Statement,
    params: impl Into<Vec<Param<'a>>>,
) -> Result<Option<String>, DriverError> {
    let mut results = driver.run(access, &[Step::new(statement, params)]).await?;
    Ok(results.remove(0))
}
