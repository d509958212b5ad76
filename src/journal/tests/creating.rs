//! A crash while a queue is created.

use {
    super::super::{
        fs::FileSystem as _,
        inspect::tests::{Outcome, SEGMENT, clock, frames, open},
        sim_fs::SimFs,
    },
    crate::attributes::QueueAttributes,
};

#[test]
fn a_queue_has_its_tags_whichever_frame_is_the_last() -> Outcome {
    let (files, clock) = (SimFs::default(), clock());
    let service = open(&files, &clock)?;
    service.create_queue_with_tags("jobs", QueueAttributes::new(), [("team", "images")])?;
    service.close()?;
    drop(service);
    let mut without = 0;
    for (offset, _) in frames(&files) {
        let files = files.moment().killed();
        let file = files.open(SEGMENT)?;
        let rest = file.length()? - offset as u64;
        file.write_at(&vec![0; rest as usize], offset as u64)?;
        drop(file);
        let service = open(&files, &clock)?;
        match service.queue("jobs") {
            Ok(_) => assert_eq!(service.list_queue_tags("jobs")?["team"], "images"),
            Err(_) => without += 1,
        }
    }
    assert!(without > 0);
    Ok(())
}
