//! The contract of [`Store`] as functions over any store. Each asserts one clause of `ports::Store`.
//!
//! Owns no database: an adapter's tests bring a [`Fixture`] with an empty one and pass it to
//! [`store_contract!`](crate::store_contract), which expands to a test for every case. To add a case:
//! a function in the file of its resource, its name in the macro's list.

#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "these are tests: a panic is how they fail"
)]

pub mod access;
pub mod accounts;
pub mod append;
pub mod concurrent_calls;
pub mod concurrent_changes;
pub mod conversation_list;
pub mod conversations;
mod fixtures;
pub mod history;
pub mod members;
pub mod messages;
pub mod rejections;
pub mod sessions;
pub mod sockets;

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::Pin;

use async_trait::async_trait;
use futures_util::FutureExt;

use colloquy_core::ports::Store;
use colloquy_proto::domain::UserId;

/// A migrated database without rows, for one test.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// A store over it.
    fn store(&self) -> &dyn Store;

    /// A second store that shares no connection with the first, like that of a second server.
    fn other_store(&self) -> &dyn Store;

    /// Deactivates an account; the port has no method for it.
    async fn deactivate(&self, user_id: UserId);

    /// Removes the keys of an account's names, as if an earlier version had created it.
    async fn forget_keys(&self, user_id: UserId);

    /// Removes the database.
    async fn close(self: Box<Self>);
}

/// Runs a case and removes its database, also after a panic.
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

/// A test for every case of the contract. Takes the path of an
/// `async fn() -> Box<dyn Fixture>`; the calling crate needs tokio with macros.
#[macro_export]
macro_rules! store_contract {
    ($fixture:path) => {
        $crate::store_contract! { @tests $fixture,
            access {
                inactive_session_is_denied_everything
                unknown_conversation_is_not_found
                non_member_is_denied_every_method
            }
            accounts {
                account_is_created_and_found
                names_are_unique_regardless_of_case
                names_in_equivalent_forms_are_the_same
                keys_of_older_accounts_are_computed
                inactive_account_has_no_credentials
                account_texts_are_stored_verbatim
            }
            append {
                sends_are_numbered_in_the_order_given
                duplicate_returns_the_first_result
                client_message_id_is_scoped_to_conversation_and_sender
                timestamps_never_decrease
                batch_may_span_several_conversations
                empty_batch_stores_nothing
                mentions_of_non_members_are_dropped
                messages_are_stored_verbatim
            }
            messages {
                edit_is_an_event_and_changes_every_read
                deleted_message_has_no_text_anywhere
                only_the_sender_changes_a_message
                events_of_all_kinds_follow_a_position
                repeat_of_an_edited_send_is_a_duplicate
            }
            concurrent_changes {
                concurrent_changes_and_sends_have_one_order
                deletion_wins_over_a_concurrent_edit
                concurrent_identical_changes_are_done_once
            }
            conversations {
                group_lists_its_members_in_order
                two_users_share_one_direct_conversation
                unknown_participants_are_reported
                groups_of_the_same_users_are_distinct
                group_may_have_a_thousand_members
                conversation_includes_its_newest_messages
            }
            history {
                pages_meet_without_gap_or_overlap
                page_around_a_message_has_its_neighbours
                long_messages_end_a_page_early
                page_reports_the_position
                events_follow_a_position
                events_of_an_unknown_conversation_are_none
                renewed_epoch_is_in_every_result
                database_accepts_a_probe
            }
            conversation_list {
                conversations_are_listed_by_latest_activity
                list_continues_after_its_last_entry
                list_is_ordered_by_activity_when_a_clock_ran_ahead
                list_agrees_with_reading_each_conversation
                unchanged_cached_conversation_is_listed_by_id
                large_conversations_end_a_list_early
            }
            members {
                members_are_added_and_removed_by_events
                removed_member_is_denied_every_method
                full_group_takes_no_further_member
                direct_conversation_has_fixed_members
            }
            concurrent_calls {
                one_of_two_concurrent_registrations_wins
                concurrent_rotations_return_the_same
                concurrent_direct_conversations_are_one
                concurrent_duplicate_sends_are_stored_once
                concurrent_writers_have_one_order
                concurrent_additions_fill_a_group_exactly
                crossing_batches_do_not_deadlock
            }
            rejections {
                reply_must_be_to_a_message_of_the_same_conversation
                rejected_send_does_not_affect_the_rest_of_its_batch
                rejected_sends_leave_no_gap
                single_send_has_the_same_outcome_as_in_a_batch
            }
            sessions {
                session_requires_an_active_account
                new_password_hash_replaces_the_old
                devices_of_an_account_are_remembered
                session_rotates
                reused_generation_revokes_the_session
                repeated_rotation_returns_the_first
                inactive_session_does_not_rotate
                session_is_revoked_once
            }
            sockets {
                admission_reports_position_and_last_removal
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
