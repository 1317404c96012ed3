"""What keys of the cache are made of: SHA-256 without OpenSSL, and a digest of this package's own files.

``hashlib`` loads OpenSSL first: ``python -X importtime -c 'import hashlib'`` tells how long that takes. The standard
library's ``random`` takes its SHA-512 past ``hashlib`` too.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any


def _constructor() -> Any:
    for module in ("_sha2", "_sha256") if sys.implementation.name == "cpython" else ():
        try:
            return import_module(module).sha256
        except (ImportError, AttributeError):
            continue
    return import_module("hashlib").sha256


if TYPE_CHECKING:
    from hashlib import sha256 as sha256
else:
    sha256 = _constructor()


def digest_of_files(directory: str) -> str:
    """Return a digest of the names and contents of all files below *directory*, whatever they are.

    What Python keeps in ``__pycache__`` does not count. Each content is hashed as Python hashes sources to tell whether
    they have changed (PEP 552), which takes a tenth of the time of SHA-256. Raises OSError if a file cannot be read.
    """
    from importlib.util import source_hash

    digest = sha256()
    pending = [directory]
    for folder in pending:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if not entry.is_dir():
                    with open(entry.path, "rb", buffering=0) as file:  # noqa: PTH123 - pathlib takes long to load
                        content = source_hash(file.readall())
                    digest.update(os.fsencode(entry.path[len(directory) :]) + b"\0" + content)
                elif entry.name != "__pycache__":
                    pending.append(entry.path)
    return digest.hexdigest()
