//! Values by number, whose numbers are used again.

#[derive(Debug)]
pub(super) struct Slab<T> {
    entries: Vec<Entry<T>>,
    vacant: Vec<u32>,
}

#[derive(Debug)]
struct Entry<T> {
    /// How many values have been here.
    serial: u32,
    value: Option<T>,
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Self {
        Self {
            entries: Vec::new(),
            vacant: Vec::new(),
        }
    }

    /// Stores a value; returns its number and serial.
    #[inline]
    pub(super) fn insert(&mut self, value: T) -> (u32, u32) {
        match self.vacant.pop() {
            Some(index) => {
                let entry = &mut self.entries[index as usize];
                entry.serial = entry.serial.wrapping_add(1);
                entry.value = Some(value);
                (index, entry.serial)
            }
            None => {
                let index = self.entries.len() as u32;
                self.entries.push(Entry {
                    serial: 0,
                    value: Some(value),
                });
                (index, 0)
            }
        }
    }

    #[inline]
    pub(super) fn remove(&mut self, index: u32) -> Option<T> {
        let value = self.entries.get_mut(index as usize)?.value.take()?;
        self.vacant.push(index);
        Some(value)
    }

    #[inline]
    pub(super) fn get(&self, index: u32) -> Option<&T> {
        self.entries.get(index as usize)?.value.as_ref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.entries.get_mut(index as usize)?.value.as_mut()
    }

    /// The value, if it is still the one with this serial.
    #[inline]
    pub(super) fn get_if(&mut self, index: u32, serial: u32) -> Option<&mut T> {
        let entry = self.entries.get_mut(index as usize)?;
        if entry.serial == serial {
            entry.value.as_mut()
        } else {
            None
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.vacant.len()
    }

    pub(super) fn serial(&self, index: u32) -> u32 {
        self.entries.get(index as usize).map_or(0, |it| it.serial)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        let numbered = self.entries.iter().zip(0..);
        numbered.filter_map(|(entry, index)| Some((index, entry.value.as_ref()?)))
    }
}
