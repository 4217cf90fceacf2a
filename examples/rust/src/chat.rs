//! Sends, repeats a send safely, loses the connection and resumes.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use colloquy_client::{Account, Client, Conversation, Delivery, Error, Rest, RestOptions};

const PASSWORD: &str = "Violet Umbrellas 42";

/// Runs the example and returns what happened, line by line.
pub(crate) async fn run(base_url: &str) -> Result<Vec<String>, Error> {
    let mut lines = Vec::new();
    let suffix = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let suffix = suffix.as_nanos();
    let rest = Rest::new(base_url, RestOptions::default())?;
    let alice = Account::register(&rest, &format!("alice-{suffix}"), PASSWORD).await?;
    let bob = Account::register(&rest, &format!("bob-{suffix}"), PASSWORD).await?;
    let alice = Client::new(rest.clone(), Arc::new(alice));
    let bob = Client::new(rest, Arc::new(bob));

    let participants = [bob.account().user_id()];
    let id = alice.create_conversation(&participants, None).await?;
    let mut sender = Conversation::open(&alice, id).await?;
    let mut receiver = Conversation::open(&bob, id).await?;

    // The id makes the send safe to repeat: the second call returns the first result.
    let first = sender.send("first", "Hello, Bob!").await?;
    let repeat = sender.send("first", "Hello, Bob!").await?;
    lines.push(format!(
        "stored as {}, repeated as {}, duplicate {}",
        first.message_id, repeat.message_id, repeat.duplicate
    ));
    lines.push(receive(&mut receiver).await?);

    // The connection is lost and two messages are missed. The next call reconnects and resumes.
    receiver.drop_connection();
    sender.send("second", "Are you there?").await?;
    sender.send("third", "See you later!").await?;
    for _ in 0..2 {
        lines.push(receive(&mut receiver).await?);
    }
    sender.close().await;
    receiver.close().await;
    Ok(lines)
}

async fn receive(conversation: &mut Conversation) -> Result<String, Error> {
    match conversation.next(Duration::from_secs(30)).await? {
        Some(Delivery::Event(event)) => Ok(format!(
            "bob received {}: {}",
            event.seq.unwrap_or_default(),
            event.message.unwrap_or_default()
        )),
        Some(Delivery::History(messages)) => Ok(format!("bob loaded {} messages", messages.len())),
        None => Err(Error::Deadline),
    }
}
