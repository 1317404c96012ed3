"""The rows of the builtins for text, closures and local storage."""

from __future__ import annotations

from typing import Final

from stoffel.model.builtins.declaration import (
    ANYTHING,
    BOOL,
    CLOSURE,
    CREATES,
    KEY,
    READS,
    STRING,
    UNENUMERABLE,
    UNIT,
    Builtin,
    Effect,
    Parameter,
)

_VALUE: Final = Parameter("value")
_STORED: Final = Parameter("key", KEY)

_HOST: Final[frozenset[Effect]] = frozenset({"runs code of the host"})
_RECORDS: Final[frozenset[Effect]] = frozenset({"looks at activation records", "fires hook events of its own"})

TEXT: Final = (
    Builtin(
        "print",
        (Parameter("value", optional=True),),
        UNIT,
        "Write the display forms of the arguments, joined by one space, as one line to the output.",
        'print("sum", 5)',
        "()",
        effects=READS | _HOST,
        more="taken like the last one",
        errors=("VM output write failed: {reason}",),
        work="shown(value, *rest)",
        text="shown(value, *rest)",
    ),
    Builtin(
        "to_string",
        (_VALUE,),
        STRING,
        "Return the display form, which print writes.",
        "to_string([5, 6])",
        '"[5, 6]"',
        effects=READS,
        expects="1 argument",
        work="shown(value)",
        text="shown(value)",
    ),
    Builtin(
        "type",
        (_VALUE,),
        STRING,
        "Return the name of the value's type.",
        "type(5u8)",
        '"uint8"',
        expects="1 argument",
    ),
    Builtin(
        "assert",
        (Parameter("condition", BOOL), Parameter("message", optional=True)),
        UNIT,
        "Fail with the message, if it is a string, unless the condition is true.",
        'assert(false, "no luck")',
        "error: no luck",
        expects="1 or 2 arguments: condition and optional message",
        more="ignored",
        errors=("assert condition must be a bool, found {type}", "assertion failed", "{message}"),
    ),
)

CLOSURES: Final = (
    Builtin(
        "create_closure",
        (Parameter("function", STRING), Parameter("upvalue", STRING, optional=True)),
        CLOSURE,
        "Return a closure of a function with the named variables, looked up through the active records.",
        'call_closure(create_closure("twice"), 4)',
        "8",
        effects=_RECORDS,
        expects="at least 1 argument: function_name",
        more="taken like the last one",
        errors=(
            "First argument must be a string",
            "Upvalue names must be strings",
            "Could not find upvalue {name} when creating closure",
        ),
        makes="(0 if upvalue is None else 1) + len(rest)",
    ),
    Builtin(
        "call_closure",
        (Parameter("closure", CLOSURE), Parameter("argument", optional=True)),
        ANYTHING,
        "Run a closure with the further arguments and return its result.",
        'call_closure(create_closure("twice"), 5)',
        "10",
        effects=_RECORDS | {"changes activation records", "calls a VM function"},
        expects="at least 1 argument: closure",
        more="taken like the last one",
        errors=(
            "First argument must be a closure, but got {type}",
            "Function {name} not found",
            "Cannot execute foreign function as closure: {name}",
            "Function {name} expects {n} arguments but got {n}",
            "Call depth exceeds {n}",
        ),
    ),
    Builtin(
        "get_upvalue",
        (Parameter("name", STRING),),
        ANYTHING,
        "Return the upvalue of that name of the function that runs.",
        'call_closure(create_closure("next", "start"))',
        "2",
        effects=_RECORDS,
        expects="1 argument: name",
        errors=("Upvalue name must be a string", "Upvalue '{name}' not found", "No active activation record"),
    ),
    Builtin(
        "set_upvalue",
        (Parameter("name", STRING), _VALUE),
        UNIT,
        "Change an upvalue of the function that runs, and of its closure wherever a register holds it.",
        'a = create_closure("next", "start"); call_closure(a); call_closure(a)',
        "3",
        effects=_RECORDS | {"changes activation records"},
        expects="2 arguments: name and value",
        more="ignored",
        errors=(
            "Upvalue name must be a string",
            "Upvalue '{name}' not found for writing",
            "No active activation record",
        ),
    ),
)

_BAD_KEY: Final = ("Expected byte array", "Expected U8 at index {i}", UNENUMERABLE, "Local storage is not configured")


def _load(name: str) -> Builtin:
    return Builtin(
        name,
        (_STORED,),
        ANYTHING,
        "Return a new copy of what is kept under a key, Unit if nothing is.",
        f'LocalStorage.store("k", [5]); {name}("k")',
        "[5]",
        effects=CREATES | _HOST,
        expects="1 argument: key",
        errors=(*_BAD_KEY, "Local storage load value failed: {reason}"),
    )


STORAGE: Final = (
    Builtin(
        "LocalStorage.store",
        (_STORED, _VALUE),
        BOOL,
        "Keep a copy of a value under a key, beyond the run; return true.",
        'LocalStorage.store("k", 5)',
        "true",
        effects=READS | _HOST,
        expects="2 arguments: key and value",
        errors=(*_BAD_KEY, "Local storage store value failed: {reason}"),
    ),
    _load("LocalStorage.load"),
    _load("LocalStorage.retrieve"),
    Builtin(
        "LocalStorage.delete",
        (_STORED,),
        BOOL,
        "Forget a key; tell whether it was there.",
        'LocalStorage.delete("nothing")',
        "false",
        effects=READS | _HOST,
        expects="1 argument: key",
        errors=(*_BAD_KEY, "Local storage delete failed: {reason}"),
    ),
    Builtin(
        "LocalStorage.exists",
        (_STORED,),
        BOOL,
        "Tell whether something is kept under a key.",
        'LocalStorage.store("k", 5); LocalStorage.exists("k")',
        "true",
        effects=READS | _HOST,
        expects="1 argument: key",
        errors=(*_BAD_KEY, "Local storage exists failed: {reason}"),
    ),
)
