"""What tests of hooks share: the trace of a run, event by event."""

from __future__ import annotations

from typing import Any

import stoffel
from stoffel import HookContext, VirtualMachine, diagnostic, events

CALL_ID = """
function main()
    LDI r1, 5
    PUSHARG r1
    CALL id
    MOV r2, r0
    CMP r2, r1
    RET r2
end
function id(x)
    RET r0
end
"""
"""A call that passes its argument back, and one instruction of most kinds."""


def described(event: Any) -> str:
    """Return an event as one short line: its name and what it carries, in diagnostic form."""
    parts = []
    for field in event:
        if isinstance(field, stoffel.Instruction):
            parts.append(" ".join(str(field).split()))
        elif isinstance(field, events.CallTarget):
            parts.append(f"{field.sort} {field.name}")
        elif isinstance(field, tuple):
            pairs = (
                f"{item[0]}={diagnostic(item[1])}" if isinstance(item, tuple) else diagnostic(item) for item in field
            )
            parts.append(f"[{', '.join(pairs)}]")
        else:
            parts.append(field if type(field) is str and "Upvalue" in event.kind else diagnostic(field))
    return f"{event.kind} {', '.join(parts)}"


def where(context: HookContext) -> str:
    """Return current function, depth and cursor as ``main/1 main:0``."""
    cursor = context.cursor
    place = "none" if cursor is None else f"{cursor[0]}:{cursor[1]}"
    return f"{context.function_name}/{context.call_depth} {place}"


def trace(vm: VirtualMachine, name: str, *arguments: Any, places: bool = False) -> list[str]:
    """Run and return every event, with the place where each was seen if asked for."""
    seen: list[str] = []

    def callback(event: Any, context: HookContext) -> None:
        seen.append(f"{described(event)} @ {where(context)}" if places else described(event))

    identity = vm.register_hook(None, callback, 0)
    try:
        vm.execute(name, *arguments)
    finally:
        vm.unregister_hook(identity)
    return seen


def inner(vm: VirtualMachine, name: str, *arguments: Any) -> list[str]:
    """Return the events of a run without those of instructions."""
    return [line for line in trace(vm, name, *arguments) if "InstructionExecute" not in line]


def ignore(event: Any, context: HookContext) -> None:
    """Be a hook that does nothing."""
