"""What keys of the cache are made of: SHA-256, and the digest of the package's own files."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from stoffel.jit.store.digest import digest_of_files, sha256
from tests.copies import PACKAGE, Copy


def test_it_is_the_standard_librarys() -> None:
    digest = sha256(b"some ")
    digest.update(b"bytes")
    assert digest.hexdigest() == hashlib.sha256(b"some bytes").hexdigest()
    assert sha256(b"").digest() == hashlib.sha256().digest()


def test_openssl_is_not_loaded_for_it() -> None:
    program = "import sys\nfrom stoffel.jit.store import kernel_cache\nprint('_hashlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_it_is_hashlibs_where_the_module_behind_it_has_another_name() -> None:
    program = (
        "import sys\nsys.modules['_sha2'] = sys.modules['_sha256'] = None\nimport hashlib\n"
        "from stoffel.jit.store.digest import sha256\nprint(sha256 is hashlib.sha256)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Copy(tmp_path).directory / PACKAGE.name


def test_a_copy_of_the_package_has_its_digest(copy: Path) -> None:
    (copy / "__pycache__").mkdir()
    (copy / "__pycache__" / "errors.pyc").write_bytes(b"what Python keeps")
    assert digest_of_files(str(copy)) == digest_of_files(str(PACKAGE))


def test_a_change_of_any_file_changes_the_digest(copy: Path) -> None:
    files = [path for path in copy.rglob("*") if path.is_file()]
    assert {copy / "isa" / "scalars.py", copy / "errors.py"} < set(files)
    seen = {digest_of_files(str(copy))}
    for path in files:
        content = path.read_bytes()
        # As long as before: neither length nor time has to tell.
        path.write_bytes(content[:-1] + b" " if content else b" ")
        seen.add(digest_of_files(str(copy)))
        path.write_bytes(content)
    assert len(seen) == 1 + len(files)


def test_files_that_come_go_or_change_names_change_the_digest(copy: Path) -> None:
    seen = [digest_of_files(str(copy))]
    (copy / "isa" / "more.py").write_bytes(b"")
    seen.append(digest_of_files(str(copy)))
    (copy / "isa" / "more.py").rename(copy / "isa" / "other.py")
    seen.append(digest_of_files(str(copy)))
    (copy / "isa" / "other.py").rename(copy / "cli" / "other.py")
    seen.append(digest_of_files(str(copy)))
    (copy / "cli" / "other.py").unlink()
    (copy / "errors.py").unlink()
    seen.append(digest_of_files(str(copy)))
    assert len(set(seen)) == len(seen)


def test_what_is_no_directory_has_no_digest(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        digest_of_files(str(tmp_path / "nowhere"))
