"""Hooks: callbacks on what a run does, with priorities, predicates and switches.

Hooks may be registered and switched at any time, from callbacks, foreign functions and other threads. A run obeys at
its next safepoint: function entry, loop back-edge, return from a call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from stoffel.errors import ErrorKind, VMError
from stoffel.model.foreign import failure_text
from stoffel.model.values import Operand
from stoffel.runtime.events import CLASSES, Event
from stoffel.runtime.frames import ActivationRecord

if TYPE_CHECKING:
    from stoffel.isa.instruction import Instruction
    from stoffel.runtime.frames import RunState

Predicate = Callable[[Event], Any]
Callback = Callable[[Event, "HookContext"], Any]


NOTHING: Final = frozenset[type]()


class Hook:
    """One registered hook; ``wanted`` are the classes of events that its predicate may accept."""

    __slots__ = ("callback", "enabled", "id", "predicate", "priority", "wanted")

    def __init__(
        self, identity: int, predicate: Predicate, callback: Callback, priority: int, wanted: frozenset[type]
    ) -> None:
        self.id = identity
        self.wanted = wanted
        self.predicate = predicate
        self.callback = callback
        self.priority = priority
        self.enabled = True


class HookManager:
    """The hooks of one machine, highest priority first, equal priorities in order of registration.

    ``active`` is True while at least one hook is enabled, and ``wanted`` has the classes of events that some enabled
    hook may want; *changed* is called after they may have changed. All methods are safe to call from any thread.
    """

    __slots__ = ("_changed", "_firing", "_hooks", "_lock", "_next_id", "active", "wanted")

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._lock = threading.Lock()
        self._hooks: tuple[Hook, ...] = ()
        self._next_id = 1
        self._firing = False
        self.active = False
        self.wanted = NOTHING

    def renew_after_fork(self) -> None:
        """Forget who held the lock."""
        self._lock = threading.Lock()

    def register(self, predicate: Predicate | type | tuple[type, ...] | None, callback: Callback, priority: int) -> int:
        """Add an enabled hook and return its id (1, 2, 3 ..., never reused).

        *predicate* is called with each event and decides whether *callback* is; an event class or a tuple of them
        stands for a test of the event's class, None for "always". Raises TypeError for anything that cannot be called.
        """
        wanted = CLASSES
        if predicate is None:
            test: Predicate = _always
        elif isinstance(predicate, type | tuple):
            classes = predicate
            wanted = frozenset(known for known in CLASSES if issubclass(known, classes))

            def test(event: Event) -> bool:
                return isinstance(event, classes)

        else:
            test = predicate
        if not callable(test) or not callable(callback):
            raise TypeError("a hook needs a callable predicate (or event class, or None) and a callable callback")
        if not isinstance(priority, int):
            raise TypeError(f"a hook's priority is an int, not {type(priority).__name__}")
        with self._lock:
            hook = Hook(self._next_id, test, callback, priority, wanted)
            self._next_id += 1
            self._hooks = tuple(sorted((*self._hooks, hook), key=lambda item: -item.priority))
            self._refresh()
        return hook.id

    def set_enabled(self, identity: int, enabled: bool) -> bool:
        """Switch a hook on or off; return whether it exists."""
        with self._lock:
            hook = self._find(identity)
            if hook is None:
                return False
            hook.enabled = enabled
            self._refresh()
            return True

    def unregister(self, identity: int) -> bool:
        """Remove a hook; return whether it existed."""
        with self._lock:
            hook = self._find(identity)
            if hook is None:
                return False
            hook.enabled = False
            self._hooks = tuple(item for item in self._hooks if item is not hook)
            self._refresh()
            return True

    def _find(self, identity: int) -> Hook | None:
        return next((hook for hook in self._hooks if hook.id == identity), None)

    def _refresh(self) -> None:
        enabled = [hook.wanted for hook in self._hooks if hook.enabled]
        self.wanted = NOTHING.union(*enabled)
        self.active = bool(enabled)
        self._changed()

    def fire(self, event: Event, context: HookContext) -> None:
        """Offer *event* to the enabled hooks in order: predicate, then callback, hook by hook.

        While a callback runs no events are delivered (a callback may run VM functions without observing itself).
        Raises VMError of kind Hook for the first one that fails; the remaining hooks are not called then.
        """
        if self._firing:
            return
        self._firing = True
        try:
            for hook in self._hooks:
                if hook.enabled:
                    try:
                        if hook.predicate(event):
                            hook.callback(event, context)
                    except Exception as error:
                        if isinstance(error, VMError) and error.kind is ErrorKind.LIMIT:
                            raise
                        text = f"Hook {hook.id} callback failed: {failure_text(error)}"
                        raise VMError(text, ErrorKind.HOOK) from error
        finally:
            self._firing = False


def _always(event: Event) -> bool:  # noqa: ARG001 - the shape of a predicate
    return True


class HookContext:
    """What a hook callback may look at: a live, read-only view of the machine, valid during the callback."""

    __slots__ = ("_state",)

    def __init__(self, state: RunState) -> None:
        self._state = state

    @property
    def frames(self) -> tuple[ActivationRecord, ...]:
        """All activation records, oldest first."""
        return tuple(self._state.frames)

    @property
    def frame(self) -> ActivationRecord | None:
        """The current activation record, or None outside a run."""
        frames = self._state.frames
        return frames[-1] if frames else None

    @property
    def call_depth(self) -> int:
        """Number of activation records; 1 in the entry function."""
        return len(self._state.frames)

    @property
    def compare_flag(self) -> int | None:
        """Compare flag of the current record as -1, 0 or 1; None outside a run."""
        frame = self.frame
        return None if frame is None else frame.flag

    @property
    def cursor(self) -> tuple[str, int] | None:
        """Function name and index of the current instruction, or None; after a nested return, of the caller's CALL."""
        return self._state.cursor

    @property
    def current_instruction(self) -> int:
        """Index of the current instruction; 0 when there is none."""
        cursor = self._state.cursor
        return 0 if cursor is None else cursor[1]

    @property
    def function_name(self) -> str | None:
        """Name of the current record's function, or None outside a run."""
        frame = self.frame
        return None if frame is None else frame.function

    def register(self, index: int) -> Operand:
        """Return a register of the current record; raise VMError if there is no such register."""
        frame = self.frame
        if frame is None:
            raise VMError("No active activation record")
        if not 0 <= index < len(frame.registers):
            raise VMError(f"Register r{index} out of bounds for frame with {len(frame.registers)} registers")
        return frame.registers[index]

    def instruction_at(self, function: str, index: int) -> Instruction | None:
        """Return the instruction at *index* of a VM function, or None if there is none."""
        return self._state.instruction_at(function, index)
