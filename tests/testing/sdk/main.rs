//! An unmodified client of the AWS SDK as a consumer under test.

mod answers;
mod bugs;
mod correct;
mod inbox;
mod same_story;
