//! What does a rotation cost in the store alone? CPU microseconds of the whole process, database work only: no HTTP, no signature.
//!
//! `cargo run --release -p auth-server --example store_bench -- FOLDER GRANTS TASKS SECONDS`
//! A folder that has a database already is used as it is, so that a large one is filled once.

#![expect(clippy::print_stdout, reason = "a measuring tool speaks to its terminal")]

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use auth_server::{
    clock::{Clock, SystemClock},
    config::{Database, RefreshConfig},
    store::{
        GrantRow, Rotate, Rotation, Store, StoreConfig, Successor, Trail,
        seed::{Seed, seed},
    },
};
use oauth_types::{ClientId, Error, GrantFault, GrantId, RefreshTokenSecret, Timestamp, TokenHash, Ttl};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |place: usize, otherwise: usize| arguments.get(place).map_or(otherwise, |text| text.parse().expect("a number"));
    let folder = PathBuf::from(arguments.first().expect("a folder"));
    let (grants, tasks, seconds) = (number(1, 10_000), number(2, 16), number(3, 5));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(run(folder, grants, tasks, seconds as u64));
}

fn token(grant_id: &GrantId, generation: u32) -> RefreshTokenSecret {
    RefreshTokenSecret::new(format!("prt_{grant_id}{generation}"))
}

fn judge(row: &GrantRow, asked: &Rotation, _: Timestamp) -> Result<Rotate, Error> {
    if row.client_id != asked.client_id || row.stands().is_err() || row.refresh_hash != Some(asked.presented_hash) {
        return Err(Error::InvalidGrant(GrantFault::RefreshReused));
    }
    Ok(Rotate::Next)
}

async fn run(folder: PathBuf, grants: usize, tasks: usize, seconds: u64) {
    std::fs::create_dir_all(&folder).expect("a folder");
    let database = Database::Sqlite(folder.join("portico.db"));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let config = StoreConfig {
        database: database.clone(),
        access_token: Ttl::minutes(10),
        refresh_overlap: Ttl(120),
        registration_unused: Ttl::days(3),
    };
    let known = folder.join("grants.txt");
    if !known.exists() {
        Store::migrate(&database).await.expect("a schema");
        let store = Store::open(&config, Arc::clone(&clock)).await.expect("a store");
        let began = Instant::now();
        let what = Seed {
            clients: grants.div_ceil(10),
            grants,
            resource: "https://mcp.example/mcp".into(),
            scope: "mcp:infer mcp:read mcp:write".into(),
            subject: "person".into(),
            grants_per_subject: 5,
        };
        let seeded = seed(&store, &what, |id| token(id, 1)).await.expect("seeds");
        let lines: Vec<String> = seeded.grants.iter().map(|(id, client)| format!("{id} {client} 1")).collect();
        std::fs::write(&known, lines.join("\n")).expect("a list of grants");
        store.close().await;
        println!("seeded {grants} grants in {:.1} s", began.elapsed().as_secs_f64());
    }
    let began = Instant::now();
    let store = Store::open(&config, Arc::clone(&clock)).await.expect("a store");
    println!("opened in {:.1} ms", began.elapsed().as_secs_f64() * 1e3);
    let list = std::fs::read_to_string(&known).expect("the list of grants");
    let all: Vec<(GrantId, ClientId, u32)> = list
        .lines()
        .map(|line| {
            let mut words = line.split(' ');
            let mut word = || words.next().expect("three words");
            (word().parse().expect("a grant id"), ClientId::parse(word()).expect("a client id"), word().parse().expect("a generation"))
        })
        .collect();
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (cpu, began) = (cpu_seconds(), Instant::now());
    let share = all.len() / tasks;
    let workers: Vec<_> = (0..tasks)
        .map(|worker| {
            let (store, stop, done) = (store.clone(), Arc::clone(&stop), Arc::clone(&done));
            let mut mine = all[worker * share..(worker + 1) * share].to_vec();
            tokio::spawn(async move {
                let mut turn = 0;
                while !stop.load(Ordering::Relaxed) {
                    let place = turn % mine.len();
                    turn += 1;
                    let (id, client, generation) = &mut mine[place];
                    store.rotate(rotation(*id, client, *generation)).await.expect("a rotation");
                    *generation += 1;
                    done.fetch_add(1, Ordering::Relaxed);
                }
                mine
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    stop.store(true, Ordering::Relaxed);
    let mut after = Vec::new();
    for worker in workers {
        after.extend(worker.await.expect("a worker"));
    }
    let (cpu, wall, done) = (cpu_seconds() - cpu, began.elapsed().as_secs_f64(), done.load(Ordering::Relaxed) as f64);
    println!("{tasks} tasks: {:.1} us CPU a rotation, {:.0} rotations/s", cpu / done * 1e6, done / wall);
    after.extend_from_slice(&all[tasks * share..]);
    let lines: Vec<String> = after.iter().map(|(id, client, generation)| format!("{id} {client} {generation}")).collect();
    std::fs::write(&known, lines.join("\n")).expect("a list of grants");
    store.close().await;
}

fn rotation(grant_id: GrantId, client: &ClientId, generation: u32) -> Rotation {
    Rotation {
        grant_id,
        generation,
        presented_hash: TokenHash::of(token(&grant_id, generation).expose().as_bytes()),
        client_id: client.clone(),
        asked_scope: None,
        asked_resource: None,
        vouched_by: None,
        successor: Successor {
            hash: token(&grant_id, generation + 1).hash(),
            // As long as a sealed token of ours is.
            sealed: "x".repeat(170),
            expires_at: Timestamp(4_000_000_000),
        },
        overlap: RefreshConfig { overlap: Ttl(120), overlap_answers: 100 },
        judge,
        trail: Trail { source_ip: Some("192.0.2.1".into()), reference: None },
    }
}

/// User and system time of this process, in ticks of a hundredth of a second.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("proc");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_whitespace().collect();
    let ticks = |place: usize| fields[place].parse::<f64>().expect("ticks");
    (ticks(11) + ticks(12)) / 100.0
}
