//! Counts the records that a call looks at, so that `tests/growth` can bound the work done under one lock.
//!
//! Every access to a record counts, and so does every entry of a window that is read or dropped. Outside tests nothing
//! is counted.

/// Counts one record or entry.
#[cfg(test)]
pub(crate) fn touch() {
    COUNT.with(|count| count.set(count.get() + 1));
}

/// Counts one record or entry.
#[cfg(not(test))]
#[inline(always)]
pub(crate) const fn touch() {}

/// Records and entries counted so far by the calls of this thread.
#[cfg(test)]
pub(crate) fn count() -> usize {
    COUNT.with(std::cell::Cell::get)
}

#[cfg(test)]
std::thread_local! {
    static COUNT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use {super::*, crate::state::slab::Slab};

    #[test]
    fn every_access_to_a_record_counts() {
        let mut records = Slab::new();
        let touched = |access: &mut dyn FnMut()| {
            let before = count();
            access();
            count() - before
        };
        let mut slots = Vec::new();
        assert_eq!(touched(&mut || slots.extend((0..3).map(|it| records.insert(it)))), 3);
        assert_eq!(touched(&mut || records[slots[0]] += records[slots[1]]), 2);
        assert_eq!(touched(&mut || records.remove(slots[2])), 1);
    }
}
