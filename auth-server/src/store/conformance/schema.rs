//! The schema: two folders that pair up, two databases that agree, and rows that survive.

use std::collections::BTreeMap;

use super::*;
use crate::store::{StoreError, db::Value, schema};

/// Rows as each released version wrote them; the newest program must read them. One entry a version, never edited.
const RELEASED: &[(i64, &[&str])] = &[(
    1,
    &[
        "INSERT INTO clients (client_id, kind, name, redirect_uris, auth_method, grant_types, metadata, metadata_digest, created_at)
           VALUES ('app', 'registered', 'App', '[\"https://app.example/callback\"]', 'none', '[\"authorization_code\"]', '{}', 'd', 1)",
        "INSERT INTO subjects (subject, display_name, created_at) VALUES ('alice', 'Alice', 1)",
        "INSERT INTO accounts (username, subject, password_phc, created_at) VALUES ('alice', 'alice', 'phc', 1)",
        "INSERT INTO identities (issuer, upstream_subject, subject, created_at) VALUES ('https://idp.example', 'u-1', 'alice', 1)",
        "INSERT INTO grants (grant_id, client_id, subject, resource, scope, redirect_uri, auth_time, created_at, redeemed_at, expires_at,
            generation, answered_again)
           VALUES ('00000000000000000000000001', 'app', 'alice', 'https://mcp.example/mcp', 'mcp:read', 'https://app.example/callback', 1, 1, 2,
            9999999999, 0, 0)",
        "INSERT INTO signing_keys (kid, alg, sealed_private, public_jwk, created_at, active_from) VALUES ('k', 'ES256', 's', '{}', 1, 1)",
        "INSERT INTO ended (number, kind, hash, forget_after) VALUES (1, 'grant', 'AAAAAAAAAAAAAAAAAAAAAA', 9999999999)",
        "INSERT INTO audit (audit_id, at, event) VALUES ('00000000000000000000000002', 1, 'token.issued')",
    ],
)];

#[test]
fn the_folders_pair_up_and_every_file_says_what_it_is() {
    let folder = |name: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(name);
        let mut files: Vec<_> = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        files
    };
    let known: Vec<_> = schema::STEPS.iter().map(|step| format!("{}.sql", step.name)).collect();
    assert_eq!(folder("sqlite"), known);
    assert_eq!(folder("postgres"), known);
    for (place, step) in schema::STEPS.iter().enumerate() {
        assert_eq!(step.number, place as i64 + 1, "{}", step.name);
        assert!(step.name.starts_with(&format!("{:04}_", step.number)), "{}", step.name);
        assert!(step.sqlite.starts_with("-- ") && step.postgres.starts_with("-- "), "{} opens with a comment", step.name);
    }
    assert_eq!(RELEASED.iter().map(|(version, _)| *version).collect::<Vec<_>>(), (1..=schema::STEPS.len() as i64).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_every_released_version_survive_the_walk() {
    for (version, rows) in RELEASED {
        for (database, folder) in databases().await {
            schema::migrate_to(&database, *version).await.unwrap();
            let mut conn = Conn::open(&database, Durability::Full).await.unwrap();
            for sql in *rows {
                conn.run(sql, &[]).await.unwrap();
            }
            conn.close().await;
            let bench = Bench::on(database, folder).await;
            let store = &bench.store;
            assert_eq!(store.client(&client_id("app")).await.unwrap().unwrap().name, "App");
            assert_eq!(store.account("alice").await.unwrap().unwrap().password_phc, "phc");
            let grant = store.grant(&GrantId::parse("00000000000000000000000001").unwrap()).await.unwrap().unwrap();
            assert!(grant.redeemed_at == Some(Timestamp(2)) && grant.stands().is_ok());
            assert_eq!(store.keys().await.unwrap().len(), 1);
            assert_eq!(store.ended_after(0, 10).await.unwrap().len(), 1);
            assert_eq!(store.audit_events(&Default::default(), None, 10).await.unwrap().len(), 1);
        }
    }
}

/// Table to columns, each with its type, and whether it may be absent.
async fn columns(bench: &Bench) -> BTreeMap<String, Vec<(String, String, bool)>> {
    let sql = if bench.is_sqlite() {
        "SELECT t.name AS of, c.name AS called, lower(c.type) AS kind, c.\"notnull\" = 0 AS absent
           FROM sqlite_schema AS t JOIN pragma_table_info(t.name) AS c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'
           AND $1 = '' ORDER BY t.name, c.cid"
    } else {
        "SELECT table_name::text AS of, column_name::text AS called, data_type::text AS kind, is_nullable = 'YES' AS absent
           FROM information_schema.columns WHERE table_schema = current_schema() AND $1 = '' ORDER BY table_name, ordinal_position"
    };
    let mut tables = BTreeMap::<_, Vec<_>>::new();
    for row in bench.aside().await.rows(sql, &[Value::Text("")]).await.unwrap() {
        let table = row.text("of").unwrap().to_owned();
        if table != "_sqlx_migrations" {
            let column = (row.text("called").unwrap().to_owned(), row.text("kind").unwrap().to_owned(), row.flag("absent").unwrap());
            tables.entry(table).or_default().push(column);
        }
    }
    tables
}

#[tokio::test(flavor = "multi_thread")]
async fn both_schemas_agree_column_by_column_and_use_portable_types() {
    let mut seen = Vec::new();
    for bench in benches().await {
        let tables = columns(&bench).await;
        for (table, columns) in &tables {
            for (name, kind, _) in columns {
                assert!(["text", "bigint", "boolean"].contains(&kind.as_str()), "{table}.{name} is {kind}");
            }
        }
        assert!(tables.len() >= 12, "{:?}", tables.keys());
        seen.push(tables);
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_opens_only_on_the_schema_that_it_knows() {
    for (database, folder) in databases().await {
        let config =
            StoreConfig { database: database.clone(), access_token: Ttl(600), refresh_overlap: Ttl(120), registration_unused: Ttl(60) };
        let open = async || Store::open(&config, Arc::new(FixedClock::at(START)) as Arc<dyn Clock>).await;
        let Err(StoreError::Schema(told)) = open().await else { panic!("an empty database is not ours") };
        assert!(told.contains("migrate"), "{told}");
        Store::migrate(&database).await.unwrap();
        Store::migrate(&database).await.unwrap();
        open().await.unwrap();
        let mut conn = Conn::open(&database, Durability::Full).await.unwrap();
        conn.run("UPDATE _sqlx_migrations SET version = 9999", &[]).await.unwrap();
        conn.close().await;
        let Err(StoreError::Schema(told)) = open().await else { panic!("a newer schema is not ours") };
        assert!(told.contains("9999"), "{told}");
        assert!(matches!(Store::migrate(&database).await, Err(StoreError::Schema(_))));
        drop(folder);
    }
}
