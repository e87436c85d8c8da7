//! The floor beneath the figures: what the same bytes cost when nobody thinks about them.
//!
//! `bench-floor sign` times one ES256 signature on this core. `bench-floor serve ADDRESS FILE` is bare actix-web:
//! `/echo/N` answers N bytes; `/kept/N` besides appends the request to a file, in groups, with the data on disk before
//! any of the group is answered; `/signed/N` besides makes one ES256 signature. No parsing, no rules, no database.
#![expect(clippy::print_stdout, reason = "the figures are the output")]

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::time::{Duration, Instant};

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{App, HttpResponse, HttpServer, web};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use tokio::sync::{mpsc, oneshot};

/// As long as the signed part of an access token of ours.
const SIGNED_BYTES: usize = 420;
/// The writer of the store takes as many at once.
const GROUP_MAX: usize = 128;
/// Long enough for the mean to stand still, short enough to be asked for often.
const SIGNING_TIME: Duration = Duration::from_millis(700);
const SIGNING_BATCH: u32 = 64;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["sign"] => sign(),
        ["serve", address, file] => serve(address, file),
        _ => Err("usage: bench-floor sign | bench-floor serve ADDRESS FILE".into()),
    }
}

/// Prints the nanoseconds of one signature: the best of many batches, since whatever disturbs only adds.
fn sign() -> Result<()> {
    let signer = Signer::new()?;
    let started = Instant::now();
    let mut best = Duration::MAX;
    while started.elapsed() < SIGNING_TIME {
        let batch = Instant::now();
        for _ in 0..SIGNING_BATCH {
            signer.sign()?;
        }
        best = best.min(batch.elapsed() / SIGNING_BATCH);
    }
    println!("{}", best.as_nanos());
    Ok(())
}

struct Signer {
    key: EcdsaKeyPair,
    random: SystemRandom,
}

impl Signer {
    fn new() -> Result<Self> {
        Ok(Self { key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?, random: SystemRandom::new() })
    }

    fn sign(&self) -> Result<Vec<u8>> {
        Ok(self.key.sign(&self.random, &[0x5A; SIGNED_BYTES])?.as_ref().to_vec())
    }
}

/// One request that waits for the disk.
struct Append {
    bytes: web::Bytes,
    done: oneshot::Sender<()>,
}

/// Gathers what is there, writes it once, syncs it once, answers all of it.
async fn write_groups(mut file: File, mut queue: mpsc::Receiver<Append>) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while queue.recv_many(&mut group, GROUP_MAX).await > 0 {
        let bytes: Vec<u8> = group.iter().flat_map(|append| append.bytes.iter().copied()).collect();
        let written = tokio::task::spawn_blocking(move || {
            let outcome = file.write_all(&bytes).and_then(|()| file.sync_data());
            (file, outcome)
        })
        .await;
        let Ok((back, Ok(()))) = written else { return };
        file = back;
        for append in group.drain(..) {
            // A client that went away has nobody to tell.
            let _ = append.done.send(());
        }
    }
}

async fn echo(length: web::Path<usize>, _read_all: web::Bytes) -> HttpResponse {
    answer(length.into_inner())
}

async fn kept(length: web::Path<usize>, body: web::Bytes, queue: web::Data<mpsc::Sender<Append>>) -> HttpResponse {
    let (done, is_done) = oneshot::channel();
    let is_kept = queue.send(Append { bytes: body, done }).await.is_ok() && is_done.await.is_ok();
    if is_kept { answer(length.into_inner()) } else { HttpResponse::InternalServerError().finish() }
}

async fn signed(
    length: web::Path<usize>,
    body: web::Bytes,
    signer: web::Data<Signer>,
    queue: web::Data<mpsc::Sender<Append>>,
) -> HttpResponse {
    match signer.sign() {
        Ok(_) => kept(length, body, queue).await,
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

fn answer(length: usize) -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(vec![b'x'; length])
}

fn serve(address: &str, file: &str) -> Result<()> {
    let file = OpenOptions::new().create(true).append(true).open(file)?;
    actix_web::rt::System::new().block_on(async move {
        let signer = web::Data::new(Signer::new()?);
        let (sender, queue) = mpsc::channel(GROUP_MAX * 8);
        let sender = web::Data::new(sender);
        actix_web::rt::spawn(write_groups(file, queue));
        HttpServer::new(move || {
            App::new()
                .app_data(signer.clone())
                .app_data(sender.clone())
                .route("/echo/{length}", web::route().to(echo))
                .route("/kept/{length}", web::route().to(kept))
                .route("/signed/{length}", web::route().to(signed))
        })
        .tcp_nodelay(true)
        .workers(1)
        .bind(address)?
        .run()
        .await?;
        Ok(())
    })
}
