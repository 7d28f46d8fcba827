//! How callers hear what became of their holds.
//!
//! Callers wait in a runtime, and waking one of its tasks from another thread is a system call: at
//! full load, one a call. So all who are answered by one turn are answered by one message, to a task
//! of that runtime, which wakes them from within.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::error::SendError;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::ledger::hold::Delivery;
use crate::ledger::request::HoldError;

/// So long the end waits for the callers' runtime. One that takes longer has stopped.
const HEARD_WITHIN: Duration = Duration::from_secs(5);

/// Who waits for a hold.
pub(super) type Reply = oneshot::Sender<Result<Delivery, HoldError>>;

/// An answer, and who waits for it. Dropped unsaid, it gives its hold back: nothing was sent.
#[derive(Debug)]
struct Answer {
    reply: Reply,
    made: Result<Delivery, HoldError>,
}

impl Answer {
    fn say(self) {
        // Nobody minds if the caller has left: the delivery then gives its hold back.
        drop(self.reply.send(self.made));
    }
}

/// The answers of a turn.
#[derive(Debug, Default)]
pub(super) struct Answers {
    unsaid: Vec<Answer>,
    /// `None`: each is said from here.
    task: Option<UnboundedSender<Vec<Answer>>>,
}

impl Answers {
    /// From now on they are said by a task of `runtime`.
    pub(super) fn say_in(&mut self, runtime: &Handle) {
        let (task, answers) = unbounded_channel();
        runtime.spawn(say_all(answers));
        self.task = Some(task);
    }

    /// To be said at the end of the turn.
    pub(super) fn add(&mut self, reply: Reply, made: Result<Delivery, HoldError>) {
        self.unsaid.push(Answer { reply, made });
    }

    /// Says all.
    pub(super) fn say(&mut self) {
        if self.unsaid.is_empty() {
            return;
        }
        let answers = std::mem::take(&mut self.unsaid);
        let left = match &self.task {
            Some(task) => match task.send(answers) {
                Ok(()) => return,
                // Its runtime has ended; whoever waits does so elsewhere.
                Err(SendError(answers)) => answers,
            },
            None => answers,
        };
        left.into_iter().for_each(Answer::say);
    }

    /// Waits until all are said, and says whatever comes from here from now on. What a caller who has left
    /// gives back is in the queue of endings then.
    pub(super) async fn all_said(&mut self) {
        self.say();
        let Some(task) = self.task.take() else {
            return;
        };
        let (reply, said) = oneshot::channel();
        let last = Answer {
            reply,
            made: Err(HoldError::Closed),
        };
        if task.send(vec![last]).is_ok() {
            // Else its runtime has ended, or stands still.
            let _ = timeout(HEARD_WITHIN, said).await;
        }
    }
}

async fn say_all(mut answers: UnboundedReceiver<Vec<Answer>>) {
    while let Some(turn) = answers.recv().await {
        turn.into_iter().for_each(Answer::say);
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;

    use super::*;

    /// What somebody hears who waits in a runtime of their own.
    fn heard(answers: &mut Answers) -> Option<HoldError> {
        let (reply, answer) = oneshot::channel();
        answers.add(reply, Err(HoldError::Overloaded));
        answers.say();
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(answer).ok().and_then(Result::err)
    }

    #[test]
    fn answers_are_said_with_a_runtime_without_one_and_after_it_has_ended() {
        let mut answers = Answers::default();
        assert!(matches!(heard(&mut answers), Some(HoldError::Overloaded)));
        let mut builder = Builder::new_multi_thread();
        let callers = builder.worker_threads(1).build().unwrap();
        answers.say_in(callers.handle());
        assert!(matches!(heard(&mut answers), Some(HoldError::Overloaded)));
        drop(callers);
        assert!(matches!(heard(&mut answers), Some(HoldError::Overloaded)));
    }

    #[test]
    fn an_answer_that_is_never_said_tells_its_caller_that_nobody_will() {
        let mut answers = Answers::default();
        let (reply, mut answer) = oneshot::channel();
        answers.add(reply, Err(HoldError::Overloaded));
        drop(answers);
        assert!(answer.try_recv().is_err());
    }
}
