"""The SQLite database inside an AiiDA archive: its tables, and a row for each node and link."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.provenance.aiida_nodes import Archive, sql_moment, uuid_of
from app.provenance.records import RunRecord

_TABLES = """
CREATE TABLE db_dbcomputer (id INTEGER PRIMARY KEY NOT NULL, uuid VARCHAR(32) NOT NULL UNIQUE, label VARCHAR(255) NOT NULL UNIQUE,
  hostname VARCHAR(255) NOT NULL, description TEXT NOT NULL, scheduler_type VARCHAR(255) NOT NULL,
  transport_type VARCHAR(255) NOT NULL, metadata JSON NOT NULL);
CREATE TABLE db_dbsetting (id INTEGER PRIMARY KEY NOT NULL, "key" VARCHAR(1024) NOT NULL UNIQUE, val JSON,
  description TEXT NOT NULL, time DATETIME NOT NULL);
CREATE TABLE db_dbuser (id INTEGER PRIMARY KEY NOT NULL, email VARCHAR(254) NOT NULL UNIQUE, first_name VARCHAR(254) NOT NULL,
  last_name VARCHAR(254) NOT NULL, institution VARCHAR(254) NOT NULL);
CREATE TABLE db_dbauthinfo (id INTEGER PRIMARY KEY NOT NULL, aiidauser_id INTEGER NOT NULL, dbcomputer_id INTEGER NOT NULL,
  metadata JSON NOT NULL, auth_params JSON NOT NULL, enabled BOOLEAN NOT NULL);
CREATE TABLE db_dbgroup (id INTEGER PRIMARY KEY NOT NULL, uuid VARCHAR(32) NOT NULL UNIQUE, label VARCHAR(255) NOT NULL,
  type_string VARCHAR(255) NOT NULL, time DATETIME NOT NULL, description TEXT NOT NULL, extras JSON NOT NULL,
  user_id INTEGER NOT NULL REFERENCES db_dbuser (id), UNIQUE (label, type_string));
CREATE TABLE db_dbnode (id INTEGER PRIMARY KEY NOT NULL, uuid VARCHAR(32) NOT NULL UNIQUE, node_type VARCHAR(255) NOT NULL,
  process_type VARCHAR(255), label VARCHAR(255) NOT NULL, description TEXT NOT NULL, ctime DATETIME NOT NULL,
  mtime DATETIME NOT NULL, attributes JSON, extras JSON, repository_metadata JSON NOT NULL,
  dbcomputer_id INTEGER REFERENCES db_dbcomputer (id), user_id INTEGER NOT NULL REFERENCES db_dbuser (id));
CREATE TABLE db_dbcomment (id INTEGER PRIMARY KEY NOT NULL, uuid VARCHAR(32) NOT NULL UNIQUE, dbnode_id INTEGER NOT NULL,
  ctime DATETIME NOT NULL, mtime DATETIME NOT NULL, user_id INTEGER NOT NULL, content TEXT NOT NULL);
CREATE TABLE db_dbgroup_dbnodes (id INTEGER PRIMARY KEY NOT NULL, dbnode_id INTEGER NOT NULL, dbgroup_id INTEGER NOT NULL,
  UNIQUE (dbgroup_id, dbnode_id));
CREATE TABLE db_dblink (id INTEGER PRIMARY KEY NOT NULL, input_id INTEGER NOT NULL, output_id INTEGER NOT NULL,
  label VARCHAR(255) NOT NULL, type VARCHAR(255) NOT NULL);
CREATE TABLE db_dblog (id INTEGER PRIMARY KEY NOT NULL, uuid VARCHAR(32) NOT NULL UNIQUE, time DATETIME NOT NULL,
  loggername VARCHAR(255) NOT NULL, levelname VARCHAR(50) NOT NULL, dbnode_id INTEGER NOT NULL, message TEXT NOT NULL,
  metadata JSON NOT NULL);
"""


def write_database(archive: Archive, run: RunRecord) -> bytes:
    """The bytes of db.sqlite3 for one archive; the nodes have the numbers that `archive.nodes` gives them."""
    people = {
        name: place
        for place, name in enumerate(dict.fromkeys([run.person, *(job.person for job in run.jobs)]), start=1)
    }
    computers = {job.cluster: job for job in run.jobs}
    places = {name: place for place, name in enumerate(computers, start=1)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "db.sqlite3"
        connection = sqlite3.connect(path)
        with connection:
            connection.executescript(_TABLES)
            connection.executemany(
                "INSERT INTO db_dbuser VALUES (?, ?, ?, '', '')",
                [(place, f"{name}@crystaldeck.invalid", name) for name, place in people.items()],
            )
            connection.executemany(
                "INSERT INTO db_dbcomputer VALUES (?, ?, ?, ?, 'imported', ?, ?, ?)",
                [
                    (
                        places[name],
                        uuid_of(f"computer:{name}"),
                        name,
                        job.hostname or "localhost",
                        job.scheduler,
                        "core.ssh" if job.hostname else "core.local",
                        json.dumps({"workdir": "/"}),
                    )
                    for name, job in computers.items()
                ],
            )
            connection.executemany(
                "INSERT INTO db_dbnode VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        archive.nodes[node.key],
                        uuid_of(node.key),
                        node.kind,
                        node.process_type,
                        node.label,
                        node.description,
                        sql_moment(node.made),
                        sql_moment(node.changed),
                        json.dumps(node.attributes),
                        json.dumps(node.extras, default=str),
                        json.dumps(_tree(node.files)),
                        places.get(node.computer),
                        people[node.person],
                    )
                    for node in archive.rows
                ],
            )
            links = [
                (archive.nodes[source], archive.nodes[target], label, kind)
                for source, target, label, kind in archive.links
                if source in archive.nodes and target in archive.nodes
            ]
            connection.executemany(
                "INSERT INTO db_dblink (input_id, output_id, label, type) VALUES (?, ?, ?, ?)", links
            )
        connection.close()
        return path.read_bytes()


def _tree(files: Mapping[str, str]) -> dict[str, Any]:
    """Paths as the nested form that AiiDA keeps."""
    tree: dict[str, Any] = {}
    for name, digest in sorted(files.items()):
        *folders, last = name.split("/")
        here = tree
        for part in folders:
            here = here.setdefault("o", {}).setdefault(part, {})
        here.setdefault("o", {})[last] = {"k": digest}
    return tree
