"""The migrations are one line: two of one number, as when two changes meet, stop every command that opens a history."""

from __future__ import annotations

import re
from pathlib import Path

from alembic.script import ScriptDirectory

from orchestrator.history import migrations

FOLDER = Path(migrations.__file__).parent


def test_each_migration_follows_the_one_before() -> None:
    numbers = [int(re.findall(r"^v(\d+)_", path.name)[0]) for path in sorted(FOLDER.glob("versions/v*.py"))]
    assert numbers == list(range(1, len(numbers) + 1))
    scripts = ScriptDirectory(str(FOLDER))
    assert scripts.get_heads() == [str(numbers[-1])]
    assert [script.revision for script in scripts.walk_revisions()] == [str(number) for number in reversed(numbers)]
