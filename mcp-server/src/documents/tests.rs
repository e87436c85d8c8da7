//! What `search` finds and what it must not, over real folders.

use std::fs;
use std::path::Path;

use super::*;

async fn open(folder: &Path) -> Documents {
    let state = folder.join("state");
    let documents = folder.join("docs");
    fs::create_dir_all(&documents).unwrap();
    fs::create_dir_all(&state).unwrap();
    Documents::open(documents, state.join("notes"), state.join("documents.db")).await.unwrap()
}

fn alice() -> Reader {
    Reader::person("alice")
}

async fn titles(documents: &Documents, words: &str) -> Vec<String> {
    documents.search(words, 10, &alice()).await.unwrap().into_iter().map(|found| found.title).collect()
}

#[tokio::test]
async fn a_word_in_the_title_weighs_more_than_in_the_text() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("docs")).unwrap();
    fs::write(folder.path().join("docs/a.md"), "# Cooking\n\nrotation rotation and more words about tables").unwrap();
    fs::write(folder.path().join("docs/b.md"), "# Rotation of keys\n\nwords about something that is much longer than the other one")
        .unwrap();
    let documents = open(folder.path()).await;
    assert_eq!(titles(&documents, "rotations").await, ["Rotation of keys", "Cooking"]);
}

#[tokio::test]
async fn compounds_and_scripts_without_spaces_are_found_by_their_parts() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("docs")).unwrap();
    fs::write(folder.path().join("docs/de.txt"), "Donaudampfschifffahrtsgesellschaft").unwrap();
    fs::write(folder.path().join("docs/ja.txt"), "認可サーバーの設定方法").unwrap();
    fs::write(folder.path().join("docs/cafe.txt"), "Das Café schließt").unwrap();
    let documents = open(folder.path()).await;
    assert_eq!(titles(&documents, "dampfschiff").await, ["de"]);
    assert_eq!(titles(&documents, "サーバー").await, ["ja"]);
    assert_eq!(titles(&documents, "cafe").await, ["cafe"]);
}

#[tokio::test]
async fn any_word_answers_when_all_words_find_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("docs")).unwrap();
    fs::write(folder.path().join("docs/a.txt"), "apples").unwrap();
    fs::write(folder.path().join("docs/b.txt"), "pears").unwrap();
    let documents = open(folder.path()).await;
    assert_eq!(titles(&documents, "apples bicycles").await, ["a"]);
    assert!(titles(&documents, "bicycles").await.is_empty());
    assert!(titles(&documents, "\" OR * NEAR(").await.is_empty());
}

#[tokio::test]
async fn changes_on_disk_are_followed_and_ids_stay() {
    let folder = tempfile::tempdir().unwrap();
    let documents = open(folder.path()).await;
    let file = folder.path().join("docs/a.md");
    fs::write(&file, "# One\n\nfirst").unwrap();
    documents.refresh().await;
    let before = documents.search("first", 10, &alice()).await.unwrap()[0].id.clone();
    fs::write(&file, "# One\n\nsecond text").unwrap();
    documents.refresh().await;
    assert!(titles(&documents, "first").await.is_empty());
    assert_eq!(documents.search("second", 10, &alice()).await.unwrap()[0].id, before);
    fs::remove_file(&file).unwrap();
    documents.refresh().await;
    assert!(titles(&documents, "second").await.is_empty());
    assert_eq!(documents.document(&before, &alice()).await.unwrap(), None);
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_out_of_the_folder_is_not_a_document() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("docs/sub")).unwrap();
    fs::write(folder.path().join("secret.txt"), "treasure").unwrap();
    fs::write(folder.path().join("docs/inside.txt"), "harmless").unwrap();
    std::os::unix::fs::symlink("../secret.txt", folder.path().join("docs/out.txt")).unwrap();
    std::os::unix::fs::symlink("inside.txt", folder.path().join("docs/in.txt")).unwrap();
    std::os::unix::fs::symlink("..", folder.path().join("docs/sub/up")).unwrap();
    let documents = open(folder.path()).await;
    assert!(titles(&documents, "treasure").await.is_empty());
    let mut harmless = titles(&documents, "harmless").await;
    harmless.sort();
    assert_eq!(harmless, ["in", "inside"]);
}

#[tokio::test]
async fn a_note_is_found_at_once_and_only_by_its_writer() {
    let folder = tempfile::tempdir().unwrap();
    let documents = open(folder.path()).await;
    let note = Note::parse("Groceries", "buy quinces").unwrap();
    let written = documents.write_note(note, &alice()).await.unwrap();
    let found = documents.search("quince", 10, &alice()).await.unwrap();
    assert_eq!(found[0].id, written.id);
    let mallory = Reader::person("mallory");
    assert!(documents.search("quince", 10, &mallory).await.unwrap().is_empty());
    assert_eq!(documents.document(&written.id, &mallory).await.unwrap(), None);
    assert!(documents.list(None, 10, &mallory).await.unwrap().is_empty());
    assert!(documents.beginning_with("Groc", 10, &mallory).await.unwrap().is_empty());
    assert_eq!(documents.beginning_with("groc", 10, &alice()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_restart_and_a_deleted_index_find_everything_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("docs")).unwrap();
    fs::write(folder.path().join("docs/a.txt"), "lasting words").unwrap();
    let id = open(folder.path()).await.search("lasting", 1, &alice()).await.unwrap()[0].id.clone();
    assert_eq!(open(folder.path()).await.search("lasting", 1, &alice()).await.unwrap()[0].id, id);
    for file in ["documents.db", "documents.db-wal", "documents.db-shm"] {
        let _ = fs::remove_file(folder.path().join("state").join(file));
    }
    assert_eq!(open(folder.path()).await.search("lasting", 1, &alice()).await.unwrap()[0].id, id);
}
