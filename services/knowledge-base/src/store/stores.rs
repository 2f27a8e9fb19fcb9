//! Runs every promise of `conformance.rs` and `document_conformance.rs` on each backend.

use std::sync::Arc;

use chassis::Metrics;

use super::conformance::{self, Opener};
use super::document_conformance;
use super::postgres::testing::Database;
use super::{SqliteOptions, SqliteStore, Store, StoreMetrics, StoreThreads};
use crate::testing::Directory;

struct Sqlite {
    directory: Directory,
    threads: Option<StoreThreads>,
}

impl Opener for Sqlite {
    async fn open(&mut self) -> Store {
        let options = SqliteOptions { data_dir: self.directory.path().to_owned(), size_bytes_max: None };
        let (store, threads) = SqliteStore::open(&options, StoreMetrics::new(&Metrics::new())).unwrap();
        self.threads = Some(threads);
        Arc::new(store)
    }

    async fn closed(&mut self) {
        let threads = self.threads.take().unwrap();
        tokio::task::spawn_blocking(move || threads.join()).await.unwrap();
    }
}

macro_rules! promises {
    ($($suite:ident: $($promise:ident),* $(,)?;)*) => {
        mod sqlite {
            use super::*;
            $($(
                #[tokio::test]
                async fn $promise() {
                    $suite::$promise(&mut Sqlite { directory: Directory::new(), threads: None }).await;
                }
            )*)*
        }
        mod postgres {
            use super::*;
            $($(
                #[tokio::test]
                async fn $promise() {
                    $suite::$promise(&mut Database::new()).await;
                }
            )*)*
        }
    };
}

promises! {
    conformance:
        a_fact_is_one_change_and_a_second_time_a_duplicate,
        posts_that_arrive_together_share_commits_and_keep_their_own_revisions,
        a_batch_is_one_change_with_consecutive_numbers_and_an_empty_one_is_none,
        everything_is_there_after_a_restart_and_the_digest_chain_goes_on,
        facts_are_found_by_predicate_entity_and_both_in_pages,
        search_ranks_by_words_and_respects_confidence,
        a_new_epoch_keeps_the_revisions_and_is_kept,
        trimming_goes_in_steps_and_never_takes_the_newest_change,
        batches_are_added_in_the_order_in_which_they_were_handed_over,
        a_change_is_old_only_before_both_limits,
        an_update_keeps_the_number_and_is_found_as_it_is_now,
        an_update_to_what_another_fact_says_is_refused_and_one_to_the_same_is_no_change,
        a_fact_from_before_texts_had_one_form_is_found_changed_and_deleted_as_it_is,
        a_deleted_fact_is_gone_everywhere_and_its_number_is_never_given_again,
        a_delta_tells_rows_as_they_are_now_and_what_is_gone,
        a_delta_in_parts_tells_each_change_whole,
        a_delta_from_before_the_log_still_tells_what_is_gone,
        an_export_is_one_moment_whatever_is_written_meanwhile;
    document_conformance:
        a_collection_is_made_once_and_keeps_what_it_was_made_with,
        documents_are_put_replaced_and_left_alone,
        documents_are_found_by_id_number_words_and_metadata,
        deleted_documents_are_gone_everywhere_and_counted,
        a_deleted_collection_takes_its_documents_along_and_its_name_is_free,
        documents_tell_their_delta;
}
