//! The closed loop: every connection asks again as soon as it has its answer.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::spawn_local;

use crate::account::cpu_ns;
use crate::connection::{Connection, find, header, member};
use crate::job::{Figures, Grant, Job, Journey, Work};

/// As much of an unexpected answer as a person needs.
const SHOWN_BYTES: usize = 300;

/// What all connections share. One thread, so cells are enough.
#[derive(Default)]
struct Board {
    is_measuring: Cell<bool>,
    is_over: Cell<bool>,
    failures: Cell<u64>,
    first_failure: RefCell<Option<String>>,
    latencies_us: RefCell<Vec<u32>>,
    request_bytes: Cell<u64>,
    answer_bytes: Cell<u64>,
    keep_tokens: usize,
    tokens: RefCell<Vec<String>>,
    grants: RefCell<Vec<Grant>>,
}

/// Runs the job and returns its figures.
pub(crate) async fn drive(job: Job) -> io::Result<Figures> {
    let board = Rc::new(Board { keep_tokens: job.keep_tokens, ..Board::default() });
    let mut workers = Vec::new();
    for share in shares(job.work, job.connections) {
        let connection = Connection::open(&job.authority).await?;
        workers.push(spawn_local(work(connection, share, job.authority.clone(), Rc::clone(&board))));
    }
    tokio::time::sleep(Duration::from_millis(job.warm_up_ms)).await;
    let own = std::process::id();
    let (server_before, own_before, started) = (cpu_ns(job.pid)?, cpu_ns(own)?, Instant::now());
    board.is_measuring.set(true);
    let end = tokio::time::sleep(Duration::from_millis(job.measured_ms));
    tokio::pin!(end);
    // Ends at the time set, or earlier when all the work there is has been done.
    let mut all = spawn_local(async move {
        for worker in workers {
            let _ = worker.await;
        }
    });
    let all_done = tokio::select! { () = &mut end => false, _ = &mut all => true };
    board.is_measuring.set(false);
    let (server_cpu_ns, driver_cpu_ns) = (cpu_ns(job.pid)? - server_before, cpu_ns(own)? - own_before);
    let wall_ns = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    board.is_over.set(true);
    if !all_done {
        let _ = all.await;
    }
    Ok(figures(&board, server_cpu_ns, driver_cpu_ns, wall_ns))
}

fn figures(board: &Board, server_cpu_ns: u64, driver_cpu_ns: u64, wall_ns: u64) -> Figures {
    let mut latencies = board.latencies_us.take();
    latencies.sort_unstable();
    let at = |part: usize| latencies.get(latencies.len() * part / 100).copied().unwrap_or_default();
    let operations = latencies.len() as u64;
    Figures {
        operations,
        failures: board.failures.get(),
        first_failure: board.first_failure.take(),
        server_cpu_ns,
        driver_cpu_ns,
        wall_ns,
        p50_us: at(50),
        p99_us: at(99),
        request_bytes: board.request_bytes.get() / operations.max(1),
        answer_bytes: board.answer_bytes.get() / operations.max(1),
        tokens: board.tokens.take(),
        grants: board.grants.take(),
    }
}

/// Each connection's part of the work; grants and journeys are never shared by two.
fn shares(work: Work, connections: usize) -> Vec<Work> {
    fn dealt<T>(all: Vec<T>, hands: usize) -> Vec<Vec<T>> {
        let mut dealt: Vec<Vec<T>> = (0..hands).map(|_| Vec::new()).collect();
        for (index, one) in all.into_iter().enumerate() {
            dealt[index % hands].push(one);
        }
        dealt
    }
    match work {
        Work::Same { request, status } => (0..connections).map(|_| Work::Same { request: request.clone(), status }).collect(),
        Work::Each { requests, status } => {
            dealt(requests, connections).into_iter().map(|requests| Work::Each { requests, status }).collect()
        }
        Work::Refresh { grants } => dealt(grants, connections).into_iter().map(|grants| Work::Refresh { grants }).collect(),
        Work::Code { journeys } => dealt(journeys, connections).into_iter().map(|journeys| Work::Code { journeys }).collect(),
    }
}

/// One connection until the end; a broken connection is one failure and ends it.
async fn work(mut connection: Connection, share: Work, authority: String, board: Rc<Board>) {
    let outcome = match share {
        Work::Same { request, status } => same(&mut connection, request.as_bytes(), status, &board).await,
        Work::Each { requests, status } => each(&mut connection, requests, status, &board).await,
        Work::Refresh { grants } => refresh(&mut connection, grants.into(), &authority, &board).await,
        Work::Code { journeys } => code(&mut connection, journeys.into(), &authority, &board).await,
    };
    if let Err(error) = outcome {
        board.failed(&format!("connection: {error}"));
    }
}

async fn same(connection: &mut Connection, request: &[u8], status: u16, board: &Board) -> io::Result<()> {
    while !board.is_over.get() {
        once(connection, request, status, board).await?;
    }
    Ok(())
}

async fn each(connection: &mut Connection, requests: Vec<String>, status: u16, board: &Board) -> io::Result<()> {
    for request in requests {
        if board.is_over.get() {
            break;
        }
        once(connection, request.as_bytes(), status, board).await?;
    }
    Ok(())
}

async fn once(connection: &mut Connection, request: &[u8], status: u16, board: &Board) -> io::Result<()> {
    let started = Instant::now();
    let answer = connection.ask(request).await?;
    if answer.status == status {
        board.done(started, request.len(), answer.head.len() + answer.body.len());
    } else {
        board.unexpected(answer.status, answer.body);
    }
    Ok(())
}

async fn refresh(connection: &mut Connection, mut grants: VecDeque<Grant>, authority: &str, board: &Board) -> io::Result<()> {
    while !board.is_over.get() {
        let Some(mut grant) = grants.pop_front() else { break };
        let body = format!("grant_type=refresh_token&refresh_token={}&client_id={}", grant.refresh_token, grant.client_id);
        let request = post_form("/token", authority, &body);
        let started = Instant::now();
        let answer = connection.ask(request.as_bytes()).await?;
        match (answer.status, member(answer.body, "refresh_token")) {
            (200, Some(successor)) => {
                grant.refresh_token = successor.to_owned();
                board.keep(answer.body);
                board.done(started, request.len(), answer.head.len() + answer.body.len());
                grants.push_back(grant);
            }
            _ => board.unexpected(answer.status, answer.body),
        }
    }
    board.grants.borrow_mut().extend(grants);
    Ok(())
}

async fn code(connection: &mut Connection, mut journeys: VecDeque<Journey>, authority: &str, board: &Board) -> io::Result<()> {
    while !board.is_over.get() {
        let Some(journey) = journeys.pop_front() else { break };
        let started = Instant::now();
        let answer = connection.ask(journey.authorize.as_bytes()).await?;
        let Some(code) = code_of(answer.head) else {
            board.unexpected(answer.status, answer.body);
            continue;
        };
        let first_bytes = answer.head.len() + answer.body.len();
        let request = post_form("/token", authority, &journey.token_body.replace("{code}", &code));
        let answer = connection.ask(request.as_bytes()).await?;
        if answer.status == 200 {
            board.done(started, journey.authorize.len() + request.len(), first_bytes + answer.head.len() + answer.body.len());
        } else {
            board.unexpected(answer.status, answer.body);
        }
        journeys.push_back(journey);
    }
    Ok(())
}

/// The code in the `Location` of a redirect; our codes need no decoding.
fn code_of(head: &[u8]) -> Option<String> {
    let location = header(head, b"location: ")?;
    let at = find(location, b"code=")? + 5;
    let code = location[at..].split(|&byte| byte == b'&').next()?;
    String::from_utf8(code.to_vec()).ok()
}

fn post_form(path: &str, authority: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: {authority}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

impl Board {
    fn done(&self, started: Instant, request_bytes: usize, answer_bytes: usize) {
        if !self.is_measuring.get() {
            return;
        }
        let micros = u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX);
        self.latencies_us.borrow_mut().push(micros);
        self.request_bytes.set(self.request_bytes.get() + request_bytes as u64);
        self.answer_bytes.set(self.answer_bytes.get() + answer_bytes as u64);
    }

    fn keep(&self, body: &[u8]) {
        let mut tokens = self.tokens.borrow_mut();
        if tokens.len() < self.keep_tokens
            && let Some(token) = member(body, "access_token")
        {
            tokens.push(token.to_owned());
        }
    }

    fn unexpected(&self, status: u16, body: &[u8]) {
        self.failed(&format!("{status} {}", String::from_utf8_lossy(&body[..body.len().min(SHOWN_BYTES)])));
    }

    fn failed(&self, what: &str) {
        self.failures.set(self.failures.get() + 1);
        self.first_failure.borrow_mut().get_or_insert_with(|| what.to_owned());
    }
}
