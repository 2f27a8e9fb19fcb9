//! Results in pages, and the answers whose further pages somebody may still ask for: searches and walks, of which
//! nothing here knows. Pure: the time is an input.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use ring::rand::SystemRandom;
use tokio::time::Instant;

use crate::store::hex;

/// Most bytes of the results on a page; a quarter of the 1 MiB that NATS takes as a message by default. One result is
/// at most some 40 KiB, so a page always has one.
const PAGE_BYTES_MAX: usize = 256 * 1024;

/// Answers that may have open pages: clients that pull pages do so within seconds, and this is some hundred at once.
/// Beyond it the one that was idle longest is closed.
const CURSORS_MAX: usize = 256;

/// Bytes of their results in all; beyond it the one that was idle longest is closed. This has room for six of the
/// largest walks, for eight of the largest searches, and for all 256 of ordinary ones.
const CURSORS_BYTES_MAX: usize = 16 << 20;

/// An answer whose pages nobody asked for that long is closed.
const CURSOR_IDLE_MAX: Duration = Duration::from_secs(60);

/// Results that are told in pages, whatever they are.
pub trait Paged {
    /// Where their pages end.
    fn cuts(&self) -> &Cuts;

    /// Bytes that they occupy here.
    fn kept_bytes(&self) -> usize;
}

/// Where the pages of some results end.
#[derive(Debug)]
pub struct Cuts {
    /// Bytes of each result as JSON, at most.
    sizes: Vec<u32>,
    /// Most results on a page.
    page_items_max: usize,
}

impl Cuts {
    /// For results that have at most so many bytes each as JSON.
    pub fn new(sizes_bytes: impl Iterator<Item = usize>, page_items_max: usize) -> Self {
        let sizes = sizes_bytes.map(|size| u32::try_from(size).unwrap_or(u32::MAX)).collect();
        Self { sizes, page_items_max }
    }

    /// How many results on all pages.
    pub fn len(&self) -> usize {
        self.sizes.len()
    }

    /// Bytes of all results as JSON, at most.
    pub fn size(&self) -> usize {
        self.sizes.iter().map(|size| *size as usize).sum()
    }

    /// The page that begins at `from`: as many results as fit, at least one where there is one.
    pub fn page(&self, from: usize) -> Range<usize> {
        let mut bytes = 0;
        let fits = |size: &&u32| {
            let first = bytes == 0;
            bytes += **size as usize;
            first || bytes <= PAGE_BYTES_MAX
        };
        from..from + self.sizes[from..].iter().take(self.page_items_max).take_while(fits).count()
    }
}

/// A page that was asked for by its cursor.
#[derive(Debug)]
pub struct Found<R> {
    /// All results.
    pub results: Arc<R>,
    /// Those of the page.
    pub page: Range<usize>,
    /// Cursor of the page after it.
    pub next: Option<String>,
}

#[derive(Debug)]
struct Open<R> {
    results: Arc<R>,
    used_at: Instant,
}

/// Answers with open pages, by a number that cannot be guessed: who has no cursor of an answer does not see its pages.
#[derive(Debug)]
pub struct Cursors<R> {
    open: HashMap<String, Open<R>>,
    size_bytes: usize,
}

impl<R> Default for Cursors<R> {
    fn default() -> Self {
        Self { open: HashMap::new(), size_bytes: 0 }
    }
}

impl<R: Paged> Cursors<R> {
    /// Keeps `results` and gives the cursor of their page at `from`.
    pub fn open(&mut self, results: Arc<R>, from: usize, now: Instant) -> String {
        self.close_idle(now);
        let size_bytes = results.kept_bytes();
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

    /// The page of a cursor; `None` where it is not kept any more or never was one. The last page closes its answer;
    /// another may be asked for again.
    pub fn advance(&mut self, text: &str, now: Instant) -> Option<Found<R>> {
        self.close_idle(now);
        let (id, from) = text.split_once('-')?;
        let from: usize = from.parse().ok()?;
        let open = self.open.get_mut(id).filter(|open| from < open.results.cuts().len())?;
        open.used_at = now;
        let results = Arc::clone(&open.results);
        let page = results.cuts().page(from);
        let next = (page.end < results.cuts().len()).then(|| cursor(id, page.end));
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
                self.size_bytes -= open.results.kept_bytes();
            }
            keep
        });
    }

    fn close(&mut self, id: &str) {
        if let Some(open) = self.open.remove(id) {
            self.size_bytes -= open.results.kept_bytes();
        }
    }
}

fn cursor(id: &str, from: usize) -> String {
    format!("{id}-{from}")
}

/// A count as the contract's number.
pub fn count(count: usize) -> f64 {
    // A walk has at most some ten thousand results.
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE_ITEMS_MAX: usize = 50;

    impl Paged for Cuts {
        fn cuts(&self) -> &Cuts {
            self
        }

        fn kept_bytes(&self) -> usize {
            self.size()
        }
    }

    fn results(count: usize, size_bytes: usize) -> Arc<Cuts> {
        Arc::new(Cuts::new(std::iter::repeat_n(size_bytes, count), PAGE_ITEMS_MAX))
    }

    /// All pages.
    fn walk(results: &Arc<Cuts>) -> Vec<Range<usize>> {
        let (mut cursors, now) = (Cursors::default(), Instant::now());
        let first = results.page(0);
        let mut next = (first.end < results.len()).then(|| cursors.open(Arc::clone(results), first.end, now));
        let mut pages = vec![first];
        while let Some(cursor) = next {
            let found = cursors.advance(&cursor, now).unwrap();
            pages.push(found.page);
            next = found.next;
        }
        assert_eq!((cursors.open.len(), cursors.size_bytes), (0, 0), "the last page leaves nothing behind");
        pages
    }

    #[test]
    fn pages_hold_every_result_once_and_in_order_within_their_bounds() {
        for (count, size_bytes) in [(0, 1), (1, 1), (50, 1), (51, 1), (100, 1), (100, 20_000), (7, 300_000)] {
            let pages = walk(&results(count, size_bytes));
            let told: Vec<usize> = pages.iter().cloned().flatten().collect();
            assert_eq!(told, (0..count).collect::<Vec<_>>(), "{count} results of {size_bytes} bytes");
            for page in &pages {
                let size = page.len() * size_bytes;
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
            kept.push(cursors.open(results(60, 1_000), 1, Instant::now()));
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert!(cursors.advance(&kept[0], Instant::now()).is_some(), "the first, which is used again");
        let first = cursors.open(results(60, 1_000), 1, Instant::now());
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
