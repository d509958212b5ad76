//! Which faults strike in a check, and that a correct consumer stands them all.
use {
    super::consumers::{Done, correct, correct_batch, fifo, jobs, numbered, passed},
    requeue::testing::{Check, Consumer, Fate, Fault, Faults, check},
};

fn shop() -> Check<Done> {
    let shop = check("correct", Done::new)
        .pairs(60)
        .queue(jobs)
        .or_queue_with_dead_letters(4, jobs)
        .or_queue(fifo)
        .or_queue_with_dead_letters(4, fifo)
        .messages(numbered())
        .always("no job is done twice", |done| done.values().all(|times| *times == 1))
        .watch_visibility();
    correct_batch(correct("c2", correct("c1", shop)))
}

#[test]
fn without_faults_a_correct_consumer_sees_each_message_once() {
    let check = check("once", Vec::<String>::new)
        .pairs(60)
        .queue(jobs)
        .or_queue(fifo)
        .messages(numbered())
        .consumer("c1", |seen| {
            let seen = seen.clone();
            Consumer::each(move |message, _| {
                seen.borrow_mut().push(message.body().to_owned());
                Ok::<_, String>(())
            })
        })
        .finally("each message is seen once", |seen, messages| {
            let once = messages
                .iter()
                .all(|it| (it.received, it.fate) == (1, Some(Fate::Deleted)));
            once && seen.len() == messages.len()
        })
        .faults(Faults::none());
    assert!(passed(&check).faults.is_empty());
}

#[test]
fn a_correct_consumer_stands_every_legal_fault_and_each_happens() {
    for seed in 0..3 {
        let passed = passed(&shop().faults(Faults::worst_legal()).cases(1_000).seed(seed));
        for fault in Fault::ALL {
            assert!(passed.faults.contains_key(&fault), "{fault} never struck");
        }
    }
    passed(&shop().cases(1_000));
}

#[test]
fn a_fault_named_alone_strikes_alone() {
    for fault in Fault::ALL.into_iter().filter(|fault| fault.is_legal_on_fifo()) {
        let passed = passed(&shop().faults(Faults::none().with(fault, 0.2)).cases(200));
        assert!(passed.faults.keys().eq([&fault]), "{fault}: {:?}", passed.faults);
    }
}

#[test]
fn a_script_strikes_where_it_says() {
    let check = shop().faults(Faults::script([(1, Fault::SendThrottled)])).cases(300);
    let faults = passed(&check).faults;
    assert!(faults.keys().eq([&Fault::SendThrottled]) && faults[&Fault::SendThrottled] <= 300);
}

#[test]
fn the_same_seed_takes_the_same_steps() {
    let run = |seed| passed(&shop().seed(seed).cases(200));
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}
