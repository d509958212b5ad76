//! The kinds of queues that a property is about.

use crate::reference::*;
use crate::steps::Shape;

fn small(setup: Setup) -> Setup {
    setup.maximum_message_size(1_024)
}

fn shape(groups: usize, setups: &[Setup]) -> Shape {
    let limits = ModelLimits {
        batch_bytes: 3_000,
        ..ModelLimits::default()
    };
    Shape {
        setups: setups.iter().cloned().map(small).collect(),
        limits,
        groups,
        redrives: false,
        gone: None,
        sampled: false,
        behind: false,
    }
}

pub(crate) fn standard() -> Shape {
    shape(0, &[Setup::standard()])
}

pub(crate) fn fair() -> Shape {
    let mut shape = shape(3, &[Setup::standard().visibility_timeout(2 * SECOND)]);
    shape.limits.noisy_in_flight = 3;
    shape
}

pub(crate) fn fifo_with_one_memory() -> Shape {
    shape(3, &[Setup::fifo()])
}

pub(crate) fn fifo_with_a_memory_per_group() -> Shape {
    shape(
        2,
        &[Setup::fifo()
            .deduplication_scope(Scope::MessageGroup)
            .content_based_deduplication(false)],
    )
}

pub(crate) fn standard_chain() -> Shape {
    let setups = [
        Setup::standard().visibility_timeout(SECOND).redrive(1, 2),
        Setup::standard().redrive(2, 1),
        Setup::standard(),
    ];
    Shape {
        redrives: true,
        ..shape(2, &setups)
    }
}

pub(crate) fn fifo_with_a_dead_letter_queue() -> Shape {
    let setups = [
        Setup::fifo().visibility_timeout(SECOND).redrive(1, 2),
        Setup::fifo().message_retention_period(60 * SECOND),
    ];
    Shape {
        redrives: true,
        ..shape(3, &setups)
    }
}

pub(crate) fn standard_with_a_few_in_flight() -> Shape {
    let mut shape = shape(0, &[Setup::standard().redrive(1, 2), Setup::standard()]);
    shape.limits.in_flight = 3;
    shape
}

pub(crate) fn fifo_with_a_few_in_flight() -> Shape {
    let mut shape = shape(3, &[Setup::fifo().redrive(1, 3), Setup::fifo()]);
    shape.limits.in_flight = 3;
    shape
}

pub(crate) fn standard_delayed() -> Shape {
    shape(
        1,
        &[Setup::standard()
            .delay(2 * SECOND)
            .message_retention_period(60 * SECOND)],
    )
}

pub(crate) fn fifo_delayed() -> Shape {
    shape(
        2,
        &[Setup::fifo().delay(2 * SECOND).message_retention_period(60 * SECOND)],
    )
}

pub(crate) fn standard_sampled() -> Shape {
    let mut shape = shape(2, &[Setup::standard().visibility_timeout(2 * SECOND)]);
    shape.limits.noisy_in_flight = 3;
    shape.sampled = true;
    shape
}

pub(crate) fn standard_whose_dead_letter_queue_is_gone() -> Shape {
    Shape {
        gone: Some(2),
        ..shape(0, &[Setup::standard().visibility_timeout(SECOND)])
    }
}

pub(crate) fn fifo_whose_dead_letter_queue_is_gone() -> Shape {
    Shape {
        gone: Some(2),
        ..shape(2, &[Setup::fifo().visibility_timeout(SECOND)])
    }
}

pub(crate) fn standard_behind() -> Shape {
    Shape {
        behind: true,
        ..standard_delayed_without_groups()
    }
}

fn standard_delayed_without_groups() -> Shape {
    Shape {
        groups: 0,
        ..standard_delayed()
    }
}

pub(crate) fn fifo_behind() -> Shape {
    Shape {
        behind: true,
        ..fifo_delayed()
    }
}
