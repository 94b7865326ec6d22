//! What is remembered of a decoder's tables (RFC 7541, section 2.3): which entries there are, and what is wrong with them.

use std::collections::VecDeque;

/// The dynamic table of one direction of a connection, newest entry first.
#[derive(Debug)]
pub(super) struct Table {
    entries: VecDeque<Entry>,
    /// Bytes of all entries, and how many there may be.
    size: usize,
    max_size: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) is_pseudo: bool,
    pub(super) has_bad_name: bool,
    pub(super) has_bad_value: bool,
    /// Bytes, decoded.
    pub(super) name: usize,
    pub(super) value: usize,
}

/// The length of each name of the static table (RFC 7541, appendix A), of which the first are pseudo-headers.
#[rustfmt::skip]
const STATIC_NAMES: [u8; 61] = [
    10, 7, 7, 5, 5, 7, 7, 7, 7, 7, 7, 7, 7, 7, 14, 15, 15, 13, 6, 27, 3, 5, 13, 13, 19, 16, 16, 14, 16, 13, 12, 6, 4, 4, 6,
    7, 4, 4, 8, 17, 13, 8, 19, 13, 4, 8, 12, 18, 19, 5, 7, 7, 11, 6, 10, 25, 17, 10, 4, 3, 16,
];
const STATIC_PSEUDO: usize = 14;
/// The size of an entry with an empty name and value (RFC 7541, section 4.1).
const ENTRY_OVERHEAD: usize = 32;

impl Default for Table {
    fn default() -> Self {
        Table { entries: VecDeque::new(), size: 0, max_size: super::HEADER_TABLE_SIZE as usize }
    }
}

impl Table {
    /// Whether an index is one of either table.
    pub(super) fn contains(&self, index: usize) -> bool {
        index > 0 && index <= STATIC_NAMES.len() + self.entries.len()
    }

    /// The entry of the dynamic table at `index`.
    pub(super) fn get(&self, index: usize) -> Option<&Entry> {
        self.entries.get(index.checked_sub(STATIC_NAMES.len() + 1)?)
    }

    pub(super) fn is_pseudo(&self, index: usize) -> bool {
        index <= STATIC_PSEUDO || self.get(index).is_some_and(|entry| entry.is_pseudo)
    }

    /// The length of the name at `index`, 0 of one that does not exist.
    pub(super) fn name_length(&self, index: usize) -> usize {
        let of_static = || STATIC_NAMES.get(index.checked_sub(1)?).map(|&length| usize::from(length));
        self.get(index).map(|entry| entry.name).or_else(of_static).unwrap_or(0)
    }

    /// Adds an entry; one that is larger than the table only empties it (RFC 7541, section 4.4).
    pub(super) fn insert(&mut self, entry: Entry) {
        self.entries.push_front(entry);
        self.size += entry.size();
        self.evict();
    }

    /// A change of the size (RFC 7541, section 4.3); false for one above what we allow.
    pub(super) fn resize(&mut self, max_size: usize) -> bool {
        let is_allowed = max_size <= super::HEADER_TABLE_SIZE as usize;
        if is_allowed {
            self.max_size = max_size;
            self.evict();
        }
        is_allowed
    }

    fn evict(&mut self) {
        while self.size > self.max_size {
            let Some(oldest) = self.entries.pop_back() else { return };
            self.size -= oldest.size();
        }
    }
}

impl Entry {
    fn size(&self) -> usize {
        self.name + self.value + ENTRY_OVERHEAD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(value: usize) -> Entry {
        Entry { is_pseudo: false, has_bad_name: false, has_bad_value: false, name: 4, value }
    }

    #[test]
    fn the_oldest_entries_make_room() {
        let mut table = Table::default();
        // 40 bytes each.
        (0..102).for_each(|_| table.insert(entry(4)));
        assert!(table.contains(61 + 102) && !table.contains(61 + 103) && !table.contains(0));
        table.insert(entry(20));
        assert!(table.contains(61 + 102), "the size of the table is 4096");
        assert_eq!(table.get(62).unwrap().value, 20);
        table.insert(entry(60));
        assert!(table.contains(61 + 100) && !table.contains(61 + 101));
        assert!(table.resize(80));
        assert!(table.contains(61) && !table.contains(62), "the newest is larger");
        table.insert(entry(4));
        assert!(table.contains(62));
        table.insert(entry(5000));
        assert!(!table.contains(62));
        assert!(!table.resize(4097));
    }

    #[test]
    fn names_have_lengths() {
        let mut table = Table::default();
        table.insert(entry(9));
        let lengths = [0, 1, 15, 61, 62, 63].map(|index| table.name_length(index));
        assert_eq!(lengths, [0, ":authority".len(), "accept-charset".len(), "www-authenticate".len(), 4, 0]);
        assert_eq!(table.name_length(56), "strict-transport-security".len());
    }
}
