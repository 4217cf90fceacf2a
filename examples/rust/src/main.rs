//! Runs the example against `BASE_URL`, or a server on this machine.

mod chat;

#[tokio::main]
async fn main() -> Result<(), colloquy_client::Error> {
    let base_url = std::env::var("BASE_URL");
    let base_url = base_url.unwrap_or_else(|_| "http://127.0.0.1:8000".to_owned());
    for line in Box::pin(chat::run(&base_url)).await? {
        println!("{line}");
    }
    Ok(())
}
