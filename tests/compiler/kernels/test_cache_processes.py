"""Many processes use one cache at once, and are killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from stoffel.compiler.kernels.cache import Cache

from .caches import host, stored

ROOT = Path(__file__).parents[3]


def python(script: str, *arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_miss_imports_nothing_heavy(directory: Path) -> None:
    script = (
        "import sys\n"
        "from stoffel.compiler.kernels.cache import open_cache\n"
        "print(open_cache(sys.argv[1]).get('key'))\n"
        "print([name for name in ('llvmlite', 'json', 'platformdirs', 'pathlib') if name in sys.modules])\n"
    )
    out, err = python(script, directory).communicate(timeout=60)
    assert (out, err) == (b"None\n[]\n", b"")


WORKER = """
import random, sys
from stoffel.compiler.kernels.cache import Cache

directory, seed = sys.argv[1], int(sys.argv[2])
chance = random.Random(seed)
cache = Cache(directory, host=lambda: "a host", limit=60_000)
hits = 0
for _ in range(400):
    number = chance.randrange(12)
    content = bytes([number]) * (100 + 900 * number)
    if chance.random() < 0.5:
        assert cache.put(str(number), content, {"number": number})
    else:
        entry = cache.get(str(number))
        if entry is not None:
            hits += 1
            assert (entry.object_code, entry.meta) == (content, {"number": number}), number
    if chance.random() < 0.01:
        cache.clear()
print(hits)
"""


def test_processes_that_write_read_and_clear_at_once_see_whole_entries_only(directory: Path) -> None:
    workers = [python(WORKER, directory, seed) for seed in range(4)]
    ends = [(*worker.communicate(timeout=120), worker.returncode) for worker in workers]
    assert [(err, code) for _, err, code in ends] == [(b"", 0)] * 4
    assert all(int(out) > 20 for out, _, _ in ends)
    assert {path.suffix for path in stored(directory)} <= {".kernel"}


def test_processes_that_are_killed_while_they_write_leave_whole_entries_only(directory: Path) -> None:
    endless = (
        "import sys\n"
        "from stoffel.compiler.kernels.cache import Cache\n"
        "cache = Cache(sys.argv[1], host=lambda: 'a host')\n"
        "cache.put('key', b'a' * 300_000, {})\n"
        "print('started', flush=True)\n"
        "while True:\n"
        "    for letter in (b'a', b'b'):\n"
        "        cache.put('key', letter * 300_000, {})\n"
    )
    cache = Cache(directory, host=host)
    for _ in range(3):
        with python(endless, directory) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"started\n"
            for _ in range(20):
                entry = cache.get("key")
                assert entry is not None
                assert set(entry.object_code) in ({97}, {98})
            child.kill()
    entry = cache.get("key")
    assert entry is not None
    assert len(entry.object_code) == 300_000


def test_machine_code_that_one_process_built_another_loads_and_runs(directory: Path) -> None:
    head = "import sys\nfrom stoffel.compiler.kernels.cache import Cache\ncache = Cache(sys.argv[1])\n"
    writer = head + (
        "from stoffel.compiler.kernels.machine_code import build\n"
        "code = build('define i64 @answer(i64 %x) { %y = mul i64 %x, 6 ret i64 %y }')\n"
        "print(cache.put('key', code, {'symbol': 'answer'}))\n"
    )
    reader = head + (
        "from ctypes import *\n"
        "from stoffel.compiler.kernels.machine_code import load\n"
        "entry = cache.get('key')\n"
        "loaded = load(entry.object_code, entry.meta['symbol'])\n"
        "print(CFUNCTYPE(c_int64, c_int64)(loaded.address)(7))\n"
    )
    for script, expected in ((writer, b"True\n"), (reader, b"42\n")):
        assert python(script, directory).communicate(timeout=120) == (expected, b"")
