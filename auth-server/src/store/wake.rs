//! How those who wait for the writer wake: one of each thread, and that one wakes the others.
//!
//! A group is answered all at once, and most of its askers live on the same thread. Woken one by one from the writer's thread, each
//! costs a call into the kernel, and where both threads share a core the first wakes, works and sleeps before the second is told: two
//! switches an answer. So the wake-ups of a group are gathered first. Then one asker of each thread is woken from here, and when it is
//! polled, on its own thread, it wakes its company, where that is a push into a queue.
//!
//! Nobody is forgotten: an asker that leaves before it is polled wakes its company as it goes, and one that has left is given none.

use std::{
    cell::{Cell, RefCell},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

thread_local! {
    /// The bells that rang while wake-ups are being gathered on this thread.
    static GATHERED: RefCell<Option<Vec<Arc<Bell>>>> = const { RefCell::new(None) };
    /// Its address names the thread. A cell, for a constant could be the same for all.
    static HERE: Cell<u8> = const { Cell::new(0) };
}

/// A future whose wake-up may be gathered with those of others.
pub(super) struct Asker<F> {
    answer: F,
    bell: Arc<Bell>,
    /// The bell, as futures know it.
    waker: Waker,
}

/// Stands between what wakes an asker and its task.
#[derive(Default)]
struct Bell(Mutex<State>);

#[derive(Default)]
struct State {
    /// Who is woken, and on which thread it was polled.
    task: Option<(usize, Waker)>,
    /// Whom the task wakes when it is polled next.
    company: Vec<Waker>,
    has_left: bool,
}

impl<F> Asker<F> {
    pub(super) fn of(answer: F) -> Self {
        let bell = Arc::new(Bell::default());
        Self { answer, waker: Waker::from(Arc::clone(&bell)), bell }
    }
}

impl<F: Future + Unpin> Future for Asker<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        wake_all(self.bell.polled(context.waker()));
        let Self { answer, bell, waker } = &mut *self;
        let answer = Pin::new(answer).poll(&mut Context::from_waker(waker));
        if answer.is_ready() {
            wake_all(bell.left());
        }
        answer
    }
}

impl<F> Drop for Asker<F> {
    fn drop(&mut self) {
        wake_all(self.bell.left());
    }
}

impl Bell {
    /// Its task is here now. Gives whom it shall wake.
    fn polled(&self, task: &Waker) -> Vec<Waker> {
        let mut state = self.state();
        match &mut state.task {
            Some((thread, known)) if known.will_wake(task) => *thread = here(),
            other => *other = Some((here(), task.clone())),
        }
        std::mem::take(&mut state.company)
    }

    /// Nobody waits behind it any more. Gives whom it was to wake.
    fn left(&self) -> Vec<Waker> {
        let mut state = self.state();
        state.has_left = true;
        state.task = None;
        std::mem::take(&mut state.company)
    }

    /// Wakes with this company; gives the company back when nobody is there to wake.
    fn lead(&self, company: Vec<Waker>) -> Result<(), Vec<Waker>> {
        let mut state = self.state();
        if state.has_left {
            return Err(company);
        }
        state.company.extend(company);
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in this file panics with the lock in hand.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        let gather = |gathered: &RefCell<Option<Vec<Arc<Self>>>>| match gathered.borrow_mut().as_mut() {
            Some(bells) => {
                bells.push(Arc::clone(&self));
                true
            }
            None => false,
        };
        // A thread that is going away gathers nothing.
        if GATHERED.try_with(gather).unwrap_or_default() {
            return;
        }
        let task = self.state().task.take();
        if let Some((_, task)) = task {
            task.wake();
        }
    }
}

/// Does this work, and then wakes everybody that it answered: one a thread, who wakes the others.
pub(super) fn together(work: impl FnOnce()) {
    /// Also after a panic: an answer that was given is never left lying.
    struct Ring;
    impl Drop for Ring {
        fn drop(&mut self) {
            ring(GATHERED.take().unwrap_or_default());
        }
    }
    GATHERED.set(Some(Vec::new()));
    let _ring = Ring;
    work();
}

/// Askers of one thread that have their answer, each with its task.
struct Party {
    thread: usize,
    askers: Vec<(Arc<Bell>, Waker)>,
}

impl Party {
    /// One wakes, in whose company the others do. Whoever has left needs no waking.
    fn wake(mut self) {
        while let Some((bell, leader)) = self.askers.pop() {
            let (bells, company): (Vec<_>, Vec<_>) = self.askers.into_iter().unzip();
            match bell.lead(company) {
                Ok(()) => return leader.wake(),
                Err(company) => self.askers = bells.into_iter().zip(company).collect(),
            }
        }
    }
}

fn ring(bells: Vec<Arc<Bell>>) {
    let mut parties: Vec<Party> = Vec::new();
    for bell in bells {
        let Some((thread, task)) = bell.state().task.take() else { continue };
        match parties.iter_mut().find(|party| party.thread == thread) {
            Some(party) => party.askers.push((bell, task)),
            None => parties.push(Party { thread, askers: vec![(bell, task)] }),
        }
    }
    parties.into_iter().for_each(Party::wake);
}

fn wake_all(company: Vec<Waker>) {
    for other in company {
        other.wake();
    }
}

fn here() -> usize {
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::{FutureExt, future::join_all};
    use tokio::sync::oneshot;

    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Count {
        fn get(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    type One = Asker<oneshot::Receiver<u8>>;
    type Waiter = (One, Arc<Count>);

    /// An asker that was polled once, what answers it, and how often its task was woken.
    fn waiting() -> (oneshot::Sender<u8>, One, Arc<Count>) {
        let (reply, answer) = oneshot::channel();
        let (mut asker, count) = (Asker::of(answer), Arc::new(Count::default()));
        assert!(poll(&mut asker, &count).is_pending());
        (reply, asker, count)
    }

    fn poll(asker: &mut One, count: &Arc<Count>) -> Poll<Result<u8, oneshot::error::RecvError>> {
        asker.poll_unpin(&mut Context::from_waker(&Waker::from(Arc::clone(count))))
    }

    /// Three that wait are answered together: one is woken. Gives that one, and the others.
    fn answered() -> (Waiter, Vec<Waiter>) {
        let (mut replies, mut askers) = (Vec::new(), Vec::new());
        for (reply, asker, count) in [waiting(), waiting(), waiting()] {
            replies.push(reply);
            askers.push((asker, count));
        }
        together(|| replies.into_iter().for_each(|reply| reply.send(7).unwrap()));
        let (mut leaders, company): (Vec<_>, Vec<_>) = askers.into_iter().partition(|(_, count)| count.get() == 1);
        assert_eq!((leaders.len(), company.iter().all(|(_, count)| count.get() == 0)), (1, true));
        (leaders.remove(0), company)
    }

    #[test]
    fn of_a_thread_one_is_woken_and_wakes_the_others() {
        let ((mut leader, count), company) = answered();
        assert_eq!(poll(&mut leader, &count), Poll::Ready(Ok(7)));
        for (mut asker, count) in company {
            assert_eq!(count.get(), 1);
            assert_eq!(poll(&mut asker, &count), Poll::Ready(Ok(7)));
        }
    }

    #[test]
    fn who_leaves_wakes_the_others_as_it_goes() {
        let ((leader, _), company) = answered();
        drop(leader);
        assert!(company.iter().all(|(_, count)| count.get() == 1));
    }

    #[test]
    fn who_has_left_leads_nobody() {
        let (first, second, third) = (waiting(), waiting(), waiting());
        drop(third.1);
        let (_asker, count) = (second.1, second.2);
        drop(first.1);
        together(|| {
            let _left = [first.0.send(1), second.0.send(2), third.0.send(3)];
        });
        assert_eq!((first.2.get(), count.get(), third.2.get()), (0, 1, 0));
    }

    #[test]
    fn each_thread_has_its_own_to_wake() {
        let here = waiting();
        let there = std::thread::scope(|scope| scope.spawn(waiting).join().unwrap());
        together(|| {
            here.0.send(1).unwrap();
            there.0.send(2).unwrap();
        });
        assert_eq!((here.2.get(), there.2.get()), (1, 1));
    }

    #[test]
    fn a_panic_wakes_whom_it_answered() {
        let (reply, _asker, count) = waiting();
        let fell = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            together(|| {
                reply.send(1).unwrap();
                panic!("a bug");
            });
        }));
        assert!(fell.is_err() && count.get() == 1);
        let (reply, _asker, count) = waiting();
        reply.send(1).unwrap();
        assert_eq!(count.get(), 1, "afterwards nothing is gathered");
    }

    /// Thousands that wait on several threads, some of which leave: each of the others has its answer.
    #[tokio::test(flavor = "multi_thread", worker_threads = 3)]
    async fn nobody_is_forgotten() {
        let (queue, mut jobs) = tokio::sync::mpsc::unbounded_channel::<oneshot::Sender<usize>>();
        let writer = std::thread::spawn(move || {
            let mut answered = 0;
            while let Some(first) = jobs.blocking_recv() {
                let mut group = vec![first];
                while let Ok(next) = jobs.try_recv() {
                    group.push(next);
                }
                together(|| {
                    for reply in group {
                        let _left = reply.send(answered);
                        answered += 1;
                    }
                });
            }
        });
        let tasks = (0..64).map(|number| {
            let queue = queue.clone();
            tokio::spawn(async move {
                for round in 0..200 {
                    let (reply, answer) = oneshot::channel();
                    queue.send(reply).unwrap();
                    let asker = Asker::of(answer);
                    if (number + round) % 7 == 0 {
                        // Leaves, now or a moment later.
                        tokio::select! {
                            biased;
                            () = tokio::task::yield_now() => {}
                            _ = asker => {}
                        }
                    } else {
                        asker.await.unwrap();
                    }
                }
            })
        });
        let done = tokio::time::timeout(std::time::Duration::from_secs(60), join_all(tasks)).await;
        assert!(done.expect("each asker is woken").into_iter().all(|task| task.is_ok()));
        drop(queue);
        writer.join().unwrap();
    }
}
