//! The contract of [`Store`], as functions over any store: each states one clause of
//! `ports::Store` and panics where the store breaks it.
//!
//! Owns no database: a host's tests bring a [`Fixture`] with an empty one and name it to
//! [`store_contract!`](crate::store_contract), which makes a test of every case. To add a case:
//! the function in the file of its subject, its name in the macro's list.

#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "these are tests: a panic is how they fail"
)]

pub mod access;
pub mod accounts;
pub mod appending;
pub mod changes;
pub mod changing;
pub mod conversations;
pub mod history;
pub mod listing;
pub mod members;
pub mod racing;
pub mod refusing;
pub mod sessions;
mod world;

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::Pin;

use async_trait::async_trait;
use futures_util::FutureExt;

use colloquy_core::ports::Store;
use colloquy_proto::domain::UserId;

/// A database of a test's own, empty but for its tables.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// A store over it.
    fn store(&self) -> &dyn Store;

    /// Another one that shares no connection with the first, like that of a second server.
    fn other_store(&self) -> &dyn Store;

    /// Makes an account inactive, for which the port has no method.
    async fn deactivate(&self, user_id: UserId);

    /// Removes the database.
    async fn close(self: Box<Self>);
}

/// Runs a case and removes its database, whatever the outcome.
pub async fn run<F>(fixture: Box<dyn Fixture>, case: F)
where
    F: for<'a> FnOnce(&'a dyn Fixture) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>,
{
    let outcome = AssertUnwindSafe(case(&*fixture)).catch_unwind().await;
    fixture.close().await;
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

/// Makes a test of every case of the contract. Takes the path of an
/// `async fn() -> Box<dyn Fixture>`; the calling crate needs tokio with macros.
#[macro_export]
macro_rules! store_contract {
    ($fixture:path) => {
        $crate::store_contract! { @tests $fixture,
            access {
                a_session_that_does_not_stand_is_denied_everything
                a_conversation_that_does_not_exist_is_not_found
                who_is_not_a_member_is_told_so
            }
            accounts {
                an_account_is_made_and_found
                names_are_unique_whatever_their_case
                an_inactive_account_has_no_credentials
                texts_are_kept_as_they_are
            }
            appending {
                sends_are_numbered_in_the_order_given
                a_repeat_is_answered_with_the_first_result
                a_client_message_id_belongs_to_its_conversation_and_sender
                time_never_goes_back
                one_batch_may_serve_several_conversations
                no_sends_are_no_work
                messages_are_kept_as_they_are
            }
            changes {
                an_edit_is_an_event_and_shows_wherever_the_message_does
                a_deleted_message_has_no_text_left
                only_its_writer_changes_a_message
                events_of_all_kinds_follow_a_position
                a_repeat_of_what_was_edited_is_a_duplicate
            }
            changing {
                changes_and_sends_at_once_leave_one_order
                of_an_edit_and_a_deletion_at_once_the_deletion_stays
                the_same_change_at_once_is_done_once
            }
            conversations {
                a_group_has_its_members_in_order
                a_pair_has_one_conversation
                unknown_participants_are_named
                groups_of_the_same_people_are_different
                a_group_may_be_large
                a_conversation_comes_with_its_newest_messages
            }
            history {
                pages_meet_without_gap_or_overlap
                around_a_message_are_its_neighbours
                a_page_says_where_the_conversation_stands
                events_follow_a_position
                events_of_no_conversation_are_none
                a_renewed_epoch_is_seen_everywhere
                the_database_answers
            }
            listing {
                conversations_are_listed_by_latest_activity
                a_list_continues_where_it_ended
                a_list_shows_what_reading_shows
                a_list_names_alone_what_is_held
            }
            members {
                members_come_and_go_by_events
                who_is_no_member_any_more_is_told_so
                a_conversation_of_two_keeps_them
            }
            racing {
                of_two_registrations_at_once_one_wins
                of_two_rotations_at_once_one_wins
                a_pair_that_meets_at_once_has_one_conversation
                the_same_send_twice_at_once_is_stored_once
                writers_at_once_leave_one_order
                batches_that_cross_do_not_block_each_other
            }
            refusing {
                a_reply_names_a_message_of_the_same_conversation
                one_send_that_is_refused_is_found_among_good_ones
                refused_sends_leave_no_gap
                a_send_alone_is_judged_as_among_others
            }
            sessions {
                a_session_belongs_to_an_active_account
                a_new_hash_replaces_the_old
                a_session_rotates
                a_used_generation_revokes
                a_session_that_does_not_stand_does_not_rotate
                revoking_ends_a_session_once
            }
        }
    };
    (@tests $fixture:path, $($module:ident { $($case:ident)+ })+) => {
        $(mod $module {
            $(#[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let fixture = $fixture().await;
                $crate::run(fixture, |fixture| {
                    ::std::boxed::Box::pin(
                        $crate::$module::$case(fixture),
                    )
                })
                .await;
            })+
        })+
    };
}
