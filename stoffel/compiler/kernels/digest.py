"""SHA-256 without OpenSSL, which ``hashlib`` loads first: ``python -X importtime -c 'import hashlib'`` tells how long.

The standard library's ``random`` takes its SHA-512 past ``hashlib`` too.
"""

from __future__ import annotations

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
