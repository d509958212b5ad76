//! A queue by hand in redb: bodies and leases in two tables, the order in memory, and a group commit on top.

use {
    super::Store,
    parking_lot::{Condvar, Mutex},
    redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition},
    std::{collections::VecDeque, hint::black_box, mem, path::Path},
};

const BODIES: TableDefinition<'static, u64, &str> = TableDefinition::new("bodies");
/// How often a message was received, and until when it is hidden.
const LEASES: TableDefinition<'static, u64, (u32, u64)> = TableDefinition::new("leases");

const NO_SECOND_LEASE: u64 = u64::MAX;

enum Change {
    Send(u64, Box<str>),
    Receive(u64),
    Delete(u64),
}

pub(crate) struct Redb {
    database: Database,
    durability: Durability,
    order: Mutex<Order>,
    group: Mutex<Group>,
    committed: Condvar,
}

/// The order of the messages, which a queue in redb would keep in memory as well.
#[derive(Default)]
struct Order {
    last: u64,
    visible: VecDeque<u64>,
}

/// What the next transaction holds.
#[derive(Default)]
struct Group {
    changes: Vec<Change>,
    /// The number of the transaction that will hold them.
    next: u64,
    /// All transactions below this number were committed.
    done: u64,
    is_led: bool,
}

impl Redb {
    /// `Durability::Immediate`, redb's default, syncs every commit.
    pub(crate) fn open(directory: &Path) -> Self {
        Self::with(directory, Durability::Immediate)
    }

    /// `Durability::None`, which loses what no later commit has synced if the process is killed.
    pub(crate) fn open_unsynced(directory: &Path) -> Self {
        Self::with(directory, Durability::None)
    }

    fn with(directory: &Path, durability: Durability) -> Self {
        let database = Database::create(directory.join("queue.redb")).expect("a database can be opened");
        let transaction = database.begin_write().expect("nothing else writes");
        transaction.open_table(BODIES).expect("the table can be made");
        transaction.open_table(LEASES).expect("the table can be made");
        transaction.commit().expect("the disk has room");
        let order = Order::read(&database);
        Self {
            database,
            durability,
            order: Mutex::new(order),
            group: Mutex::default(),
            committed: Condvar::new(),
        }
    }

    /// Leader and followers: whoever comes first commits what all have brought, and the others wait for it.
    fn commit(&self, changes: impl IntoIterator<Item = Change>) {
        let mut group = self.group.lock();
        group.changes.extend(changes);
        let mine = group.next;
        while group.done <= mine {
            if group.is_led {
                self.committed.wait(&mut group);
                continue;
            }
            let number = group.next;
            let changes = mem::take(&mut group.changes);
            group.next += 1;
            group.is_led = true;
            drop(group);
            self.write(&changes).expect("the database is open");
            group = self.group.lock();
            group.is_led = false;
            group.done = number + 1;
            self.committed.notify_all();
        }
    }

    fn write(&self, changes: &[Change]) -> Result<(), redb::Error> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(self.durability)?;
        {
            let mut bodies = transaction.open_table(BODIES)?;
            let mut leases = transaction.open_table(LEASES)?;
            for change in changes {
                match change {
                    Change::Send(id, body) => drop(bodies.insert(id, &**body)?),
                    Change::Receive(id) => drop(leases.insert(id, (1, NO_SECOND_LEASE))?),
                    Change::Delete(id) => {
                        bodies.remove(id)?;
                        leases.remove(id)?;
                    }
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

impl Order {
    fn read(database: &Database) -> Self {
        let read = || {
            let bodies = database.begin_read()?.open_table(BODIES)?;
            let ids = bodies.iter()?.map(|entry| Ok(entry?.0.value()));
            ids.collect::<Result<VecDeque<_>, redb::Error>>()
        };
        let visible = read().expect("the database is open");
        Self {
            last: visible.back().copied().unwrap_or(0),
            visible,
        }
    }
}

impl Redb {
    fn send_many(&self, messages: usize, body: &str) {
        let mut order = self.order.lock();
        let ids = order.last + 1..=order.last + messages as u64;
        order.last += messages as u64;
        drop(order);
        self.commit(ids.clone().map(|id| Change::Send(id, body.into())));
        self.order.lock().visible.extend(ids);
    }

    fn take_many(&self, messages: usize) {
        let mut order = self.order.lock();
        assert!(order.visible.len() >= messages, "so many were sent");
        let ids: Vec<_> = order.visible.drain(..messages).collect();
        drop(order);
        self.commit(ids.iter().copied().map(Change::Receive));
        self.look_at(&ids).expect("the database is open");
        self.commit(ids.into_iter().map(Change::Delete));
    }

    fn look_at(&self, ids: &[u64]) -> Result<(), redb::Error> {
        let bodies = self.database.begin_read()?.open_table(BODIES)?;
        for id in ids {
            let body = bodies.get(id)?.expect("it is not deleted yet");
            black_box(Box::<str>::from(body.value()));
        }
        Ok(())
    }
}

impl Store for Redb {
    fn send(&self, body: &str) {
        self.send_many(1, body);
    }

    fn take(&self) {
        self.take_many(1);
    }

    fn send_ten(&self, body: &str) {
        self.send_many(10, body);
    }

    fn take_ten(&self) {
        self.take_many(10);
    }

    fn fill(&self, messages: usize, body: &str) {
        (0..messages / 1_000).for_each(|_| self.send_many(1_000, body));
    }

    fn drain(&self, messages: usize) {
        (0..messages / 1_000).for_each(|_| self.take_many(1_000));
    }
}
