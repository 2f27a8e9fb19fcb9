//! Results in pages, and the searches whose further pages somebody may still ask for. Pure: the time is an input.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use proto_schemas::json;
use proto_schemas::v1::SearchItem;
use ring::rand::SystemRandom;
use tokio::time::Instant;

use crate::store::{Epoch, Revision, hex};

/// Most results on a page: a screen or two, so that the first comes soon.
const PAGE_ITEMS_MAX: usize = 50;

/// Most bytes of the results on a page; a quarter of the 1 MiB that NATS takes as a message by default. One result is
/// at most some 40 KiB, so a page always has one.
const PAGE_BYTES_MAX: usize = 256 * 1024;

/// Searches that may have open pages: clients that pull pages do so within seconds, and this is some hundred at once.
/// Beyond it the one that was idle longest is closed.
const CURSORS_MAX: usize = 256;

/// Bytes of their results in all; beyond it the one that was idle longest is closed. With 100 results of at most some
/// 20 KiB each, this has room for eight of the largest, and for all 256 of ordinary ones.
const CURSORS_BYTES_MAX: usize = 16 << 20;

/// A search whose pages nobody asked for that long is closed.
const CURSOR_IDLE_MAX: Duration = Duration::from_secs(60);

/// The results of one search, and where its pages end.
#[derive(Debug)]
pub struct Results {
    items: Vec<SearchItem>,
    /// Bytes of each as JSON.
    sizes: Vec<usize>,
    /// The revision that the search saw.
    pub revision: Revision,
    /// Its epoch.
    pub epoch: Epoch,
}

impl Results {
    /// Measures the items.
    pub fn new(items: Vec<SearchItem>, revision: Revision, epoch: Epoch) -> Self {
        let sizes = items.iter().map(|item| json::to_vec(item).len()).collect();
        Self { items, sizes, revision, epoch }
    }

    /// How many on all pages.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// The results of a page.
    pub fn items(&self, page: Range<usize>) -> Vec<SearchItem> {
        self.items[page].to_vec()
    }

    /// The page that begins at `from`: as many results as fit, at least one where there is one.
    pub fn page(&self, from: usize) -> Range<usize> {
        let mut bytes = 0;
        let fits = |size: &&usize| {
            let first = bytes == 0;
            bytes += **size;
            first || bytes <= PAGE_BYTES_MAX
        };
        from..from + self.sizes[from..].iter().take(PAGE_ITEMS_MAX).take_while(fits).count()
    }

    fn size(&self) -> usize {
        self.sizes.iter().sum()
    }
}

/// A page that was asked for by its cursor.
#[derive(Debug)]
pub struct Found {
    /// The search's results.
    pub results: Arc<Results>,
    /// Those of the page.
    pub page: Range<usize>,
    /// Cursor of the page after it.
    pub next: Option<String>,
}

#[derive(Debug)]
struct Open {
    results: Arc<Results>,
    used_at: Instant,
}

/// Searches with open pages, by a number that cannot be guessed: who has no cursor of a search does not see its pages.
#[derive(Debug, Default)]
pub struct Cursors {
    open: HashMap<String, Open>,
    size_bytes: usize,
}

impl Cursors {
    /// Keeps `results` and gives the cursor of their page at `from`.
    pub fn open(&mut self, results: Arc<Results>, from: usize, now: Instant) -> String {
        self.close_idle(now);
        let size_bytes = results.size();
        while self.open.len() >= CURSORS_MAX || self.size_bytes + size_bytes > CURSORS_BYTES_MAX {
            let idlest = self.open.iter().min_by_key(|(_, open)| open.used_at).map(|(id, _)| id.clone());
            let Some(id) = idlest else { break };
            self.close(&id);
        }
        let random = ring::rand::generate::<[u8; 16]>(&SystemRandom::new());
        let id = hex(&random.expect("the operating system gives random numbers").expose());
        let cursor = cursor(&id, from);
        self.size_bytes += size_bytes;
        self.open.insert(id, Open { results, used_at: now });
        cursor
    }

    /// The page of a cursor; `None` where it is not kept any more or never was one. The last page closes its search;
    /// another may be asked for again.
    pub fn advance(&mut self, text: &str, now: Instant) -> Option<Found> {
        self.close_idle(now);
        let (id, from) = text.split_once('-')?;
        let from: usize = from.parse().ok()?;
        let open = self.open.get_mut(id).filter(|open| from < open.results.len())?;
        open.used_at = now;
        let results = Arc::clone(&open.results);
        let page = results.page(from);
        let next = (page.end < results.len()).then(|| cursor(id, page.end));
        if next.is_none() {
            self.close(id);
        }
        Some(Found { results, page, next })
    }

    /// There are at most some hundred, so looking at all is cheaper than keeping them in order.
    fn close_idle(&mut self, now: Instant) {
        self.open.retain(|_, open| {
            let keep = now.duration_since(open.used_at) < CURSOR_IDLE_MAX;
            if !keep {
                self.size_bytes -= open.results.size();
            }
            keep
        });
    }

    fn close(&mut self, id: &str) {
        if let Some(open) = self.open.remove(id) {
            self.size_bytes -= open.results.size();
        }
    }
}

fn cursor(id: &str, from: usize) -> String {
    format!("{id}-{from}")
}

/// A count as the contract's number.
pub fn count(count: usize) -> f64 {
    // A search has at most some hundred results.
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn results(count: u32, content_bytes: usize) -> Arc<Results> {
        let item = |id| SearchItem {
            id: f64::from(id),
            content: "x".repeat(content_bytes),
            ..SearchItem::default()
        };
        Arc::new(Results::new((0..count).map(item).collect(), Revision(1), Epoch::kept("e")))
    }

    /// The ids of all pages, page by page.
    fn walk(results: &Arc<Results>) -> Vec<Vec<f64>> {
        let (mut cursors, now) = (Cursors::default(), Instant::now());
        let ids = |page| results.items(page).iter().map(|item| item.id).collect::<Vec<_>>();
        let first = results.page(0);
        let mut next = (first.end < results.len()).then(|| cursors.open(Arc::clone(results), first.end, now));
        let mut pages = vec![ids(first)];
        while let Some(cursor) = next {
            let found = cursors.advance(&cursor, now).unwrap();
            pages.push(ids(found.page));
            next = found.next;
        }
        assert_eq!((cursors.open.len(), cursors.size_bytes), (0, 0), "the last page leaves nothing behind");
        pages
    }

    #[test]
    fn pages_hold_every_result_once_and_in_order_within_their_bounds() {
        for (count, content_bytes) in
            [(0, 1), (1, 1), (50, 1), (51, 1), (100, 1), (100, 20_000), (7, 300_000)]
        {
            let results = results(count, content_bytes);
            let pages = walk(&results);
            let expected: Vec<f64> = (0..count).map(f64::from).collect();
            assert_eq!(pages.concat(), expected, "{count} results of {content_bytes} bytes");
            for page in &pages {
                let size = page.len() * content_bytes;
                assert!(
                    page.len() <= PAGE_ITEMS_MAX && (size <= PAGE_BYTES_MAX || page.len() == 1),
                    "{page:?}"
                );
                assert!(count == 0 || !page.is_empty(), "no page without results");
            }
        }
        assert_eq!(walk(&results(100, 1)).len(), 2);
        assert_eq!(walk(&results(100, 20_000)).len(), 8, "13 results of 20 kB fit 256 KiB");
    }

    #[tokio::test(start_paused = true)]
    async fn a_cursor_ends_when_nobody_asked_for_a_minute() {
        let mut cursors = Cursors::default();
        let cursor = cursors.open(results(150, 1), 50, Instant::now());
        for _ in 0..3 {
            tokio::time::advance(CURSOR_IDLE_MAX - Duration::from_millis(1)).await;
            let found =
                cursors.advance(&cursor, Instant::now()).expect("asking keeps it, and gives the same page");
            assert_eq!(found.page, 50..100);
        }
        tokio::time::advance(CURSOR_IDLE_MAX).await;
        assert!(cursors.advance(&cursor, Instant::now()).is_none());
        assert_eq!((cursors.open.len(), cursors.size_bytes), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn the_search_that_was_idle_longest_makes_room_for_a_new_one() {
        let mut cursors = Cursors::default();
        let mut kept = Vec::new();
        for _ in 0..CURSORS_MAX {
            kept.push(cursors.open(results(60, 1), 1, Instant::now()));
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert!(cursors.advance(&kept[0], Instant::now()).is_some(), "the first, which is used again");
        let first = cursors.open(results(60, 1), 1, Instant::now());
        assert_eq!(cursors.open.len(), CURSORS_MAX);
        assert!(cursors.advance(&kept[1], Instant::now()).is_none(), "the second was idle longest");
        assert!(cursors.advance(&first, Instant::now()).is_some());

        let large = CURSORS_BYTES_MAX / 100;
        cursors.open(results(99, large), 50, Instant::now());
        assert!(cursors.open.len() < CURSORS_MAX / 2, "a large one takes the place of many");
        assert!(cursors.size_bytes <= CURSORS_BYTES_MAX);
    }

    #[test]
    fn what_never_was_a_cursor_is_none() {
        let (mut cursors, now) = (Cursors::default(), Instant::now());
        let cursor = cursors.open(results(60, 1), 50, now);
        let id = cursor.strip_suffix("-50").unwrap().to_owned();
        for bad in [
            "",
            "-",
            "x",
            "x-1",
            &id,
            &format!("{id}-60"),
            &format!("{id}--1"),
            &format!("{id}-99999999999999999999"),
        ] {
            assert!(cursors.advance(bad, now).is_none(), "{bad}");
        }
        assert!(cursors.advance(&cursor, now).is_some());
    }
}
