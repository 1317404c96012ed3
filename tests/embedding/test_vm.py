"""The embedding interface: loading, running, output, storage, clones."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

import stoffel
from stoffel import Function, Instruction, VirtualMachine, VMError
from stoffel.model.code import Code
from tests.machines import Make, failure, loaded, told

ADD = "function add(a, b)\n ADD r0, r0, r1\nend"


# Loading -------------------------------------------------------------------------------------------------------------


def test_a_program_is_loaded_from_itself_a_path_or_bytes(machine: Make, tmp_path: Path) -> None:
    program = stoffel.assemble(ADD)
    path = tmp_path / "add.stflb"
    program.save(path)
    for source in (program, path, str(path), path.read_bytes()):
        vm = machine()
        assert vm.load(source) == program
        assert vm.execute("add", 1, 2) == 3


def test_loading_what_is_no_program_fails_before_anything_is_registered(machine: Make, tmp_path: Path) -> None:
    vm = machine()
    with pytest.raises(stoffel.LoadError):
        vm.load(b"junk")
    with pytest.raises(stoffel.LoadError):
        vm.load(tmp_path / "missing.stflb")


def test_the_first_function_that_a_machine_refuses_is_named_and_nothing_is_registered(machine: Make) -> None:
    taken = Function("print", [Instruction("NOP")])
    unverifiable = Function("f", [Instruction("JMP", "nowhere")])
    fine = Function("g", [Instruction("NOP")])
    vm = machine()
    for functions, text in (
        ([fine, taken, unverifiable], "Function 'print' is already registered"),
        ([fine, unverifiable, taken], "Function f references unknown label 'nowhere'"),
        ([Function("len", [Instruction("JMP", "nowhere")])], "Function 'len' is already registered"),
    ):
        assert str(failure(vm.load, stoffel.Program(functions))) == text
        assert not vm.has_function("g")


@pytest.mark.parametrize(
    ("constant", "reason"),
    [
        (2**63, "9223372036854775808 does not fit int64; use stoffel.U64 for larger values"),
        ("a\ud800", "the string holds a lone surrogate at 1"),
        ([1], "a Python list is not a machine value; use int, float, bool, str, None, "),
    ],
)
def test_a_constant_that_no_value_of_the_machine_can_be_is_refused_at_registration(constant: Any, reason: str) -> None:
    vm = VirtualMachine()
    instructions = [Instruction("NOP"), Instruction("LDI", 0, constant)]
    kind, text = told(failure(vm.register_function, Function("f", instructions)))
    assert kind == "Message"
    assert text.startswith(f"constant of f at instruction 1: {reason}")
    assert not vm.has_function("f")


def test_only_functions_can_be_registered_as_functions() -> None:
    with pytest.raises(TypeError, match=r"register_function takes a stoffel\.Function, not str"):
        VirtualMachine().register_function("f")  # type: ignore[arg-type]


def test_a_machine_without_builtins_has_no_functions() -> None:
    vm = loaded(VirtualMachine(builtins=False), "function main()\n CALL print\nend")
    assert not vm.has_function("print")
    assert str(failure(vm.execute, "main")) == "Function 'print' not found"
    vm.register_standard_library()
    assert vm.has_function("print")


def test_functions_are_bound_when_they_are_first_called() -> None:
    vm = loaded(VirtualMachine(), ADD)
    code = vm.state.functions["add"]
    assert isinstance(code, Code)
    with pytest.raises(AttributeError):
        Code.__dict__["steps"].__get__(code)
    vm.execute("add", 1, 2)
    assert len(code.steps) == 1
    with pytest.raises(AttributeError, match="nonsense"):
        code.nonsense  # noqa: B018


# Output --------------------------------------------------------------------------------------------------------------


HELLO = 'function main()\n LDI r1, "hello"\n PUSHARG r1\n CALL print\n CALL print\nend'


def test_output_is_standard_output_unless_told_otherwise(machine: Make, capsys: pytest.CaptureFixture[str]) -> None:
    machine(HELLO).execute("main")
    assert capsys.readouterr().out == "hello\n\n"


def test_output_goes_to_a_file_or_a_function_of_lines(machine: Make) -> None:
    stream = io.StringIO()
    machine(HELLO, output=stream).execute("main")
    assert stream.getvalue() == "hello\n\n"
    lines: list[str] = []
    machine(HELLO, output=lines.append).execute("main")
    assert lines == ["hello", ""]


def test_output_can_be_replaced_between_runs_and_is_shared_with_clones(machine: Make) -> None:
    first: list[str] = []
    second: list[str] = []
    vm = machine(HELLO, output=first.append)
    clone = vm.clone()
    vm.output = second.append
    vm.execute("main")
    clone.execute("main")
    vm.output("direct")
    assert (first, second) == (["hello", ""], ["hello", "", "direct"])


class Full:
    def write(self, text: str) -> None:
        raise OSError(28, "No space left on device")


def test_a_failing_sink_fails_the_print(machine: Make) -> None:
    error = failure(machine(HELLO, output=Full()).execute, "main")
    assert told(error) == (
        "ForeignFunction",
        "Foreign function print failed: VM output write failed: [Errno 28] No space left on device",
    )
    assert (error.function, error.instruction) == ("main", 2)

    def refuse(line: str) -> None:
        raise VMError("my own text")

    error = failure(machine(HELLO, output=refuse).execute, "main")
    assert str(error) == "Foreign function print failed: my own text"


def test_a_closed_pipe_is_still_to_be_told_from_the_error(machine: Make) -> None:
    def closed(line: str) -> None:
        raise BrokenPipeError

    error = failure(machine(HELLO, output=closed).execute, "main")
    assert isinstance(error.__cause__, BrokenPipeError)


def test_what_cannot_take_lines_is_no_output() -> None:
    with pytest.raises(TypeError, match="output must be None, a file or a callable taking a line, not int"):
        VirtualMachine(output=5)
    vm = VirtualMachine()
    with pytest.raises(TypeError, match="output must be"):
        vm.output = "text"


def test_standard_output_is_looked_up_at_each_write(machine: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    vm = machine(HELLO)
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    vm.execute("main")
    assert stream.getvalue() == "hello\n\n"


# Storage -------------------------------------------------------------------------------------------------------------

STORE = """
function put(value)
    LDI r1, "k"
    PUSHARG r1
    PUSHARG r0
    CALL LocalStorage.store
end
function take()
    LDI r1, "k"
    PUSHARG r1
    CALL LocalStorage.load
    RET r0
end
"""


def test_storage_is_a_file_that_outlives_the_machine(machine: Make, tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    vm = machine(STORE, storage=path)
    vm.execute("put", "kept")
    vm.state.storage.close()
    again = machine(STORE, storage=str(path))
    assert again.execute("take") == "kept"
    again.state.storage.close()


def test_clones_share_the_storage(machine: Make) -> None:
    vm = machine(STORE, storage=":memory:")
    vm.execute("put", 5)
    assert vm.clone().execute("take") == 5
    vm.state.storage.close()


def test_storage_may_be_any_object_with_the_four_methods(machine: Make) -> None:
    class Backend:
        def __init__(self) -> None:
            self.data: dict[bytes, bytes] = {}

        def store(self, key: bytes, value: bytes) -> None:
            self.data[key] = value

        def retrieve(self, key: bytes) -> bytes | None:
            return self.data.get(key)

        def delete(self, key: bytes) -> bool:
            return self.data.pop(key, None) is not None

        def exists(self, key: bytes) -> bool:
            return key in self.data

    backend = Backend()
    vm = machine(STORE, storage=backend)
    vm.execute("put", 7)
    assert vm.execute("take") == 7
    assert [*backend.data] == [b"k"]


def test_without_storage_programs_are_told_so(machine: Make) -> None:
    error = failure(machine(STORE).execute, "take")
    assert told(error) == (
        "ForeignFunction",
        "Foreign function LocalStorage.load failed: Local storage is not configured",
    )


# Clones --------------------------------------------------------------------------------------------------------------


def test_a_clone_shares_code_and_starts_with_nothing_else(machine: Make) -> None:
    vm = machine(ADD)
    vm.max_call_depth = 77
    vm.create_array()
    vm.register_foreign_object("x")
    vm.register_hook(None, lambda event, context: None, 0)
    clone = vm.clone()
    assert clone.state.functions["add"] is vm.state.functions["add"]
    assert clone.execute("add", 1, 2) == 3
    assert (clone.max_call_depth, clone.jit) == (77, vm.jit)
    assert clone.create_array().id == 1
    assert clone.register_foreign_object("y").id == 1
    assert clone.register_hook(None, lambda event, context: None, 0) == 1


def test_a_clone_shares_the_code_of_a_loaded_file(machine: Make, tmp_path: Path) -> None:
    stoffel.assemble(ADD).save(tmp_path / "add.stflb")
    vm = machine()
    vm.load(tmp_path / "add.stflb")
    assert vm.clone().state.functions["add"] is vm.state.functions["add"]


def test_functions_registered_later_are_not_seen_by_the_other(machine: Make) -> None:
    vm = machine()
    clone = vm.clone()
    loaded(vm, ADD)
    loaded(clone, "function add(a, b)\n SUB r0, r0, r1\nend")
    assert (vm.execute("add", 5, 3), clone.execute("add", 5, 3)) == (8, 2)


def test_table_constants_dangle_in_a_clone(machine: Make) -> None:
    vm = machine()
    array, table = vm.create_array([5]), vm.create_object()
    for name, constant in (
        ("array", array),
        ("again", array),
        ("object", table),
        ("closure", stoffel.Closure("f", (("kept", array), ("number", 1)))),
        ("scalar", 5),
    ):
        vm.register_function(Function(name, [Instruction("LDI", 0, constant)]))
    clone = vm.clone()
    assert vm.execute("array") is array
    handle = clone.execute("array")
    assert handle is not array
    assert clone.execute("again") is handle
    assert stoffel.diagnostic(handle) == "Array(1)"
    assert told(failure(clone.execute, "len", handle)) == (
        "ForeignFunction",
        "Foreign function len failed: Array with ID 1 not found",
    )
    assert told(failure(clone.execute, "get_field", handle, 0))[1].endswith("Array with ID 1 not found")
    assert told(failure(clone.execute, "to_string", clone.execute("object")))[1].endswith("Object with ID 2 not found")
    assert clone.execute("closure").upvalues == (("kept", handle), ("number", 1))
    assert clone.state.functions["scalar"] is vm.state.functions["scalar"]


def test_a_foreign_function_works_on_the_machine_that_calls_it(machine: Make) -> None:
    vm = machine("function main()\n CALL where\n RET r0\nend\nfunction inner()\n LDI r0, 6\nend")
    seen: list[Any] = []

    def where(context: stoffel.ForeignContext) -> Any:
        seen.append((context.vm, len(context.vm.state.frames), context.call("inner")))
        return context.create_array([1])

    vm.register_foreign_function("where", where)
    vm.create_array()
    clone = vm.clone()
    assert clone.execute("main").id == 1
    assert vm.execute("main").id == 2
    assert seen == [(clone, 1, 6), (vm, 1, 6)]


# Tables and calls ----------------------------------------------------------------------------------------------------


def test_the_host_reads_and_changes_tables_that_programs_made(machine: Make) -> None:
    vm = machine("function make()\n CALL create_object\n RET r0\nend")
    table = vm.execute("make")
    vm.set(table, "list", [1, 2])
    vm.push(vm.get(table, "list"), {"three": 3})
    assert vm.get(table, "missing") is None
    assert vm.get(table, "missing", 0) == 0
    assert vm.length(table) == 1
    assert vm.to_python(table) == {"list": [1, 2, {"three": 3}]}
    assert stoffel.display(table) == "{list: [1, 2, {three: 3}]}"


def test_host_keys_are_taken_as_they_are(machine: Make) -> None:
    vm = machine()
    array = vm.create_array([10, 20])
    assert vm.get(array, -1) is None
    vm.set(array, -1, 5)
    assert (vm.get(array, -1), vm.length(array)) == (5, 2)


def test_a_function_is_called_by_name_with_any_arguments(machine: Make) -> None:
    vm = machine(ADD)
    assert vm.call("add", 1, 2) == 3
    assert vm.call("type", 1.0) == "float"
    assert vm.execute_with_args("add", (1, 2)) == 3


def test_the_state_holds_what_the_machine_has(machine: Make) -> None:
    vm = machine(ADD)
    state = vm.state
    assert "add" in state.functions
    assert (state.frames, state.current_instruction) == ([], None)
    assert state.objects.create_array().id == 1
    assert state.foreign_objects is not None
    assert state.hooks.active is False
    assert str(state.instruction_at("add", 0)).split() == ["ADD", "r0,", "r0,", "r1"]


def test_a_cache_that_is_no_path_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^cache must be None, a path or 'off', not int$"):
        VirtualMachine(cache=5)  # type: ignore[arg-type]


@pytest.mark.parametrize("cache", [None, "off", "kernels", Path("kernels")])
def test_a_clone_has_the_cache_of_the_original(cache: str | Path | None) -> None:
    vm = VirtualMachine(cache=cache)
    assert vm.clone()._engine.cache == vm._engine.cache == cache
