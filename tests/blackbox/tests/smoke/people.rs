//! The three people of a smoke test: registered once for all its tests, logged in for each.

use colloquy_tests::{Account, Group, Server};
use tokio::sync::OnceCell;

/// How their usernames begin.
const NAME: &str = "smoke";

static PEOPLE: OnceCell<[Account; 3]> = OnceCell::const_new();

/// All three, with logins of this test's own: a client does not outlive the test that made it.
pub(crate) async fn logged_in(server: &Server) -> [Account; 3] {
    let register = async || {
        let [ann, bob, eve] = [(); 3].map(|()| Account::called(server, NAME));
        let (ann, bob, eve) = tokio::join!(ann, bob, eve);
        super::tell(format_args!(
            "registered {}, {} and {}",
            ann.username, bob.username, eve.username
        ));
        [ann, bob, eve]
    };
    let people = PEOPLE.get_or_init(register).await;
    let [ann, bob, eve] = people.each_ref().map(Account::log_in);
    tokio::join!(ann, bob, eve).into()
}

/// A fresh conversation of two of them.
pub(crate) async fn group(server: &Server) -> Group {
    let [ann, bob, _] = logged_in(server).await;
    Group::among(vec![ann, bob]).await
}
