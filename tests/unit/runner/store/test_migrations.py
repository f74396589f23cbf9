"""What the newest migration is called is known without Alembic."""

from __future__ import annotations

from pathlib import Path

from alembic.script import ScriptDirectory

from runner.store import migrations


def test_the_newest_migration_is_the_head_of_all() -> None:
    scripts = ScriptDirectory(str(Path(str(migrations.__file__)).parent))

    assert scripts.get_heads() == [migrations.NEWEST]
