//! What every case of a check has in common.

use {
    super::{
        consumer::{Consumer, Context},
        ledger::Messages,
        story::Place,
        watchdog::Names,
        world::World,
    },
    crate::queue::QueueBuilder,
    std::{
        cell::{Cell, OnceCell},
        rc::Rc,
        sync::Arc,
        time::Duration,
    },
};

/// One form of a queue.
pub(super) struct QueueConfig {
    pub(super) build: Box<dyn Fn() -> QueueBuilder>,
    /// With a dead-letter queue of its own, which takes a message after so many receives.
    pub(super) max_receive_count: Option<u32>,
    /// Known once the check has been examined.
    pub(super) identity: OnceCell<Identity>,
}

/// Which queue a form is of.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) name: String,
    pub(super) fifo: bool,
}

impl QueueConfig {
    pub(super) fn new(max_receive_count: Option<u32>, build: impl Fn() -> QueueBuilder + 'static) -> Self {
        Self {
            build: Box::new(build),
            max_receive_count,
            identity: OnceCell::new(),
        }
    }

    pub(super) fn name(&self) -> &str {
        self.identity.get().map_or("", |it| &it.name)
    }

    /// Of the dead-letter queue of its own, if it has one.
    pub(super) fn dead_letters_name(&self) -> String {
        match self.name().strip_suffix(".fifo") {
            Some(name) => format!("{name}-dead-letters.fifo"),
            None => format!("{}-dead-letters", self.name()),
        }
    }

    pub(super) fn is_fifo(&self) -> bool {
        self.identity.get().is_some_and(|it| it.fifo)
    }
}

/// A link of two queues of the check.
pub(super) struct Redrive {
    pub(super) source: String,
    pub(super) target: String,
    pub(super) max_receive_count: u32,
}

type Make<W> = Box<dyn Fn(&World<W>) -> Consumer>;
type Condition<W> = Box<dyn Fn(&W) -> bool>;
type Act<W> = Box<dyn Fn(&World<W>, &Context)>;
/// Looks at one case, and says what is wrong, if anything. It may remember what it has seen of the case.
pub(super) type Look<W> = Box<dyn FnMut(&W, &Messages<'_>) -> Option<String>>;

/// Something that must hold.
pub(super) struct Requirement<W> {
    pub(super) name: Arc<str>,
    /// Begins a case.
    pub(super) begin: Box<dyn Fn() -> Look<W>>,
}

impl<W: 'static> Requirement<W> {
    /// Of which every look sees all.
    pub(super) fn new(
        name: impl Into<Arc<str>>,
        wrong: impl Fn(&W, &Messages<'_>) -> Option<String> + 'static,
    ) -> Self {
        let wrong = Rc::new(wrong);
        Self::remembering(name, move || {
            let wrong = Rc::clone(&wrong);
            move |world: &W, messages: &Messages<'_>| wrong(world, messages)
        })
    }

    pub(super) fn remembering<L: FnMut(&W, &Messages<'_>) -> Option<String> + 'static>(
        name: impl Into<Arc<str>>,
        begin: impl Fn() -> L + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            begin: Box::new(move || Box::new(begin())),
        }
    }

    /// Of a property of which there is nothing to say but its name.
    pub(super) fn named(name: impl Into<Arc<str>>, holds: impl Fn(&W, &Messages<'_>) -> bool + 'static) -> Self {
        let name = name.into();
        let sentence = format!("it does not hold that {name}");
        Self::new(name, move |world, messages| {
            (!holds(world, messages)).then(|| sentence.clone())
        })
    }
}

/// A consumer of the check.
pub(super) struct Factory<W> {
    pub(super) name: Arc<str>,
    pub(super) make: Make<W>,
    /// Where the check names it.
    pub(super) place: Place,
}

/// An action of the outside world.
pub(super) struct ActionConfig<W> {
    pub(super) name: Arc<str>,
    pub(super) act: Act<W>,
}

/// What every case of a check has in common.
pub(super) struct Setup<W> {
    pub(super) world: Box<dyn Fn() -> W>,
    /// The queues of every case; of the forms of a queue each case takes one.
    pub(super) queues: Vec<Vec<QueueConfig>>,
    pub(super) redrives: Vec<Redrive>,
    pub(super) consumers: Vec<Factory<W>>,
    pub(super) actions: Vec<ActionConfig<W>>,
    /// What must hold after each turn.
    pub(super) always: Vec<Requirement<W>>,
    /// What must hold at the end of a case.
    pub(super) finally: Vec<Requirement<W>>,
    /// What must hold once in a run.
    pub(super) sometimes: Vec<(Arc<str>, Condition<W>)>,
    pub(super) holds: bool,
    pub(super) none_expires: bool,
    /// How long a call of the code under test may take, in real time.
    pub(super) blocked_after: Duration,
    /// Queues that properties name.
    pub(super) named_queues: Vec<String>,
    /// How long a case goes on when no message is left, for what programs do later.
    pub(super) quiet_period: Duration,
    /// How often more a case waits in vain for another thread.
    pub(super) patience: Cell<u32>,
}

impl<W> Setup<W> {
    /// The place of the queue that has this name, in one of its forms.
    pub(super) fn place_of(&self, name: &str) -> Option<usize> {
        self.queues
            .iter()
            .position(|forms| forms.iter().any(|form| form.name() == name))
    }

    /// A name that two queues of a case would have; the forms of one queue may share theirs.
    pub(super) fn name_of_two(&self) -> Option<String> {
        let taken = |at: usize, name: &str| self.place_of(name).is_some_and(|first| first < at);
        let mut names = self
            .queues
            .iter()
            .enumerate()
            .flat_map(|(at, forms)| forms.iter().map(move |it| (at, it.name())));
        names.find(|(at, name)| taken(*at, name)).map(|it| it.1.to_owned())
    }

    /// Whether a queue of the check has this name, or one that takes the dead letters of such a queue.
    pub(super) fn has_queue(&self, name: &str) -> bool {
        let mut forms = self.queues.iter().flatten();
        forms.any(|form| form.name() == name || (form.max_receive_count.is_some() && form.dead_letters_name() == name))
    }

    /// The names of all that the kit calls.
    pub(super) fn names(&self, check: &str) -> Names {
        let of = |requirements: &[Requirement<W>]| requirements.iter().map(|it| Arc::clone(&it.name)).collect();
        let consumers = self.consumers.iter();
        Names {
            check: check.to_owned(),
            consumers: consumers.map(|it| (Arc::clone(&it.name), it.place)).collect(),
            actions: self.actions.iter().map(|it| Arc::clone(&it.name)).collect(),
            always: of(&self.always),
            sometimes: self.sometimes.iter().map(|it| Arc::clone(&it.0)).collect(),
            finally: of(&self.finally),
        }
    }

    /// How many combinations of forms of queues there are.
    pub(super) fn variants(&self) -> usize {
        self.queues.iter().map(Vec::len).product()
    }

    /// The form of each queue in a combination.
    pub(super) fn variant(&self, number: usize) -> impl Iterator<Item = &QueueConfig> {
        let mut rest = number;
        self.queues.iter().map(move |forms| {
            let form = &forms[rest % forms.len()];
            rest /= forms.len();
            form
        })
    }
}
