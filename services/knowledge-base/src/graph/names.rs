//! Names, each kept once: a number stands for a text for as long as something uses it. Texts lie one after the other in
//! one string, because a box for each of some hundred thousand short names costs more than the names.

use std::hash::BuildHasher;
use std::hash::RandomState;

use hashbrown::HashTable;

/// Bytes of texts that nobody uses, below which they are left where they are: moving the others costs more.
const HOLES_BYTES_MIN: usize = 64 * 1024;

#[derive(Debug, Clone, Copy)]
struct Entry {
    start: usize,
    size_bytes: u32,
    /// 0 where the number is free.
    uses: u32,
}

/// Texts by number and numbers by text.
///
/// A number that is free is given to a later name; its place in the tables (some 25 bytes) is kept for that, the text's
/// is given back. Clients choose the names, so they are hashed by the standard library's hash with a secret.
#[derive(Debug, Clone, Default)]
pub struct Names {
    text: String,
    /// Bytes of `text` that belong to no name.
    holes_bytes: usize,
    entries: Vec<Entry>,
    free: Vec<u32>,
    by_text: HashTable<u32>,
    hasher: RandomState,
}

impl Names {
    /// How many names are in use.
    pub fn len(&self) -> usize {
        self.by_text.len()
    }

    /// The number of `name`, where it is in use.
    pub fn find(&self, name: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(name);
        self.by_text.find(hash, |&id| self.text_of(id) == name).copied()
    }

    /// The number of `name`, with one more use.
    ///
    /// # Panics
    /// Beyond 2^32 names: they would need more memory than machines have.
    pub fn acquire(&mut self, name: &str) -> u32 {
        if let Some(id) = self.find(name) {
            self.entries[id as usize].uses += 1;
            return id;
        }
        let size_bytes = u32::try_from(name.len()).expect("statements are far shorter");
        let entry = Entry { start: self.text.len(), size_bytes, uses: 1 };
        self.text.push_str(name);
        let id = match self.free.pop() {
            Some(id) => {
                self.entries[id as usize] = entry;
                id
            }
            None => {
                self.entries.push(entry);
                u32::try_from(self.entries.len() - 1).expect("there are fewer names than 2^32")
            }
        };
        let Self { text, entries, by_text, hasher, .. } = self;
        by_text.insert_unique(hasher.hash_one(name), id, |&id| {
            hasher.hash_one(slice(text, entries[id as usize]))
        });
        id
    }

    /// Takes one use away; true where it was the last, and the number is free.
    pub fn release(&mut self, id: u32) -> bool {
        let entry = &mut self.entries[id as usize];
        entry.uses -= 1;
        if entry.uses > 0 {
            return false;
        }
        let size_bytes = entry.size_bytes as usize;
        let hash = self.hasher.hash_one(self.text_of(id));
        if let Ok(found) = self.by_text.find_entry(hash, |&other| other == id) {
            found.remove();
        }
        self.free.push(id);
        self.holes_bytes += size_bytes;
        if self.holes_bytes > HOLES_BYTES_MIN.max(self.text.len() / 2) {
            self.close_holes();
        }
        true
    }

    /// The text of a number in use.
    pub fn text_of(&self, id: u32) -> &str {
        slice(&self.text, self.entries[id as usize])
    }

    /// How many use a number.
    pub fn uses(&self, id: u32) -> u32 {
        self.entries[id as usize].uses
    }

    /// All numbers in use.
    pub fn ids(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.entries).filter(|(_, entry)| entry.uses > 0).map(|(id, _)| id)
    }

    /// Moves the texts together. As many bytes were freed since the last time as are moved now, so it costs a release
    /// no more than its own text.
    fn close_holes(&mut self) {
        let mut text = String::with_capacity(self.text.len() - self.holes_bytes);
        for entry in self.entries.iter_mut().filter(|entry| entry.uses > 0) {
            let start = text.len();
            text.push_str(slice(&self.text, *entry));
            entry.start = start;
        }
        (self.text, self.holes_bytes) = (text, 0);
        let Self { text, entries, by_text, hasher, .. } = self;
        by_text.shrink_to(by_text.len(), |&id| hasher.hash_one(slice(text, entries[id as usize])));
    }
}

fn slice(text: &str, entry: Entry) -> &str {
    &text[entry.start..entry.start + entry.size_bytes as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_number_until_its_last_use_ends() {
        let mut names = Names::default();
        let (ada, bob) = (names.acquire("ada"), names.acquire("bob"));
        assert_eq!((names.acquire("ada"), names.uses(ada), names.len()), (ada, 2, 2));
        assert!(!names.release(ada) && names.find("ada") == Some(ada));
        assert!(names.release(ada) && names.find("ada").is_none());
        assert_eq!(names.acquire("carl"), ada, "a free number is used again");
        assert_eq!((names.text_of(ada), names.text_of(bob)), ("carl", "bob"));
        assert_eq!(names.ids().collect::<Vec<_>>(), [ada, bob]);
    }

    #[test]
    fn texts_that_nobody_uses_give_their_bytes_back() {
        let mut names = Names::default();
        let name = |number: usize| format!("name-{number:0100}");
        let ids: Vec<_> = (0..10_000).map(|number| names.acquire(&name(number))).collect();
        let full = names.text.capacity();
        for (number, id) in ids.iter().enumerate().filter(|(number, _)| number % 10 != 0) {
            assert!(names.release(*id), "{number}");
        }
        assert!(names.text.capacity() < full / 3, "{} of {full}", names.text.capacity());
        for number in 0..10_000 {
            let found = names.find(&name(number)).map(|id| names.text_of(id).to_owned());
            assert_eq!(found, (number % 10 == 0).then(|| name(number)), "{number}");
        }
    }
}
