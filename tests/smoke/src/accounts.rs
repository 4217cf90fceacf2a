//! The three accounts of a smoke run: registered once, logged in for each check.

use std::sync::Arc;

use colloquy_blackbox::{Account, Group, Server};
use colloquy_client::{Client, Rest, RestOptions};
use tokio::sync::OnceCell;

use crate::report::report;

/// The start of their usernames.
const PREFIX: &str = "smoke";

static ACCOUNTS: OnceCell<[Account; 3]> = OnceCell::const_new();

/// All three with new sessions. An HTTP client does not outlive the runtime of the test that
/// created it.
pub(crate) async fn logged_in(server: &Server) -> [Account; 3] {
    let register = async || {
        let [ann, bob, eve] = [(); 3].map(|()| Account::with_prefix(server, PREFIX));
        let (ann, bob, eve) = tokio::join!(ann, bob, eve);
        report(format_args!(
            "registered {}, {} and {}",
            ann.username, bob.username, eve.username
        ));
        [ann, bob, eve]
    };
    let accounts = ACCOUNTS.get_or_init(register).await;
    let [ann, bob, eve] = accounts.each_ref().map(Account::log_in);
    tokio::join!(ann, bob, eve).into()
}

/// A new conversation of two of them.
pub(crate) async fn group(server: &Server) -> Group {
    let [ann, bob, _] = logged_in(server).await;
    Group::with_members(vec![ann, bob]).await
}

/// A new conversation of two of them, with their well-behaved clients.
pub(crate) async fn clients(server: &Server) -> (u64, Client, Client) {
    let group = group(server).await;
    let [ann, bob] = [&group.members[0], &group.members[1]].map(client);
    let (ann, bob) = tokio::join!(ann, bob);
    (group.id, ann, bob)
}

async fn client(account: &Account) -> Client {
    let base_url = account.api.server().url("");
    let rest = Rest::new(&base_url, RestOptions::default()).expect("an HTTP client");
    let login = colloquy_client::Account::log_in(&rest, &account.username, &account.password);
    let account = login.await.expect("a login");
    Client::new(rest, Arc::new(account))
}
