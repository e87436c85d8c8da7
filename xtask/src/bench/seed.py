"""Fills a SQLite file of a stopped Portico with clients and grants, for `cargo xtask bench` at scale.

Rows are copies of one real row with keys and hashes of their own, so this follows the schema wherever it goes. Grants are
born in the same span of time as the real ones: the rows that the load uses lie scattered among the others.

Arguments: FOLDER CLIENTS GRANTS FIRST_BIRTH_MS LAST_BIRTH_MS
"""

import pathlib
import random
import secrets
import sqlite3
import sys

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
GROUP = 20_000


def grant_id(born_ms):
    """48 bits of birth and 80 of chance, in Crockford's alphabet: see oauth-types, GrantId."""
    value = (born_ms << 80) | random.getrandbits(80)
    return "".join(ALPHABET[(value >> shift) & 31] for shift in range(125, -1, -5))


def database(folder):
    """The file that has the grants; the others are of the MCP server or may vanish."""
    for path in sorted(pathlib.Path(folder).rglob("*")):
        if path.is_file() and path.read_bytes()[:15] == b"SQLite format 3":
            connection = sqlite3.connect(path)
            if connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'grants'").fetchone()[0]:
                return connection
            connection.close()
    raise SystemExit(f"no database with grants in {folder}")


def copies(connection, table, template, changed):
    """Inserts a copy of the row `template` for every dictionary of `changed`."""
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    row = dict(zip(columns, connection.execute(f"SELECT * FROM {table} WHERE {template}").fetchone()))
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' for _ in columns)})"
    group = []
    for values in changed:
        row.update({name: value for name, value in values.items() if name in row})
        group.append(tuple(row.values()))
        if len(group) == GROUP:
            connection.executemany(statement, group)
            group.clear()
    connection.executemany(statement, group)


def main():
    folder, clients, grants, first_ms, last_ms = sys.argv[1], *map(int, sys.argv[2:])
    connection = database(folder)
    connection.execute("PRAGMA synchronous = OFF")
    hash_text = lambda: secrets.token_urlsafe(32)
    names = [f"seed{number:08}" for number in range(clients)]
    with connection:
        some = "client_id = (SELECT client_id FROM grants WHERE refresh_hash IS NOT NULL LIMIT 1)"
        copies(connection, "clients", some, ({"client_id": name, "registration_token_hash": hash_text()} for name in names))
    with connection:
        born = sorted(random.randint(first_ms, last_ms) for _ in range(grants))
        rows = (
            {
                "grant_id": grant_id(birth),
                "client_id": names[number % clients],
                "refresh_hash": hash_text(),
            }
            for number, birth in enumerate(born)
        )
        copies(connection, "grants", "refresh_hash IS NOT NULL LIMIT 1", rows)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    count = lambda table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    print(count("clients"), count("grants"))


main()
