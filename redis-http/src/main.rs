//! The binary of the proxy: reads the environment, then serves; with `--healthcheck` it checks a
//! running proxy. Everything else is in the library.

use std::io::stderr;

use anyhow::bail;
use colloquy_redis_http::proxy::{self, Settings};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let lookup = |name: &str| std::env::var(name).ok();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            // Standard output has one line, the address; logs go to standard error.
            let filter = EnvFilter::builder().with_default_directive(LevelFilter::INFO.into());
            tracing_subscriber::fmt()
                .with_env_filter(filter.from_env_lossy())
                .with_writer(stderr)
                .init();
            Ok(proxy::run(Settings::read(lookup)?).await?)
        }
        ["--healthcheck"] => Ok(proxy::healthcheck(lookup).await?),
        _ => {
            bail!("usage: colloquy-redis-http [--healthcheck]; settings come from the environment")
        }
    }
}
