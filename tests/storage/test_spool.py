"""The journal keeps every record through crashes, and gives each back once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from codex_pooler.storage import spool as spool_module
from codex_pooler.storage.spool import Spool


def test_records_come_back_in_order_and_only_until_confirmed(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for n in range(5):
        spool.begin(f"t{n}", b"{}")
        spool.end(f"t{n}", b'{"n":%d}' % n)
    assert spool.take(3) == [b'{"n":0}', b'{"n":1}', b'{"n":2}']
    assert spool.take(3) == [b'{"n":0}', b'{"n":1}', b'{"n":2}'], "unconfirmed records are given again"
    spool.confirm()
    assert spool.take(9) == [b'{"n":3}', b'{"n":4}']
    spool.confirm()
    assert spool.backlog == 0
    spool.close()
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_leaves_its_ends_and_its_unfinished_turns(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path; from codex_pooler.storage.spool import Spool\n"
        "s = Spool(Path(sys.argv[1]))\n"
        "s.begin('a', b'{\"a\":1}'); s.begin('b', b'{\"b\":1}'); s.end('a', b'{\"a\":2}')\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    spool = Spool(tmp_path)
    (orphan,) = spool.orphans()
    assert orphan.ends == (b'{"a":2}',)
    assert orphan.unfinished == (b'{"b":1}',)
    spool.forget(orphan)
    assert spool.orphans() == []
    spool.close()


def test_a_living_process_keeps_its_segment(tmp_path: Path) -> None:
    first, second = Spool(tmp_path), Spool(tmp_path)
    first.begin("a", b"{}")
    assert second.orphans() == []
    first.close()
    second.close()


def test_a_torn_last_line_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "1-x.log").write_bytes(b'B a {}\nE a {"n":1}\nE b {"n"')
    spool = Spool(tmp_path)
    (orphan,) = spool.orphans()
    assert orphan.ends == (b'{"n":1}',)
    spool.forget(orphan)
    spool.close()


def test_rotation_carries_running_turns_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "ROTATE_BYTES", 10)
    spool = Spool(tmp_path)
    spool.begin("long", b'{"long":1}')
    spool.begin("short", b"{}")
    spool.end("short", b"{}")
    spool.take(10)
    spool.confirm()
    (segment,) = tmp_path.iterdir()
    assert segment.read_bytes() == b'B long {"long":1}\n'
    spool.close()
    assert segment.exists(), "an unfinished turn keeps its segment"


def test_a_full_disk_delays_records_and_loses_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path)
    real, full = os.write, [True]

    def write(descriptor: int, data: bytes) -> int:
        if full[0]:
            raise OSError(28, "No space left on device")
        return real(descriptor, data)

    monkeypatch.setattr("os.write", write)
    spool.end("a", b'{"n":1}')
    assert spool.take(5) == []
    assert spool.failures
    full[0] = False
    spool.end("b", b'{"n":2}')
    assert spool.take(5) == [b'{"n":1}', b'{"n":2}']
    monkeypatch.undo()
    spool.close()
