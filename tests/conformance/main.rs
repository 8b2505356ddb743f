//! What every adapter of the store must do, contention included: each case runs against each adapter, and is named
//! `<adapter>::<port>::<case>`. What only one adapter can show stands in `only_sqlite`, `remembered` and `only_mongo`.
//!
//! A case gets a [`World`](harness::World): two openings of one new and empty store, as two processes would have them.
//!
//! # To add a case
//! An async function in the file named like the port, and its name in the list below; one that is not listed does not
//! compile without a warning.

#![cfg(all(feature = "sqlite", feature = "mongo", feature = "redis"))]

#[path = "../support/records.rs"]
mod records;

#[path = "../support/fault_proxy.rs"]
#[expect(dead_code, reason = "other suites use other faults")]
mod fault_proxy;

mod account_lists;
mod accounts;
mod audit;
mod current;
mod dead_letters;
mod deks;
mod documents;
mod email_filter;
mod half_a_folder;
mod harness;
mod heartbeats;
mod key_jobs;
mod keyring;
mod only_mongo;
mod only_mongo_indexes;
mod only_mongo_reads;
#[cfg(unix)]
mod only_sqlite;
mod only_sqlite_status;
mod probe;
mod registrations;
#[cfg(unix)]
mod remembered;
mod requests;
mod revocations;
mod schemas;
mod sessions;
mod shared;
mod text_counts;

/// Makes a test of every case for every adapter.
macro_rules! conformance {
    ($($port:ident { $($case:ident)+ })+) => {
        conformance!(@adapter sqlite $($port { $($case)+ })+);
        conformance!(@adapter mongo $($port { $($case)+ })+);
    };
    (@adapter $adapter:ident $($port:ident { $($case:ident)+ })+) => {
        mod $adapter {$(
            mod $port {$(
                #[test]
                fn $case() {
                    crate::harness::$adapter(crate::$port::$case);
                }
            )+}
        )+}
    };
}

conformance! {
    documents {
        every_record_comes_back_as_it_was
        an_id_is_taken_once
        an_account_id_of_another_user_type_is_free
        what_is_of_another_user_type_is_not_there
        what_was_never_stored_is_missing
        a_stored_change_is_seen_and_counted
        a_change_that_is_left_leaves_nothing
        a_removed_record_is_gone_and_its_id_free
        fifty_updates_of_one_record_lose_none
        of_fifty_inserts_of_one_id_one_is_stored
        of_fifty_deletes_one_removes
        an_update_never_brings_a_removed_record_back
        an_abandoned_update_is_whole_or_not_at_all
    }
    current {
        no_reader_falls_behind_what_was_answered
        what_is_removed_or_put_back_is_seen_so_by_all
        a_session_that_was_ended_elsewhere_is_over_here
        a_data_key_that_was_destroyed_elsewhere_is_none_here
    }
    accounts {
        an_address_is_taken_once_in_either_slot
        a_username_is_taken_once_in_either_slot
        of_several_taken_values_the_first_is_told
        a_phone_number_may_stand_on_many_accounts
        the_same_values_are_free_in_another_user_type
        a_change_to_a_taken_value_stores_nothing
        a_changed_or_removed_address_is_free_again
        of_fifty_inserts_of_one_address_one_is_stored
        of_fifty_inserts_of_one_username_one_is_stored
        of_fifty_changes_to_one_address_one_is_stored
        an_address_is_found_in_its_own_slot_only
        a_username_is_found_in_its_own_slot_only
        due_accounts_are_listed_longest_due_first
        whether_there_is_any_account_is_known
    }
    account_lists {
        accounts_are_listed_in_order_page_by_page
        accounts_are_listed_by_what_is_asked
        a_list_follows_what_was_changed
    }
    registrations {
        rivals_are_found_newest_first_while_they_wait
        due_registrations_are_listed_longest_due_first
        expired_registrations_are_listed_oldest_end_first
        pages_show_each_registration_once
        a_link_that_comes_with_its_mail_is_kept
    }
    deks {
        a_second_key_stands_beside_the_first
        a_destroyed_key_is_gone_for_every_process
    }
    key_jobs {
        whoever_begins_it_second_finds_it
        of_fifty_workers_one_holds_it
        a_page_counts_once_whoever_noted_it
    }
    keyring {
        of_fifty_that_make_a_version_one_wins
        every_version_is_listed_as_it_was
        a_version_moves_on_from_the_expected_state_only
        a_version_is_replaced_whole
        of_fifty_that_move_a_version_on_one_does
    }
    sessions {
        of_fifty_rotations_of_one_token_one_rotates
        sessions_of_an_account_are_listed_newest_first
        every_session_of_an_account_is_named
        sessions_past_either_end_are_expired
    }
    requests {
        due_requests_are_listed_longest_due_first
        expired_requests_are_listed
    }
    dead_letters {
        dead_letters_are_paged_by_id
        of_fifty_retries_of_one_letter_one_makes_it_due
    }
    audit {
        entries_come_back_as_they_were
        an_entry_is_never_written_over
        entries_are_listed_in_order_page_by_page
        the_last_checkpoint_is_the_one_with_the_highest_place
        of_fifty_checkpoints_at_one_place_one_is_stored
        entries_of_all_populations_and_of_none_are_paged_as_they_lie
        entries_are_found_by_their_ids
        what_is_over_is_removed_and_nothing_else
        of_fifty_that_move_a_cursor_on_one_does
    }
    heartbeats {
        a_worker_has_one_sign_of_life
        recent_ones_are_listed_newest_first
        old_ones_and_a_stopping_workers_own_are_removed
        fifty_beats_of_one_worker_leave_one
    }
    text_counts {
        of_fifty_texts_of_two_servers_the_cap_goes
        a_count_comes_back_as_it_was
        what_is_left_is_not_stored
        old_counts_are_removed_and_the_others_listed
    }
    probe {
        a_sound_store_passes_however_often_it_is_asked
    }
}

/// The same of what servers share.
macro_rules! shared_conformance {
    ($($case:ident)+) => {
        shared_conformance!(@adapter memory $($case)+);
        shared_conformance!(@adapter redis $($case)+);
    };
    (@adapter $adapter:ident $($case:ident)+) => {
        mod $adapter {$(
            #[test]
            fn $case() {
                crate::shared::$adapter(crate::shared::$case);
            }
        )+}
    };
}

shared_conformance! {
    of_fifty_attempts_of_two_servers_the_burst_is_allowed
    every_answer_is_the_rules
    of_fifty_tries_of_two_servers_the_free_ones_are_admitted
    every_try_is_judged_by_the_rule
    of_fifty_that_begin_one_request_one_is_first
    a_request_is_remembered_until_its_end_or_forgotten
}
