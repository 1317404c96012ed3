"""``stoffel info``: what is in a program file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from stoffel.cli import report, status
from stoffel.cli.files import Source, decode, read_source
from stoffel.cli.options import Command, Option, Parsed

if TYPE_CHECKING:
    from stoffel.isa.function import Function
    from stoffel.isa.manifest import Manifest
    from stoffel.isa.program import Program


def run(parsed: Parsed) -> int:
    """Describe the file; returns the exit status."""
    source = read_source(parsed.operands[0])
    facts = describe(source, decode(source))
    if "--json" in parsed.options:
        import json

        report.put(json.dumps(facts, ensure_ascii=False, indent=2) + "\n")
    else:
        report.put("\n".join(_lines(facts)) + "\n")
    return status.OK


def signature(function: Function) -> str:
    """Return name, parameters and return type, types as far as known: ``fib(n: int64) -> int64``."""
    from stoffel.isa.quoting import format_name
    from stoffel.isa.types import UNKNOWN

    parameters = [
        format_name(name) if kind == UNKNOWN else f"{format_name(name)}: {kind}"
        for name, kind in zip(function.parameters, function.parameter_types, strict=True)
    ]
    result = "" if function.return_type == UNKNOWN else f" -> {function.return_type}"
    return f"{format_name(function.name)}({', '.join(parameters)}){result}"


def describe(source: Source, program: Program) -> dict[str, Any]:
    """Return everything that is shown about a program, ready for JSON."""
    return {
        "file": source.name,
        "format": "stflb" if source.is_binary else "stfasm",
        "bytes": len(source.data),
        "version": program.version,
        "instructions": sum(len(function.instructions) for function in program.functions),
        "functions": [_describe_function(function) for function in program.functions],
        "constants": _count_constants(program),
        "manifest": _describe_manifest(program.manifest),
    }


def _describe_function(function: Function) -> dict[str, Any]:
    return {
        "name": function.name,
        "signature": signature(function),
        "parameters": [
            {"name": name, "type": str(kind)}
            for name, kind in zip(function.parameters, function.parameter_types, strict=True)
        ],
        "return_type": str(function.return_type),
        "upvalues": list(function.upvalues),
        "parent": function.parent,
        "registers": function.registers,
        "instructions": len(function.instructions),
        "labels": len(function.labels),
    }


def _count_constants(program: Program) -> dict[str, int]:
    """Return how many constants of each type the pool holds, by the name that the ``type`` builtin gives."""
    from stoffel.model.values import type_name

    counts: dict[str, int] = {}
    for value in program.constants:
        name = type_name(value)
        counts[name] = counts.get(name, 0) + 1
    return counts


def _describe_manifest(manifest: Manifest) -> dict[str, Any]:
    demand = manifest.demand
    return {
        "backend": manifest.backend,
        "curve": manifest.curve,
        "clients": [
            {
                "slot": client.slot,
                "inputs": [_share_type(share) for share in client.inputs],
                "outputs": [_share_type(share) for share in client.outputs],
            }
            for client in manifest.clients
        ],
        "demand": {name: getattr(demand, name) for name in type(demand).__slots__},
    }


def _share_type(share: Any) -> dict[str, Any]:
    return {"kind": share.kind, "bits": share.bits, "fraction": share.fraction}


def _lines(facts: dict[str, Any]) -> list[str]:
    functions = facts["functions"]
    sort = "bytecode" if facts["format"] == "stflb" else "text assembly"
    lines = [f"{report.one_line(facts['file'])}: {sort}, format version {facts['version']}, {facts['bytes']} bytes"]
    lines.append(f"Functions: {len(functions)}, instructions: {facts['instructions']}")
    if functions:
        columns = ("instructions", "registers", "labels")
        lines.append("  ".join(["", *columns, "function"]))
        for function in functions:
            numbers = [f"{function[column]:>{len(column)}}" for column in columns]
            lines.append("  ".join(["", *numbers, _function_text(function)]))
    constants = facts["constants"]
    lines.append(f"Constants: {', '.join(f'{count} {name}' for name, count in constants.items()) or 'none'}")
    lines += _manifest_lines(facts["manifest"])
    return lines


def _function_text(function: dict[str, Any]) -> str:
    text = str(function["signature"])
    if function["upvalues"]:
        text += f"  upvalues ({', '.join(function['upvalues'])})"
    if function["parent"] is not None:
        text += f"  inside {function['parent']}"
    return report.one_line(text)


def _manifest_lines(manifest: dict[str, Any]) -> list[str]:
    demand = manifest["demand"]
    clients = report.count(len(manifest["clients"]), "client")
    lines = [f"Manifest: backend {manifest['backend']}, curve {manifest['curve']}, {clients}"]
    for client in manifest["clients"]:
        ways = [
            f"{way} {', '.join(_share_text(share) for share in client[way]) or 'none'}" for way in ("inputs", "outputs")
        ]
        lines.append(f"  client {client['slot']}: {'; '.join(ways)}")
    lines.append(f"Demand: {', '.join(f'{name} {str(value).lower()}' for name, value in demand.items())}")
    return lines


def _share_text(share: dict[str, Any]) -> str:
    fraction = f".{share['fraction']}" if share["fraction"] else ""
    return f"{share['kind']}({share['bits']}{fraction})"


COMMAND: Final = Command(
    name="info",
    summary="Show what is in a program: functions, types, sizes, constants, manifest.",
    operands=("FILE",),
    options=(Option("--json", "Print one JSON object."),),
    examples=(("stoffel info life.stflb", "show what is in a program"),),
    run=run,
)
