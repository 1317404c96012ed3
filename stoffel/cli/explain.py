"""``stoffel explain``: how fast each function can become, what is in the way, and the code that is made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from stoffel.cli import report, status
from stoffel.cli.arguments import SYNTAX, parse_argument
from stoffel.cli.cache import CACHE, directory
from stoffel.cli.files import program_name, read_program
from stoffel.cli.info import signature
from stoffel.cli.options import Command, Option, Parsed, UsageError, suggestion
from stoffel.cli.run import BARE_MODE, DEFAULT_ENTRY, hints, names_of
from stoffel.cli.tiers import statistics_lines, type_text
from stoffel.embedding.engine import MODES
from stoffel.errors import LoadError, VMError

if TYPE_CHECKING:
    from stoffel.cli.explanations import Explanation, Place, Region
    from stoffel.cli.recorder import Seen
    from stoffel.isa.program import Program

_OPAQUE: Final = "opaque"
"""The code of the type of all that a kernel only passes on."""
_SHOWN_PLACES: Final = 8
"""Most places shown that a loop's kernel is entered with."""
_LISTINGS: Final = ("--code", "--bytecode", "--llvm", "--assembly")


def run(parsed: Parsed) -> int:
    """Explain the functions; returns the exit status."""
    path, *words = parsed.operands
    options = parsed.options
    arguments = [parse_argument(word, position) for position, word in enumerate(words[1:], 1)]
    if "--jit" in options and "--run" not in options:
        raise UsageError("--jit goes with --run")
    program = read_program(path)
    if not program.functions:
        raise LoadError("the program has no functions", category="data", path=program_name(path))
    running = "--run" in options
    entry = words[0] if words else DEFAULT_ENTRY if running else None
    only = options.get("--only")
    for name in (entry, only):
        if name is not None and not _is_known(program, name, len(words) - 1 if name == entry and words[1:] else None):
            return status.FAILED
    from stoffel.compiler.cpython.versions import is_cpython, why_not

    if not is_cpython():
        report.complain(f"stoffel: nothing is compiled: {why_not()}")
        return status.FAILED
    try:
        found, outcome = _explanations(program, entry, arguments if words[1:] else None, options)
    except VMError as error:
        report.complain(f"stoffel: {report.one_line(program_name(path))}: {report.one_line(error)}")
        return status.BAD_FILE
    except _NotStartedError as error:
        report.complain(f"stoffel: {report.one_line(error)}", *hints(program, str(entry), VMError(str(error))))
        return status.FAILED
    listings: list[str] = [flag for flag in _LISTINGS if flag in options]
    if entry is not None and not running and not listings:
        listings = ["--code", "--bytecode"]
    if "--json" in options:
        _put_json(found, listings, outcome)
    else:
        blocks = ["\n".join(_lines(explanation, listings)) for explanation in found]
        if outcome is not None:
            blocks.append("\n".join(_outcome_lines(outcome)))
        report.put("\n\n".join(blocks) + "\n")
    return status.OK


def _is_known(program: Program, name: str, given: int | None) -> bool:
    """Return whether the program has a function *name* that takes *given* arguments; complain if not."""
    if name not in program.functions:
        near = suggestion(name, [function.name for function in program.functions])
        text = f"stoffel: Function {report.one_line(name)} not found{near}"
        report.complain(text, f"  its functions are {names_of(program)}")
        return False
    function = program.functions[name]
    if given is not None and given != len(function.parameters):
        takes = report.count(len(function.parameters), "argument")
        report.complain(f"stoffel: {report.one_line(signature(function))} takes {takes}, not {given}")
        return False
    return True


class _NotStartedError(Exception):
    """The run failed before its first instruction."""


def _explanations(
    program: Program, entry: str | None, arguments: list[Any] | None, options: dict[str, str]
) -> tuple[list[Explanation], dict[str, Any] | None]:
    """Return the explanations asked for, and what came of the run, if one was asked for."""
    from stoffel.cli.explanations import Explainer
    from stoffel.cli.recorder import record

    if "--run" not in options:
        explainer = Explainer(program)
        if entry is not None:
            return [explainer.explain(entry, arguments)], None
        names = [options["--only"]] if "--only" in options else [function.name for function in program.functions]
        return [explainer.explain(name) for name in names], None
    assert entry is not None
    outcome = _execute(program, entry, arguments or [], options)
    recorder = record(program, entry, arguments or [])
    explainer = Explainer(program, recorder)
    names = [options["--only"]] if "--only" in options else [function.name for function in program.functions]
    return [explainer.explain(name) for name in names], outcome


def _execute(program: Program, entry: str, arguments: list[Any], options: dict[str, str]) -> dict[str, Any]:
    """Run the program, output left out, and return result or error and what the tiers did. Raises _NotStartedError."""
    from stoffel.embedding.engine import mode_named
    from stoffel.embedding.vm import VirtualMachine
    from stoffel.model.text import diagnostic

    machine = VirtualMachine(jit=mode_named(options.get("--jit", BARE_MODE)), output=_nowhere, cache=directory(options))
    machine.load(program)
    result = error = None
    try:
        result = diagnostic(machine.execute(entry, *arguments))
    except VMError as failure:
        if not failure.stack:
            raise _NotStartedError(str(failure)) from None
        error = str(failure)
    return {"entry": entry, "result": result, "error": error, "stats": machine.jit_statistics()}


def _nowhere(line: str) -> None:
    """Drop a printed line."""


# Text


def _lines(explanation: Explanation, listings: list[str]) -> list[str]:
    function = explanation.code.function
    lines = [f"function {report.one_line(signature(function))}", *_type_lines(explanation)]
    lines.append(f"  tier: {explanation.tier}")
    if explanation.refusal is not None:
        lines += _refusal_lines("no code object", explanation.refusal.sentence, explanation.place)
    for name, place in explanation.inlined:
        where = "" if place.function == explanation.code.name else f" of {report.one_line(place.function)}"
        lines.append(f"  inlines {report.one_line(name)} at instruction {place.instruction}{where}")
    lines += _region_lines(explanation.call)
    for loop in explanation.loops:
        lines += _region_lines(loop)
    for flag in listings:
        texts = _listings(explanation, flag)
        if not texts:
            lines += ["", f"  {flag}: there is no {'code object' if flag in ('--code', '--bytecode') else 'kernel'}"]
        for title, text in texts.items():
            lines += ["", f"  {title}", *(f"    {line}".rstrip() for line in report.shown_lines(text))]
    return lines


def _type_lines(explanation: Explanation) -> list[str]:
    if not explanation.code.parameters and explanation.source == "declared":
        return []
    if explanation.types is None:
        return ["  argument types: not declared"]
    more = f", and {report.count(explanation.others, 'other combination')}" if explanation.others else ""
    shown = ", ".join(_argument_types(explanation.types))
    return [f"  argument types: {report.one_line(shown) or 'none'} ({explanation.source}{more})"]


def _argument_types(types: Seen) -> list[str]:
    """Return types as the kernel tier sees them, and where that says nothing, as the translator does."""
    from stoffel.compiler.analysis.facts import of_kinds

    return [
        str(of_kinds(kind)) if code == _OPAQUE else type_text(code)
        for kind, code in zip(types.kinds, types.codes, strict=True)
    ]


def _region_lines(region: Region) -> list[str]:
    title = "" if region.entry is None else f"loop at instruction {region.entry}: "
    if region.kernel is None:
        sentence = region.refusal.sentence if region.refusal is not None else ""
        return _refusal_lines(f"{title}no kernel", sentence, region.place)
    kernel = region.kernel
    size = report.count(kernel.instructions, "instruction")
    functions = ", ".join(dict.fromkeys(kernel.functions))
    lines = [f"  {title}kernel {_signature(region, _SHOWN_PLACES)}, {size} of {report.one_line(functions)}"]
    return lines + [
        f"    is left for {report.one_line(sentence)}: {_place_text(place)}" for sentence, place in region.leaves
    ]


def _signature(region: Region, shown: int = 0) -> str:
    """Return what the kernel is entered with, and what it returns: ``(n: int64) -> int64``.

    Of a loop's places those that hold numbers and arrays; *shown* of them, or all if it is 0.
    """
    assert region.kernel is not None
    names = [
        f"{report.one_line(name)}: {type_text(code)}"
        for name, code in region.places
        if region.entry is None or code not in ("nil", _OPAQUE)
    ]
    if shown and len(names) > shown:
        names[shown:] = [f"{len(names) - shown} more"]
    return f"({', '.join(names)}) -> {type_text(region.kernel.result)}"


def _refusal_lines(title: str, sentence: str, place: Place | None) -> list[str]:
    lines = [f"  {title}: {report.one_line(sentence)}"]
    if place is not None:
        lines.append(f"    {_place_text(place)}")
    return lines


def _place_text(place: Place) -> str:
    return report.one_line(f"{place.function}, instruction {place.instruction}: {place.text}")


def _listings(explanation: Explanation, flag: str) -> dict[str, str]:
    """Return the texts that *flag* asks for, by their titles."""
    if flag == "--code":
        return {"Simplified code:": explanation.simplified} if explanation.unit is not None else {}
    if flag == "--bytecode":
        return {"CPython code:": explanation.disassembly} if explanation.unit is not None else {}
    return dict(_machine_listings(explanation, flag))


def _machine_listings(explanation: Explanation, flag: str) -> list[tuple[str, str]]:
    from stoffel.cli.machine_listings import assembly, llvm
    from stoffel.compiler.refusal import Refusal

    found = []
    for region in (explanation.call, *explanation.loops):
        if region.kernel is None:
            continue
        what = "LLVM IR" if flag == "--llvm" else "Assembly"
        where = "" if region.entry is None else f" from instruction {region.entry}"
        try:
            text = (llvm if flag == "--llvm" else assembly)(region.kernel.ir)
        except Refusal as refusal:
            text = str(refusal)
        found.append((f"{what} of the kernel{where}:", text))
    return found


def _outcome_lines(outcome: dict[str, Any]) -> list[str]:
    end = f"result {outcome['result']}" if outcome["error"] is None else f"error {outcome['error']}"
    return [f"run of {report.one_line(outcome['entry'])}: {report.one_line(end)}", *statistics_lines(outcome["stats"])]


# JSON


def _put_json(found: list[Explanation], listings: list[str], outcome: dict[str, Any] | None) -> None:
    import json

    facts: dict[str, Any] = {"functions": [_as_dict(explanation, listings) for explanation in found]}
    if outcome is not None:
        facts["run"] = outcome
    report.put(json.dumps(facts, ensure_ascii=False, indent=2) + "\n")


def _as_dict(explanation: Explanation, listings: list[str]) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "name": explanation.code.name,
        "signature": signature(explanation.code.function),
        "tier": explanation.tier,
        "argument_types": None if explanation.types is None else _argument_types(explanation.types),
        "types_are": explanation.source,
        "other_combinations": explanation.others,
        "no_code_object": explanation.refusal and explanation.refusal.sentence,
        "no_code_object_at": explanation.place and explanation.place._asdict(),
        "inlines": [{"inlined": name, **place._asdict()} for name, place in explanation.inlined],
        "call": _region_as_dict(explanation.call),
        "loops": [{"instruction": loop.entry, **_region_as_dict(loop)} for loop in explanation.loops],
    }
    for flag in listings:
        texts = _listings(explanation, flag)
        key = flag.removeprefix("--")
        facts[key] = texts if key in ("llvm", "assembly") else next(iter(texts.values()), None)
    return facts


def _region_as_dict(region: Region) -> dict[str, Any]:
    return {
        "kernel": region.kernel is not None,
        "signature": None if region.kernel is None else _signature(region),
        "functions": [] if region.kernel is None else list(dict.fromkeys(region.kernel.functions)),
        "no_kernel": region.refusal and region.refusal.sentence,
        "no_kernel_at": region.place and region.place._asdict(),
        "leaves": [{"why": sentence, **place._asdict()} for sentence, place in region.leaves],
    }


COMMAND: Final = Command(
    name="explain",
    summary="Show which tier each function can reach, what is in the way, and the code made of it.",
    operands=("FILE", "[FUNCTION]", "[ARG...]"),
    options=(
        Option("--code", "Show the simplified code: threaded blocks with types."),
        Option("--bytecode", "Show the CPython code object, disassembled."),
        Option("--llvm", "Show the optimised LLVM IR of kernels."),
        Option("--assembly", "Show the machine code of kernels as assembly."),
        Option(
            "--run",
            "Run FUNCTION (main unless given) with the ARGs; take the types of calls from that, tell what it did.",
        ),
        Option("--jit", f"Mode of that run ({BARE_MODE} unless given).", value="MODE", choices=tuple(MODES)),
        CACHE,
        Option("--only", "Explain this function only.", value="NAME"),
        Option("--json", "Print one JSON object."),
    ),
    details="""\
Without FUNCTION all functions are explained, by the types that their parameters are declared with. With FUNCTION it
is that one, with --code and --bytecode unless other listings are asked for; ARGs give the types of its arguments.

"""
    + SYNTAX
    + """

Exit status: 0 fine (also if the run fails), 1 no such function, or it cannot be started, 2 wrong command line,
3 the file is bad or refused, 130 interrupted, 141 the reader of the output went away.""",
    examples=(
        ("stoffel explain life.stflb", "what each function becomes, and what is in the way"),
        ("stoffel explain life.stflb alive --llvm", "the optimised LLVM IR of one function"),
        ("stoffel explain --run life.stflb main", "with the types that a run shows"),
    ),
    run=run,
)
