"""Foreign functions that receive a context: arguments, services, failures, calling back; and foreign objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import stoffel
from stoffel import U8, U64, Closure, Foreign, ForeignContext, VirtualMachine, VMError
from tests.machines import Make, failure, told


def with_foreign(vm: VirtualMachine, function: Callable[[ForeignContext], Any], name: str = "F") -> VirtualMachine:
    vm.register_foreign_function(name, function)
    return vm


def text_of(vm: VirtualMachine, *arguments: Any) -> str:
    """Return what foreign function F says after its standard beginning."""
    error = failure(vm.execute_with_args, "F", arguments)
    assert error.kind == "ForeignFunction"
    return str(error).removeprefix("Foreign function F failed: ")


# Results -------------------------------------------------------------------------------------------------------------


def test_a_foreign_result_arrives_in_register_0(machine: Make) -> None:
    vm = machine("function main()\n LDI r1, 21\n PUSHARG r1\n CALL double\n RET r0\nend")
    with_foreign(vm, lambda context: context[0] * 2, "double")
    assert vm.execute("main") == 42


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (None, "()"),
        (5, "5"),
        (U8(5), "5u8"),
        (1.5, "1.5f64"),
        (True, "true"),
        ("x", '"x"'),
        ([1, [2.0, "x"]], "[1, [2f64, x]]"),
        ((1, 2), "[1, 2]"),
        ({"a": [1], 2: None}, "{a: [1], 2: ()}"),
        (b"\x01\xff", "[1u8, 255u8]"),
        ([], "[]"),
    ],
)
def test_python_results_become_machine_values(machine: Make, result: Any, text: str) -> None:
    vm = machine("function main()\n CALL F\n RET r0\nend")
    value = with_foreign(vm, lambda context: result).execute("main")
    table = isinstance(value, stoffel.Array | stoffel.Object)
    assert (stoffel.display(value) if table else stoffel.diagnostic(value)) == text


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (1 << 63, "result: 9223372036854775808 does not fit int64; use stoffel.U64 for larger values"),
        ([1 << 200], "result: the integer does not fit int64; use stoffel.U64 for larger values"),
        ("\udfff", "result: the string holds a lone surrogate at 0"),
        ({1, 2}, "result: a Python set is not a machine value"),
        ([object()], "result: a Python object is not a machine value"),
    ],
)
def test_what_is_no_machine_value_is_refused_as_a_result(machine: Make, result: Any, text: str) -> None:
    assert text_of(with_foreign(machine(), lambda context: result), 0).startswith(text)


def test_a_cyclic_python_list_is_a_cyclic_array(machine: Make) -> None:
    cyclic: list[Any] = []
    cyclic.append(cyclic)
    vm = with_foreign(machine(), lambda context: cyclic)
    array = vm.execute("F", 0)
    assert vm.elements(array) == [array]


# Failures ------------------------------------------------------------------------------------------------------------


def test_a_python_exception_becomes_the_failure_with_the_original_as_cause(machine: Make) -> None:
    vm = machine("function main()\n CALL native.typed_fail\nend")
    original = ValueError("typed failure")

    def fail(context: ForeignContext) -> None:
        raise original

    error = failure(with_foreign(vm, fail, "native.typed_fail").execute, "main")
    assert told(error) == ("ForeignFunction", "Foreign function native.typed_fail failed: typed failure")
    assert error.__cause__ is original
    assert error.inner_kind is None
    assert (error.function, error.instruction) == ("main", 0)


@pytest.mark.parametrize(
    ("exception", "text"),
    [
        (ValueError(), "ValueError"),
        (KeyError("k"), "'k'"),
        (VMError("of the machine", stoffel.ErrorKind.TABLE_MEMORY), "of the machine"),
        (ZeroDivisionError("division by zero"), "division by zero"),
        (StopIteration("done"), "done"),
    ],
)
def test_every_exception_has_a_text(machine: Make, exception: Exception, text: str) -> None:
    def fail(context: ForeignContext) -> None:
        raise exception

    assert text_of(with_foreign(machine(), fail), 0) == text


def test_an_exception_whose_text_fails_is_named_by_its_class(machine: Make) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def fail(context: ForeignContext) -> None:
        raise Mute

    assert text_of(with_foreign(machine(), fail), 0) == "Mute"


def test_the_kind_of_a_machine_service_that_failed_stays_visible(machine: Make) -> None:
    vm = with_foreign(machine(), lambda context: context.load_value("k"))
    error = failure(vm.execute, "F", 0)
    assert str(error) == "Foreign function F failed: Local storage is not configured"
    assert (error.kind, error.inner_kind) == ("ForeignFunction", "Storage")


# Arguments -----------------------------------------------------------------------------------------------------------


def test_the_context_is_a_sequence_of_the_arguments(machine: Make) -> None:
    seen: list[Any] = []

    def look(context: ForeignContext) -> None:
        first, *rest = context
        seen.extend((len(context), context[0], context.arguments, first, rest, context.tail(1), context.tail(3)))

    with_foreign(machine(), look).execute("F", 1, "b", None)
    assert seen == [3, 1, (1, "b", None), 1, ["b", None], ("b", None), ()]


@pytest.mark.parametrize(
    ("access", "arguments", "text"),
    [
        (
            lambda c: c.require_at_least(2, "at least 2 arguments: a and b"),
            [1],
            "F expects at least 2 arguments: a and b",
        ),
        (lambda c: c.require_exactly(1, "1 argument: a"), [1, 2], "F expects 1 argument: a"),
        (lambda c: c[1], [1], "F missing argument 1"),
        (lambda c: c[-1], [1], "F missing argument -1"),
        (lambda c: c.tail(2), [1], "F missing arguments starting at 2"),
        (lambda c: c.string(0, "Name"), [1], "Name must be a string"),
        (lambda c: c.string(1, "Name"), [1], "F missing argument 1"),
        (lambda c: c.boolean(0, "Flag"), [1], "Flag must be a boolean"),
        (lambda c: c.floating(0, "Rate"), [1], "Rate must be a float"),
        (lambda c: c.object(0, "Table"), [1], "Table must be an object"),
        (lambda c: c.array(0, "List"), [1], "List must be an array"),
        (lambda c: c.table(0), [1], "Expected object or array"),
        (lambda c: c.integer(0, "Index"), [1.0], "Index must be an integer"),
        (lambda c: c.integer(0, "Index"), [True], "Index must be an integer"),
        (lambda c: c.integer(0, "Index"), [U64(1 << 63)], "Index exceeds i64 range"),
        (lambda c: c.unsigned(0, "Count"), [-1], "Count must be a non-negative integer"),
        (lambda c: c.unsigned(0, "Count"), ["1"], "Count must be a non-negative integer"),
    ],
)
def test_accessors_fail_with_the_machines_texts(
    machine: Make, access: Callable[[ForeignContext], Any], arguments: list[Any], text: str
) -> None:
    assert text_of(with_foreign(machine(), access), *arguments) == text


def test_accessors_return_what_was_asked_for(machine: Make) -> None:
    seen: list[Any] = []

    def look(context: ForeignContext) -> None:
        context.require_at_least(1, "more")
        context.require_exactly(8, "8")
        seen.extend(
            (
                context.string(0, ""),
                context.boolean(1, ""),
                context.floating(2, ""),
                context.integer(3, ""),
                context.unsigned(4, ""),
                context.object(5, "").id,
                context.array(6, "").id,
                context.table(5).id,
                context.table(6).id,
                context.argument(7),
            )
        )

    vm = with_foreign(machine(), look)
    vm.execute("F", "s", True, 1.5, U8(3), U64(1 << 63), vm.create_object(), vm.create_array(), None)
    assert seen == ["s", True, 1.5, 3, 1 << 63, 1, 2, 1, 2, None]
    assert type(seen[3]) is int


# Services ------------------------------------------------------------------------------------------------------------


def test_the_context_writes_to_the_machines_output(machine: Make) -> None:
    lines: list[str] = []
    with_foreign(machine(output=lines.append), lambda context: context.write_line("hello")).execute("F", 0)
    assert lines == ["hello"]


def test_the_context_creates_reads_and_changes_tables(machine: Make) -> None:
    seen: list[Any] = []

    def work(context: ForeignContext) -> Any:
        array = context.create_array([1, [2]])
        table = context.create_object({"k": array})
        context.set(table, 1.0, "one")
        context.set(array, 5, {"x": 1})
        seen.extend((context.length(array), context.length(table), context.push(array, "end", [3])))
        seen.extend(
            (context.get(table, 1), context.get(table, 1.0), context.get(array, -1), context.get(array, 2, "?"))
        )
        seen.append(context.to_python(context.elements(array)[5]))
        seen.append([key for key, _ in context.entries(table)])
        context.replace_elements(array, context.elements(array)[:2])
        return table

    vm = with_foreign(machine(), work)
    assert vm.to_python(vm.execute("F", 0)) == {"k": [1, [2]], 1.0: "one"}
    assert seen == [6, 2, 8, None, "one", None, None, {"x": 1}, ["k", 1.0]]


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (lambda c: c.get(5, 0), "Expected object or array"),
        (lambda c: c.set("x", 0, 0), "Expected object or array"),
        (lambda c: c.length(None), "Expected object or array"),
        (lambda c: c.entries(None), "Expected object or array"),
        (lambda c: c.elements(c.create_object()), "Expected array"),
        (lambda c: c.push(c.create_object(), 1), "Expected array"),
        (lambda c: c.replace_elements(5, []), "Expected array"),
    ],
)
def test_table_services_refuse_what_is_no_table(machine: Make, use: Callable[[Any], Any], text: str) -> None:
    vm = with_foreign(machine(), use)
    error = failure(vm.execute, "F", 0)
    assert (str(error), error.inner_kind) == (f"Foreign function F failed: {text}", "TableMemory")


def test_keys_and_values_that_are_no_machine_values_are_refused(machine: Make) -> None:
    vm = with_foreign(machine(), lambda context: context.set(context[0], (1, 2), 1))
    assert text_of(vm, vm.create_object()).startswith("key: a Python tuple is not a machine value")
    vm = with_foreign(machine(), lambda context: context.get(context[0], 1 << 64))
    assert text_of(vm, vm.create_object()).startswith("key: 18446744073709551616 does not fit int64")
    vm = with_foreign(machine(), lambda context: context.push(context[0], 1j))
    assert text_of(vm, vm.create_array()).startswith("element: a Python complex is not a machine value")


def test_byte_arrays_are_read_and_made(machine: Make) -> None:
    vm = with_foreign(machine(), lambda context: context.create_bytes(context.read_bytes(context[0])[::-1]))
    assert vm.to_python(vm.execute("F", vm.create_bytes(b"abc"))) == [U8(99), U8(98), U8(97)]
    for value, text in ((5, "Expected byte array"), (vm.create_array([U8(1), 2]), "Expected U8 at index 1")):
        assert text_of(vm, value) == text


def test_the_context_reaches_local_storage(machine: Make) -> None:
    seen: list[Any] = []

    def work(context: ForeignContext) -> None:
        context.store_value("k", {"a": [1]})
        seen.extend((context.value_exists(b"k"), context.to_python(context.load_value(b"k")), context.load_value("x")))
        seen.extend((context.delete_value("k"), context.delete_value("k"), context.value_exists("k")))

    with_foreign(machine(storage=":memory:"), work).execute("F", 0)
    assert seen == [True, {"a": [1]}, None, True, False, False]


# Calling back --------------------------------------------------------------------------------------------------------


def test_a_foreign_function_calls_vm_functions_and_closures_back(machine: Make) -> None:
    vm = machine(
        """
        function main(f)
            PUSHARG r0
            CALL F
            RET r0
        end
        function add(a, b)
            ADD r0, r0, r1
        end
        function same(a)
        end
        """
    )
    with_foreign(vm, lambda c: [c.call("add", 1, 2), c.call(c[0], "x"), c.call("len", "abc")])
    assert vm.to_python(vm.execute("main", Closure("same"))) == [3, "x", 3]


def test_the_frames_of_the_caller_are_untouched_by_a_call_back(machine: Make) -> None:
    vm = machine(
        """
        function main()
            LDI r1, 1
            LDI r2, 2
            CMP r1, r2
            STS slot0, r2
            PUSHARG r1
            CALL F
            JMPLT kept
            RET r1
        kept:
            LDS r3, slot0
            ADD r0, r0, r3
            RET r0
        end
        function inner(a)
            LDI r1, 50
            CMP r1, r0
            STS slot0, r1
            RET r1
        end
        """
    )
    with_foreign(vm, lambda context: context.call("inner", 7))
    assert vm.execute("main") == 52


def test_an_error_of_a_nested_run_is_located_there_and_wrapped_by_the_call(machine: Make) -> None:
    vm = machine("function main()\n NOP\n CALL F\nend\nfunction inner()\n NOP\n NOP\n ADD r0, r0, r0\nend")
    error = failure(with_foreign(vm, lambda context: context.call("inner")).execute, "main")
    assert told(error) == ("ForeignFunction", "Foreign function F failed: Type error in ADD operation")
    assert error.inner_kind == "Value"
    assert (error.function, error.instruction, error.stack) == ("main", 1, (("main", 1),))
    inner = error.__cause__
    assert isinstance(inner, VMError)
    assert (inner.function, inner.instruction, inner.stack) == ("inner", 2, (("main", 1), ("inner", 2)))


def test_a_foreign_function_may_catch_the_error_of_a_nested_run_and_go_on(machine: Make) -> None:
    vm = machine("function main()\n CALL F\n RET r0\nend\nfunction inner()\n ADD r0, r0, r0\nend")

    def careful(context: ForeignContext) -> str:
        try:
            context.call("inner")
        except VMError as error:
            return f"caught: {error}; depth {len(context.vm.state.frames)}"
        return "no error"

    assert with_foreign(vm, careful).execute("main") == "caught: Type error in ADD operation; depth 1"


def test_a_foreign_function_reads_the_upvalues_of_its_caller(machine: Make) -> None:
    vm = machine("function main(c)\n PUSHARG r0\n CALL call_closure\nend\nfunction body()\n CALL F\n RET r0\nend")
    with_foreign(vm, lambda context: context.upvalue("n"))
    assert vm.execute("main", Closure("body", (("n", 1), ("n", 2)))) == 2
    assert text_of(vm, 0) == "Upvalue 'n' not found"


def test_a_foreign_function_may_register_functions_while_the_program_runs(machine: Make) -> None:
    vm = machine("function main()\n CALL F\n CALL later\n RET r0\nend")
    text = "function later()\n LDI r0, 9\nend"
    with_foreign(vm, lambda context: context.vm.load(stoffel.assemble(text)) and None)
    assert vm.execute("main") == 9


# Foreign objects -----------------------------------------------------------------------------------------------------


class Counter:
    def __init__(self, value: int) -> None:
        self.value = value


def test_a_program_changes_a_host_object_through_its_handle(machine: Make) -> None:
    vm = machine(
        """
        function main(counter)
            MOV r1, r0
            LDI r2, 10
            PUSHARG r1
            PUSHARG r2
            CALL increase
            LDI r2, 32
            PUSHARG r1
            PUSHARG r2
            CALL increase
            RET r0
        end
        """
    )

    def increase(context: ForeignContext) -> int:
        with context.locked_object(context[0], Counter) as counter:
            counter.value += context.integer(1, "amount")
            return counter.value

    with_foreign(vm, increase, "increase")
    counter = Counter(0)
    assert vm.execute("main", vm.register_foreign_object(counter)) == 42
    assert counter.value == 42


def test_handles_count_from_1_and_are_values(machine: Make) -> None:
    vm = machine()
    first, second = vm.register_foreign_object("a"), vm.register_foreign_object("b")
    assert (first, second) == (Foreign(1), Foreign(2))
    assert vm.execute("type", first) == "cffi_function"
    assert stoffel.diagnostic(second) == "Foreign(2)"
    table = vm.create_object({first: 1})
    assert vm.get(table, Foreign(1)) == 1


def test_a_lookup_gives_nothing_for_another_type_or_an_unknown_handle(machine: Make) -> None:
    vm = machine()
    counter = Counter(1)
    handle = vm.register_foreign_object(counter)
    assert vm.foreign_object(handle, Counter) is counter
    assert vm.foreign_object(handle, object) is counter
    assert vm.foreign_object(handle, str) is None
    assert vm.foreign_object(Foreign(99), Counter) is None
    assert vm.foreign_object(5, Counter) is None


@pytest.mark.parametrize(
    ("handle", "text"),
    [
        (5, "Expected foreign object"),
        (Foreign(99), "Foreign object 99 is not a Counter"),
        (Foreign(1), "Foreign object 1 is not a Counter"),
    ],
)
def test_locking_what_is_not_there_is_an_error(machine: Make, handle: Any, text: str) -> None:
    vm = machine()
    vm.register_foreign_object("a string")

    def lock(context: ForeignContext) -> None:
        with context.locked_object(context[0], Counter):
            raise AssertionError

    error = failure(with_foreign(vm, lock).execute, "F", handle)
    assert (str(error), error.inner_kind) == (f"Foreign function F failed: {text}", "ForeignObject")


def test_a_foreign_function_registers_objects_for_the_program_to_hold(machine: Make) -> None:
    vm = machine("function main()\n CALL open\n PUSHARG r0\n CALL use\n RET r0\nend")
    with_foreign(vm, lambda context: context.register_object(Counter(5)), "open")
    with_foreign(vm, lambda context: context.foreign_object(context[0], Counter).value, "use")
    assert vm.execute("main") == 5


def test_a_removed_object_is_unknown(machine: Make) -> None:
    vm = machine()
    handle = vm.register_foreign_object(Counter(1))
    assert [vm.state.foreign_objects.remove(handle), vm.state.foreign_objects.remove(handle)] == [True, False]
    assert vm.foreign_object(handle, Counter) is None


def test_a_clone_does_not_see_the_objects_of_the_original(machine: Make) -> None:
    vm = machine()
    handle = vm.register_foreign_object(Counter(1))
    assert vm.clone().foreign_object(handle, Counter) is None


@pytest.mark.parametrize("arguments", [(5, print), ("name", 5)])
def test_registering_needs_a_name_and_a_callable(machine: Make, arguments: tuple[Any, Any]) -> None:
    with pytest.raises(TypeError, match="register_foreign_function takes a name and a callable"):
        machine().register_foreign_function(*arguments)
