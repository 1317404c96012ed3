"""SHA-256 as the cache uses it."""

from __future__ import annotations

import hashlib
import subprocess
import sys

from stoffel.compiler.kernels.digest import sha256


def test_it_is_the_standard_librarys() -> None:
    digest = sha256(b"some ")
    digest.update(b"bytes")
    assert digest.hexdigest() == hashlib.sha256(b"some bytes").hexdigest()
    assert sha256(b"").digest() == hashlib.sha256().digest()


def test_openssl_is_not_loaded_for_it() -> None:
    program = "import sys\nfrom stoffel.compiler.kernels import cache\nprint('_hashlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_it_is_hashlibs_where_the_module_behind_it_has_another_name() -> None:
    program = (
        "import sys\nsys.modules['_sha2'] = sys.modules['_sha256'] = None\nimport hashlib\n"
        "from stoffel.compiler.kernels.digest import sha256\nprint(sha256 is hashlib.sha256)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
