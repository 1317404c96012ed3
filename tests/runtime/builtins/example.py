"""The examples of the table of builtins as programs: see ``stoffel.model.builtins.table`` for how they are written."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from stoffel import VirtualMachine, VMError
from stoffel.isa.scalars import INTEGER_KINDS
from stoffel.model import tables
from stoffel.model.builtins.declaration import Builtin
from stoffel.model.values import Array, Object, value_of
from tests.machines import loaded

_FUNCTIONS = """
function twice(x)
    ADD r0, r0, r0
    RET r0
end
function next()
    LDI r1, "start"
    PUSHARG r1
    CALL get_upvalue
    LDI r2, 1
    ADD r3, r0, r2
    PUSHARG r1
    PUSHARG r3
    CALL set_upvalue
    RET r3
end
"""


class _Writer:
    """Writes expressions as instructions; every value gets a register of its own."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.variables: dict[str, int] = {}
        self.used = 0

    def register(self) -> int:
        self.used += 1
        return self.used

    def constant(self, text: str) -> int:
        register = self.register()
        self.lines.append(f"LDI r{register}, {text}")
        return register

    def call(self, name: str, *arguments: int) -> int:
        register = self.register()
        self.lines += [*(f"PUSHARG r{argument}" for argument in arguments), f"CALL {name}", f"MOV r{register}, r0"]
        return register

    def write(self, node: ast.expr) -> int:
        """Write one expression and return the register that holds its value."""
        match node:
            case ast.Call(ast.Name("_"), [ast.Constant(text)]):
                return self.constant(text)
            case ast.Call(function, arguments):
                return self.call(ast.unparse(function).removesuffix("_"), *map(self.write, arguments))
            case ast.List(items):
                array = self.call("create_array")
                for item in items:
                    self.call("array_push", array, self.write(item))
                return array
            case ast.Dict(keys, values):
                table = self.call("create_object")
                for key, value in zip(keys, values, strict=True):
                    assert key is not None
                    self.call("set_field", table, self.write(key), self.write(value))
                return table
            case ast.Name(name) if name in self.variables:
                return self.variables[name]
            case ast.Name():
                return self.constant(node.id)
            case ast.Constant(str() as text):
                return self.constant(json.dumps(text))
        return self.constant(ast.unparse(node))


def program(text: str) -> str:
    """Return the assembly of a program whose ``main(start)`` returns what the last call of an example gives."""
    writer = _Writer()
    register = 0
    python = re.sub(r"\b(\d+[ui]\d+)\b", r'_("\1")', text).replace("assert(", "assert_(")
    for statement in ast.parse(python).body:
        if isinstance(statement, ast.Assign):
            (target,) = statement.targets
            assert isinstance(target, ast.Name)
            writer.variables[target.id] = writer.write(statement.value)
        else:
            assert isinstance(statement, ast.Expr)
            register = writer.write(statement.value)
    return "\n".join(["function main(start)", *writer.lines, f"RET r{register}", "end", _FUNCTIONS])


def shown(value: Any) -> str:
    """Return a value as the examples write it."""
    if isinstance(value, Array):
        return f"[{', '.join(map(shown, tables.elements(value)))}]"
    if isinstance(value, Object):
        fields = [f"{shown(value_of(key))}: {shown(item)}" for key, item in value.fields.items()]
        return f"{{{', '.join(fields)}}}"
    if value is None:
        return "()"
    if type(value) in (str, bool):
        return json.dumps(value)
    return f"{int(value)}{INTEGER_KINDS[type(value)].suffix}"


def machine(jit: str, text: str) -> VirtualMachine:
    """Return a machine in which the program of an example is ``main``."""
    made = VirtualMachine(jit=jit, output=lambda line: None, storage=":memory:", cache="off")
    return loaded(made, program(text))


def outcome(row: Builtin, jit: str) -> str:
    """Return what the example of a row gives, as the row writes it."""
    try:
        return shown(machine(jit, row.example).execute("main", 1))
    except VMError as error:
        name = row.example.rpartition("; ")[2].partition("(")[0]
        return str(error).replace(f"Foreign function {name} failed: ", "error: ", 1)
