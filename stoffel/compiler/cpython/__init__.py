"""The CPython back end: bytes and tables of code objects, their verifier, and all that differs between versions."""
