//! A runner on `SqsQueue`, whose client a service in process answers, does what it does on the embedded queue.

mod both;
mod dead_letters;
mod outages;
