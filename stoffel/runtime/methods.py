"""The methods that a machine knows: which function implements a method of a type."""

from __future__ import annotations

from stoffel.errors import ErrorKind, VMError


class MethodRegistry:
    """Maps (receiver type, method name) to the name of the function that implements it."""

    __slots__ = ("_canonical", "_types")

    def __init__(self) -> None:
        self._canonical: dict[tuple[str, str], str] = {}
        self._types: dict[str, set[str]] = {}

    def add(self, receiver: str, method: str, canonical: str) -> None:
        """Register a method; raises VMError (kind Registration) if the type has one of that name."""
        if (receiver, method) in self._canonical:
            raise VMError(f"Method '{receiver}.{method}' is already registered", ErrorKind.REGISTRATION)
        self._canonical[receiver, method] = canonical
        self._types.setdefault(method, set()).add(receiver)

    def get(self, receiver: str, method: str) -> str | None:
        """Return the canonical function name, or None."""
        return self._canonical.get((receiver, method))

    def knows(self, method: str) -> bool:
        """Return whether any type has a method of that name."""
        return method in self._types

    def copy(self) -> MethodRegistry:
        """Return an independent registry with the same methods."""
        other = MethodRegistry()
        other._canonical = dict(self._canonical)
        other._types = {method: set(types) for method, types in self._types.items()}
        return other
