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
    pub(super) name: Name,
    pub(super) has_bad_value: bool,
    /// Bytes, decoded.
    pub(super) name_length: usize,
    pub(super) value_length: usize,
}

/// What a name says of its value, and of where it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Authority,
    Method,
    Path,
    Protocol,
    Scheme,
    Status,
    Te,
    Regular,
    /// None that may be, or a reference to one that was blanked.
    Bad,
}

/// The length of each name of the static table (RFC 7541, appendix A).
#[rustfmt::skip]
const STATIC_NAMES: [u8; 61] = [
    10, 7, 7, 5, 5, 7, 7, 7, 7, 7, 7, 7, 7, 7, 14, 15, 15, 13, 6, 27, 3, 5, 13, 13, 19, 16, 16, 14, 16, 13, 12, 6, 4, 4, 6,
    7, 4, 4, 8, 17, 13, 8, 19, 13, 4, 8, 12, 18, 19, 5, 7, 7, 11, 6, 10, 25, 17, 10, 4, 3, 16,
];
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

    /// The name at `index` (RFC 7541, appendix A).
    pub(super) fn name(&self, index: usize) -> Name {
        match index {
            1 => Name::Authority,
            2 | 3 => Name::Method,
            4 | 5 => Name::Path,
            6 | 7 => Name::Scheme,
            8..=14 => Name::Status,
            // transfer-encoding
            57 => Name::Bad,
            _ => self.get(index).map_or(Name::Regular, |entry| entry.name),
        }
    }

    /// The length of the name at `index`, 0 of one that does not exist.
    pub(super) fn name_length(&self, index: usize) -> usize {
        let of_static = || STATIC_NAMES.get(index.checked_sub(1)?).map(|&length| usize::from(length));
        self.get(index).map(|entry| entry.name_length).or_else(of_static).unwrap_or(0)
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

impl Name {
    pub(super) fn is_pseudo(self) -> bool {
        !matches!(self, Name::Te | Name::Regular | Name::Bad)
    }
}

impl Entry {
    fn size(&self) -> usize {
        self.name_length + self.value_length + ENTRY_OVERHEAD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(value: usize) -> Entry {
        Entry { name: Name::Regular, has_bad_value: false, name_length: 4, value_length: value }
    }

    #[test]
    fn the_oldest_entries_make_room() {
        let mut table = Table::default();
        // 40 bytes each.
        (0..102).for_each(|_| table.insert(entry(4)));
        assert!(table.contains(61 + 102) && !table.contains(61 + 103) && !table.contains(0));
        table.insert(entry(20));
        assert!(table.contains(61 + 102), "the size of the table is 4096");
        assert_eq!(table.get(62).unwrap().value_length, 20);
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
