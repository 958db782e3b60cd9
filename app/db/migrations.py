"""Running Alembic from Python: the service upgrades its database when it starts."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.engine import make_url

from app import places


def alembic_config(url: str) -> Config:
    """Alembic's settings for the migrations of this release and a database."""
    config = Config()
    config.set_main_option("script_location", str(places.MIGRATIONS))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def make_folder(url: str) -> None:
    """Make the folder of an SQLite file; nobody but the service may read it."""
    file = make_url(url).database
    if make_url(url).get_backend_name() == "sqlite" and file:
        Path(file).parent.mkdir(parents=True, exist_ok=True, mode=0o700)


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database to `revision`. Runs its own event loop: call it outside of one, or in a thread."""
    make_folder(url)
    command.upgrade(alembic_config(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Take the database back to an earlier revision."""
    command.downgrade(alembic_config(url), revision)
