"""Many processes use one cache at once, and are killed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from stoffel.compiler.flow import decoding
from stoffel.jit.store.kernel_cache import Cache
from tests.copies import Copy
from tests.jit.store.caches import host, stored

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
        "from stoffel.jit.store.kernel_cache import open_cache\n"
        "print(open_cache(sys.argv[1]).get('key'))\n"
        "print([name for name in ('llvmlite', 'json', 'platformdirs', 'pathlib') if name in sys.modules])\n"
    )
    out, err = python(script, directory).communicate(timeout=60)
    assert (out, err) == (b"None\n[]\n", b"")


WORKER = """
import random, sys
from stoffel.jit.store.kernel_cache import Cache

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
        "from stoffel.jit.store.kernel_cache import Cache\n"
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
    head = "import sys\nfrom stoffel.jit.store.kernel_cache import Cache\ncache = Cache(sys.argv[1])\n"
    writer = head + (
        "from stoffel.compiler.kernels.codegen.llvm import build\n"
        "code = build('define i64 @answer(i64 %x) { %y = mul i64 %x, 6 ret i64 %y }')\n"
        "print(cache.put('key', code, {'symbol': 'answer'}))\n"
    )
    reader = head + (
        "from ctypes import *\n"
        "from stoffel.compiler.kernels.codegen.llvm import load\n"
        "entry = cache.get('key')\n"
        "loaded = load(entry.object_code, entry.meta['symbol'])\n"
        "print(CFUNCTYPE(c_int64, c_int64)(loaded.address)(7))\n"
    )
    for script, expected in ((writer, b"True\n"), (reader, b"42\n")):
        assert python(script, directory).communicate(timeout=120) == (expected, b"")


SLOTS = """
function main(n: int64) -> int64
    LDI     r1, 0
    LDI     r2, 1
    MOV     r3, r0
    LDI     r5, 7
    STS     slot0, r5
    LDI     r5, 9
    STS     slot1, r5
again:
    CMP     r1, r3
    JMPEQ   done
    ADD     r1, r1, r2
    LDS     r5, slot0
    ADD     r5, r5, r2
    STS     slot0, r5
    JMP     again
done:
    PUSHARG r1
    CALL    print
    LDS     r5, slot0
    RET     r5
end
"""
"""The kernel of the loop is left at the call: what is in which slot then, the place of each slot tells."""


def test_a_compiler_that_has_changed_uses_no_kernel_of_the_one_before(tmp_path: Path) -> None:
    copy = Copy(tmp_path)
    program = tmp_path / "slots.stfasm"
    program.write_text(SLOTS, encoding="utf-8")
    words = ("run", "--jit=kernels", "--stats", program, 5000)
    status, out, err = copy.stoffel(*words)
    assert (status, out) == (0, "5000\n5007\n")
    assert err.count("  built  ") == 1
    assert copy.stoffel(*words)[2].count("  cached  ") == 1
    # Places are numbered the other way round, as everything in the copy then expects it.
    copy.replace(decoding, "in enumerate(slots)}", "in enumerate(reversed(slots))}")
    status, out, err = copy.stoffel(*words)
    assert (status, out) == (0, "5000\n5007\n")
    assert err.count("  built  ") == 1


def test_a_package_in_an_archive_makes_its_kernels_anew(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "copy")
    program = tmp_path / "slots.stfasm"
    program.write_text(SLOTS, encoding="utf-8")
    archive = shutil.make_archive(str(tmp_path / "archive"), "zip", copy.directory)
    for _ in range(2):
        status, out, err = copy.stoffel("run", "--jit=kernels", "--stats", program, 5000, where=Path(archive))
        assert (status, out) == (0, "5000\n5007\n")
        assert err.count("  built  ") == 1
