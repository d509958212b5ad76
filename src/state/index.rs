//! A hash index of slots whose table grows and shrinks by one page at a time.
//!
//! A page is a small open-addressing table of hashes and slots, beside a table of tags: a byte of each hash. A look-up
//! probes the tags and reads what has the right one, so for a key that is not in the index it reads a cache line of tags,
//! which are few enough to stay in a cache, and hardly ever anything else. The pages form a linear hash table: the page of a hash is its low
//! bits, and a new page takes its cells from one other page. So an insert or a removal moves the cells of two pages at
//! most, and the memory follows the number of slots.

use super::{
    slab::{NO_SLOT, Slot},
    touched::touch,
};

/// A page is added when all have so many cells in use on average, and one is taken away at half of that.
const PAGE: usize = 1_024;

/// The fewest cells of a page; a page with as few is not made smaller.
const FEWEST: usize = 8;

#[derive(Clone, Copy, Debug)]
struct Cell {
    hash: u32,
    slot: Slot,
}

/// The tag of a cell that is not in use; the tag of any other has the highest bit.
const VACANT: u8 = 0;

/// Bits of a hash that neither its page nor its home in the page depends on, up to some millions of slots.
#[inline]
const fn tag_of(hash: u32) -> u8 {
    (hash >> 13) as u8 | 0x80
}

/// So many tags are probed at once, as the bytes of an integer.
const GROUP: usize = 8;

const LOWEST_BITS: u64 = u64::MAX / 0xFF;
const HIGHEST_BITS: u64 = LOWEST_BITS << 7;

/// An open-addressing table with linear probing; a quarter of the cells at least is vacant, so each probe ends.
#[derive(Debug)]
pub(crate) struct Page {
    /// One for each cell, and the first ones once more, so that a group of tags can begin at any cell.
    tags: Box<[u8]>,
    cells: Box<[Cell]>,
    used: usize,
}

impl Page {
    /// A page that takes twice as many cells as given before it is resized.
    fn for_cells(used: usize) -> Self {
        let cells = (11 * used / 4).max(FEWEST);
        Self {
            tags: vec![VACANT; cells + GROUP].into(),
            cells: vec![Cell { hash: 0, slot: NO_SLOT }; cells].into(),
            used: 0,
        }
    }

    /// Where the probes for a hash begin: by its high bits, since the low ones are the same for all of a page.
    #[inline]
    fn home(&self, hash: u32) -> usize {
        ((u64::from(hash) * self.cells.len() as u64) >> 32) as usize
    }

    /// The place of a cell that may be counted beyond the last one.
    #[inline]
    fn wrapped(&self, at: usize) -> usize {
        if at < self.cells.len() {
            at
        } else {
            at - self.cells.len()
        }
    }

    /// The tags from a cell on, and a bit for each that is vacant.
    #[inline]
    fn group(&self, at: usize) -> (u64, u64) {
        let tags = self.tags[at..at + GROUP].try_into().map_or(0, u64::from_le_bytes);
        (tags, !tags & HIGHEST_BITS)
    }

    /// The cell with this hash whose slot `is_it` accepts.
    #[inline]
    fn position(&self, hash: u32, is_it: impl Fn(Slot) -> bool) -> Option<usize> {
        let mut first = self.home(hash);
        loop {
            let (tags, vacant) = self.group(first);
            // A bit for each zero byte, and perhaps for the byte behind one: the cell has the last word.
            let others = tags ^ (LOWEST_BITS * u64::from(tag_of(hash)));
            let mut same = others.wrapping_sub(LOWEST_BITS) & !others & HIGHEST_BITS;
            while same != 0 {
                let at = self.wrapped(first + same.trailing_zeros() as usize / 8);
                let cell = self.cells[at];
                if cell.hash == hash && is_it(cell.slot) {
                    return Some(at);
                }
                same &= same - 1;
            }
            if vacant != 0 {
                return None;
            }
            first = self.wrapped(first + GROUP);
        }
    }

    #[inline]
    fn insert(&mut self, cell: Cell) {
        if 4 * (self.used + 1) > 3 * self.cells.len() {
            self.resize();
        }
        let mut first = self.home(cell.hash);
        let at = loop {
            let (_, vacant) = self.group(first);
            if vacant != 0 {
                break self.wrapped(first + vacant.trailing_zeros() as usize / 8);
            }
            first = self.wrapped(first + GROUP);
        };
        self.set_tag(at, tag_of(cell.hash));
        self.cells[at] = cell;
        self.used += 1;
    }

    #[inline]
    fn set_tag(&mut self, at: usize, tag: u8) {
        self.tags[at] = tag;
        if at < GROUP {
            let copy = self.cells.len() + at;
            self.tags[copy] = tag;
        }
    }

    /// Vacates a cell, and moves those behind it up that were not in their place because it was in use.
    fn remove(&mut self, mut gap: usize) {
        self.used -= 1;
        let mut at = gap;
        loop {
            at = self.wrapped(at + 1);
            if self.tags[at] == VACANT {
                break;
            }
            let cell = self.cells[at];
            // A probe for the cell passes the gap unless it begins behind it.
            let home = self.home(cell.hash);
            let begins_behind = if gap < at {
                gap < home && home <= at
            } else {
                gap < home || home <= at
            };
            if !begins_behind {
                self.set_tag(gap, tag_of(cell.hash));
                self.cells[gap] = cell;
                gap = at;
            }
        }
        self.set_tag(gap, VACANT);
        if self.cells.len() > FEWEST && 8 * self.used < self.cells.len() {
            self.resize();
        }
    }

    #[inline(never)]
    fn resize(&mut self) {
        let page = Self::for_cells(self.used);
        let old = std::mem::replace(self, page);
        self.take_from(&old);
    }

    fn take_from(&mut self, other: &Self) {
        other.used_cells().for_each(|cell| self.insert(cell));
    }

    fn used_cells(&self) -> impl Iterator<Item = Cell> {
        let cells = self.cells.iter().zip(&self.tags);
        let used = cells.filter(|&(_, tag)| *tag != VACANT);
        used.map(|(cell, _)| *cell).inspect(|_| touch())
    }
}

/// The memory of an index.
pub(crate) type Pages = Vec<Page>;

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Index {
    pages: Pages,
    len: usize,
}

impl Index {
    pub(crate) const fn new() -> Self {
        Self {
            pages: Vec::new(),
            len: 0,
        }
    }

    /// The slot with this hash that `is_it` accepts.
    #[inline]
    pub(crate) fn find(&self, hash: u32, is_it: impl Fn(Slot) -> bool) -> Option<Slot> {
        if self.len == 0 {
            return None;
        }
        let page = &self.pages[page_of(hash, self.pages.len())];
        page.position(hash, is_it).map(|at| page.cells[at].slot)
    }

    /// Adds a slot under the hash of a key that no slot in the index has.
    #[inline]
    pub(crate) fn insert(&mut self, hash: u32, slot: Slot) {
        if self.len >= self.pages.len() * PAGE {
            self.split();
        }
        let page = page_of(hash, self.pages.len());
        self.pages[page].insert(Cell { hash, slot });
        self.len += 1;
    }

    /// Takes out a slot that was added under this hash; says whether it was in.
    pub(crate) fn remove(&mut self, hash: u32, slot: Slot) -> bool {
        if self.len == 0 {
            return false;
        }
        let page = page_of(hash, self.pages.len());
        let page = &mut self.pages[page];
        let Some(at) = page.position(hash, |it| it == slot) else {
            return false;
        };
        page.remove(at);
        self.len -= 1;
        // Pages are merged at half the load at which they are split, so that a length that goes up and down by one does
        // not split and merge at every step.
        if self.pages.len() > 1 && self.len < self.pages.len() * (PAGE / 2) {
            self.merge();
        }
        true
    }

    /// Forgets every slot; answers with the memory, which may be large.
    pub(crate) fn clear(&mut self) -> Pages {
        std::mem::replace(self, Self::new()).pages
    }

    /// Adds a page and moves into it what belongs there from the one page that held it so far.
    #[inline(never)]
    fn split(&mut self) {
        let added = self.pages.len();
        if added == 0 {
            self.pages.push(Page::for_cells(0));
            return;
        }
        // The new page differs from `source` in its highest bit alone, so only cells of `source` can belong to it.
        let source = source_of(added);
        let half = self.pages[source].used / 2;
        let both = std::mem::replace(&mut self.pages[source], Page::for_cells(half));
        self.pages.push(Page::for_cells(half));
        for cell in both.used_cells() {
            let page = page_of(cell.hash, added + 1);
            self.pages[page].insert(cell);
        }
    }

    /// Undoes the latest split.
    #[inline(never)]
    fn merge(&mut self) {
        let Some(last) = self.pages.pop() else {
            return;
        };
        let target = source_of(self.pages.len());
        let target = &mut self.pages[target];
        let mut both = Page::for_cells(target.used + last.used);
        both.take_from(target);
        both.take_from(&last);
        *target = both;
        if self.pages.len() < self.pages.capacity() / 4 {
            self.pages.shrink_to(2 * self.pages.len());
        }
    }
}

/// The page of a hash among so many: its low bits, one bit fewer where that page does not exist yet.
#[inline]
const fn page_of(hash: u32, pages: usize) -> usize {
    let mask = pages.next_power_of_two() - 1;
    let page = hash as usize & mask;
    if page < pages { page } else { page & (mask >> 1) }
}

/// The page that a new page takes its cells from.
const fn source_of(page: usize) -> usize {
    page - (1 << page.ilog2())
}

#[cfg(test)]
mod tests {
    use {super::*, proptest::prelude::*, std::collections::BTreeMap};

    /// Spreads some numbers over all bits, as a hash does, and many over few values.
    fn hash(word: u32, spread: u32) -> u32 {
        (word % spread).wrapping_mul(0x9E37_79B9)
    }

    proptest! {
        #[test]
        fn an_index_finds_what_is_in_it_and_nothing_else(
            words in prop::collection::vec(0_u32..700, 1..2_000),
            spread in prop::sample::select(vec![1_u32, 7, 1_000_000]),
        ) {
            let mut index = Index::new();
            let mut model = BTreeMap::new();
            let found = |index: &Index, model: &BTreeMap<u32, Slot>, word| {
                index.find(hash(word, spread), |slot| model.get(&word) == Some(&slot))
            };
            for (word, slot) in words.into_iter().zip(0..) {
                if let Some(slot) = model.get(&word).copied() {
                    prop_assert_eq!(found(&index, &model, word), Some(slot));
                    prop_assert!(index.remove(hash(word, spread), slot));
                    prop_assert!(!index.remove(hash(word, spread), slot));
                    model.remove(&word);
                } else {
                    index.insert(hash(word, spread), slot);
                    model.insert(word, slot);
                }
                prop_assert_eq!(index.len, model.len());
            }
            for word in 0..700 {
                prop_assert_eq!(found(&index, &model, word), model.get(&word).copied());
            }
            let used: usize = index.pages.iter().map(|page| page.used_cells().count()).sum();
            prop_assert_eq!(used, model.len());
        }
    }

    #[test]
    fn a_table_grows_and_shrinks_with_what_is_in_it_by_a_few_pages_a_step() {
        let mut index = Index::new();
        let cells = |index: &Index| index.pages.iter().map(|page| page.cells.len()).sum::<usize>();
        let step = |index: &mut Index, change: &mut dyn FnMut(&mut Index)| {
            let before = super::super::touched::count();
            change(index);
            let moved = super::super::touched::count() - before;
            assert!(moved <= 4 * PAGE, "one step moved {moved} cells");
        };
        for word in 0..100_000 {
            step(&mut index, &mut |index| index.insert(hash(word, u32::MAX), word));
            assert!(cells(&index) <= 3 * index.len + 2 * FEWEST * index.pages.len());
        }
        assert_eq!(index.pages.len(), 100_000_usize.div_ceil(PAGE));
        for word in 10..100_000 {
            step(&mut index, &mut |index| {
                assert!(index.remove(hash(word, u32::MAX), word));
            });
            assert!(cells(&index) <= 8 * index.len + 2 * FEWEST * index.pages.len());
        }
        assert_eq!(index.pages.len(), 1);
        assert!(index.pages.capacity() < 10);
        assert!((0..10).all(|word| index.find(hash(word, u32::MAX), |_| true) == Some(word)));
    }
}
