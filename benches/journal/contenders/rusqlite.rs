//! A queue by hand in SQLite: one table, three statements, each a transaction.

use {
    super::Store,
    parking_lot::Mutex,
    rusqlite::{Connection, params},
    std::{
        hint::black_box,
        path::Path,
        time::{SystemTime, UNIX_EPOCH},
    },
};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    visible_at INTEGER NOT NULL,
    receive_count INTEGER NOT NULL DEFAULT 0,
    body TEXT NOT NULL
)";
const SEND: &str = "INSERT INTO messages (visible_at, body) VALUES (?1, ?2)";
/// Visible messages stand first here, so that no index on `visible_at` is needed, which would cost more.
const RECEIVE: &str = "UPDATE messages SET visible_at = ?1 + 43200000, receive_count = receive_count + 1
    WHERE id IN (SELECT id FROM messages WHERE visible_at <= ?1 ORDER BY id LIMIT ?2) RETURNING id, body";
const DELETE: &str = "DELETE FROM messages WHERE id = ?1";

pub(crate) struct Rusqlite(Mutex<Connection>);

impl Rusqlite {
    /// WAL with synchronous=off, which a killed process survives and a power cut does not.
    pub(crate) fn open_off(directory: &Path) -> Self {
        Self::open(directory, "off")
    }

    /// WAL with synchronous=full, which syncs every commit.
    pub(crate) fn open_full(directory: &Path) -> Self {
        Self::open(directory, "full")
    }

    fn open(directory: &Path, synchronous: &str) -> Self {
        let open = || {
            let connection = Connection::open(directory.join("queue.db"))?;
            connection.pragma_update(None, "journal_mode", "wal")?;
            connection.pragma_update(None, "synchronous", synchronous)?;
            connection.execute(TABLE, [])?;
            Ok::<_, rusqlite::Error>(connection)
        };
        Self(Mutex::new(open().expect("a database can be opened")))
    }

    fn in_transaction(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<()>) {
        let connection = &mut *self.0.lock();
        let transact = || {
            let transaction = connection.transaction()?;
            work(&transaction)?;
            transaction.commit()
        };
        transact().expect("the database is open");
    }
}

fn send(connection: &Connection, body: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(SEND)?.execute(params![now(), body])?;
    Ok(())
}

fn receive(connection: &Connection, messages: usize) -> rusqlite::Result<Vec<i64>> {
    let mut statement = connection.prepare_cached(RECEIVE)?;
    let rows = statement.query_map(params![now(), messages as i64], |row| {
        black_box(row.get::<_, String>(1)?);
        row.get(0)
    })?;
    let ids: Vec<i64> = rows.collect::<Result<_, _>>()?;
    assert_eq!(ids.len(), messages, "so many were sent");
    Ok(ids)
}

fn delete(connection: &Connection, ids: &[i64]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(DELETE)?;
    ids.iter().try_for_each(|id| statement.execute([id]).map(|_| ()))
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("the clock is past 1970").as_millis() as i64
}

impl Rusqlite {
    /// Two transactions: a receive is on its way to a worker before its delete begins.
    fn take_many(&self, messages: usize) {
        let mut ids = Vec::new();
        self.in_transaction(|connection| {
            ids = receive(connection, messages)?;
            Ok(())
        });
        self.in_transaction(|connection| delete(connection, &ids));
    }
}

impl Store for Rusqlite {
    /// A statement outside of a transaction is one by itself, and cheaper.
    fn send(&self, body: &str) {
        send(&self.0.lock(), body).expect("the database is open");
    }

    fn take(&self) {
        let ids = receive(&self.0.lock(), 1).expect("the database is open");
        delete(&self.0.lock(), &ids).expect("the database is open");
    }

    fn send_ten(&self, body: &str) {
        self.in_transaction(|connection| (0..10).try_for_each(|_| send(connection, body)));
    }

    fn take_ten(&self) {
        self.take_many(10);
    }

    fn fill(&self, messages: usize, body: &str) {
        for _ in 0..messages / 1_000 {
            self.in_transaction(|connection| (0..1_000).try_for_each(|_| send(connection, body)));
        }
    }

    fn drain(&self, messages: usize) {
        (0..messages / 1_000).for_each(|_| self.take_many(1_000));
    }
}
