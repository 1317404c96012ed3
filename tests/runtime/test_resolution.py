"""What CALL NAME means: functions by exact name, methods by the type of the receiver."""

from __future__ import annotations

import pytest

from stoffel import ForeignContext, Function, Instruction, VirtualMachine
from stoffel.runtime.events import AfterFunctionCall, BeforeFunctionCall, StackPop
from tests.machines import Make, failure, told


def calling(vm: VirtualMachine, name: str) -> VirtualMachine:
    """Register main0, main1 and main2, which call *name* with their 0, 1 or 2 arguments."""
    for count in range(3):
        body = [Instruction("PUSHARG", index) for index in range(count)]
        parameters = [f"p{index}" for index in range(count)]
        vm.register_function(Function(f"main{count}", [*body, Instruction("CALL", name)], parameters=parameters))
    return vm


def shouting(machine: Make) -> VirtualMachine:
    vm = machine()
    vm.register_method("string", "shout", "string_shout", lambda context: context[0].upper())
    return vm


def test_a_bare_method_is_found_by_the_type_of_its_receiver(machine: Make) -> None:
    vm = calling(shouting(machine), "shout")
    assert vm.execute("main1", "hi") == "HI"
    assert told(failure(vm.execute, "main1", 5)) == ("Runtime", "Method 'shout' not found for receiver type 'int64'")
    assert told(failure(vm.execute, "main0")) == ("Runtime", "Method 'shout' requires a receiver argument")


def test_a_qualified_method_is_looked_up_under_the_name_as_written(machine: Make) -> None:
    vm = calling(shouting(machine), "string.shout")
    assert told(failure(vm.execute, "main1", "hi")) == ("Runtime", "Function 'string.shout' not found")
    assert told(failure(vm.execute, "main1", 5)) == (
        "Runtime",
        "Method 'shout' expected receiver type 'string', got 'int64'",
    )
    assert told(failure(vm.execute, "main0")) == ("Runtime", "Method 'string.shout' requires a receiver argument")


def test_a_qualified_method_whose_canonical_name_is_its_own_can_be_called(machine: Make) -> None:
    vm = machine()
    vm.register_method("string", "shout", "string.shout", lambda context: context[0].upper())
    assert calling(vm, "string.shout").execute("main1", "hi") == "HI"


def test_the_first_dot_separates_type_and_method(machine: Make) -> None:
    vm = machine()
    vm.register_method("string", "loud.shout", "string.loud.shout", lambda context: "ok")
    calling(vm, "string.loud.shout")
    assert vm.execute("main1", "hi") == "ok"
    assert told(failure(vm.execute, "main1", 1)) == (
        "Runtime",
        "Method 'loud.shout' expected receiver type 'string', got 'int64'",
    )


def test_an_exact_function_name_wins_over_methods(machine: Make) -> None:
    vm = calling(shouting(machine), "shout")
    vm.register_function(Function("shout", [Instruction("LDI", 0, "mine")], parameters=("x",)))
    assert vm.execute("main1", "hi") == "mine"


def test_a_dotted_name_that_is_no_method_is_a_plain_function(machine: Make) -> None:
    vm = machine()
    vm.register_function(Function("math.answer", [Instruction("LDI", 0, 42)]))
    assert calling(vm, "math.answer").execute("main0") == 42


def test_an_object_that_names_its_type_has_the_methods_of_that_type(machine: Make) -> None:
    vm = machine()
    vm.register_method("Point", "norm", "point_norm", lambda context: context.get(context[0], "x"))
    calling(vm, "norm")
    point = vm.create_object({"__type": "Point", "x": 3})
    assert vm.execute("main1", point) == 3
    for other, name in ((vm.create_object(), "object"), (vm.create_object({"__type": 5}), "object")):
        text = f"Method 'norm' not found for receiver type '{name}'"
        assert told(failure(vm.execute, "main1", other)) == ("Runtime", text)


@pytest.mark.parametrize(
    ("name", "count", "text"),
    [
        ("mul", 0, "Method 'mul' requires a receiver argument"),
        ("mul", 1, "Method 'mul' not found for receiver type 'int64'"),
        ("Share.mul", 1, "Method 'mul' expected receiver type 'Share', got 'int64'"),
        ("no_such_name", 1, "Function 'no_such_name' not found"),
    ],
)
def test_the_built_in_methods_are_those_of_shares(machine: Make, name: str, count: int, text: str) -> None:
    vm = calling(machine(), name)
    assert told(failure(vm.execute_with_args, f"main{count}", [1] * count)) == ("Runtime", text)


def test_a_user_function_shadows_a_built_in_method(machine: Make) -> None:
    vm = calling(machine(), "sub")
    vm.register_function(Function("sub", [Instruction("SUB", 0, 0, 1)], parameters=("a", "b")))
    assert vm.execute("main2", 5, 3) == 2


def test_failing_resolution_leaves_the_stack_and_fires_no_call_events(machine: Make) -> None:
    vm = calling(machine(), "nowhere")
    events = []
    vm.register_hook((StackPop, BeforeFunctionCall), lambda event, context: events.append(event), 0)
    failure(vm.execute, "main2", 1, 2)
    assert events == []


def test_hooks_and_errors_see_the_canonical_name_of_a_bare_method(machine: Make) -> None:
    vm = machine()

    def refuse(context: ForeignContext) -> None:
        raise ValueError("no")

    vm.register_method("string", "shout", "string_shout", refuse)
    calling(vm, "shout")
    targets = []
    vm.register_hook(
        (BeforeFunctionCall, AfterFunctionCall), lambda event, context: targets.append(event.target.label), 0
    )
    assert str(failure(vm.execute, "main1", "x")) == "Foreign function string_shout failed: no"
    assert targets == ["<foreign function string_shout>"]


def test_a_method_is_registered_once_and_all_or_nothing(machine: Make) -> None:
    vm = shouting(machine)
    error = failure(vm.register_method, "string", "shout", "other", lambda context: None)
    assert told(error) == ("Registration", "Method 'string.shout' is already registered")
    assert not vm.has_function("other")

    def uncallable(*, required: int) -> None:
        raise AssertionError

    with pytest.raises(TypeError, match="cannot pass the keyword-only parameter required"):
        vm.register_method("string", "whisper", "string_whisper", uncallable)
    assert told(failure(calling(vm, "whisper").execute, "main1", "x")) == ("Runtime", "Function 'whisper' not found")


def test_a_method_whose_function_exists_uses_that_function(machine: Make) -> None:
    vm = machine('function string_shout(x)\n LDI r0, "from the program"\nend')
    vm.register_method("string", "shout", "string_shout", lambda context: "dropped")
    assert calling(vm, "shout").execute("main1", "hi") == "from the program"


def test_a_clone_has_the_methods_of_before_and_not_those_of_later(machine: Make) -> None:
    vm = calling(shouting(machine), "shout")
    clone = vm.clone()
    vm.register_method("int64", "shout", "int_shout", lambda context: 0)
    assert clone.execute("main1", "hi") == "HI"
    assert vm.execute("main1", 5) == 0
    assert told(failure(clone.execute, "main1", 5))[1] == "Method 'shout' not found for receiver type 'int64'"


# Groups --------------------------------------------------------------------------------------------------------------


def test_the_names_of_all_functions_are_told_in_order_of_registration() -> None:
    vm = VirtualMachine(builtins=False)
    assert vm.function_names() == ()
    vm.register_function(Function("late.name"))
    vm.register_foreign_function("host", lambda context: 5)
    assert vm.function_names() == ("late.name", "host")
    full = VirtualMachine().function_names()
    assert (full[0], full[-1], len(set(full))) == ("create_object", "Crypto.hash_to_g1", len(full))


def test_the_library_is_registered_all_or_nothing(machine: Make) -> None:
    vm = VirtualMachine(builtins=False)
    vm.register_function(Function("append"))
    expected = "standard library cannot register function 'append' because it is already registered"
    assert told(failure(vm.register_standard_library)) == ("Registration", expected)
    assert not vm.has_function("create_object")


def test_the_mpc_builtins_and_their_methods_are_registered_all_or_nothing() -> None:
    vm = VirtualMachine(builtins=False)
    vm.register_function(Function("Share.from_clear"))
    expected = "MPC builtins cannot register function 'Share.from_clear' because it is already registered"
    assert told(failure(vm.register_mpc_builtins)) == ("Registration", expected)
    assert told(failure(calling(vm, "mul").execute, "main1", 1)) == ("Runtime", "Function 'mul' not found")

    vm = VirtualMachine(builtins=False)
    vm.register_method("Share", "mul", "my_mul", lambda context: None)
    assert told(failure(vm.register_mpc_builtins)) == ("Registration", "Method 'Share.mul' is already registered")
    assert not vm.has_function("Share.from_clear")


def test_registering_a_group_twice_names_its_first_function() -> None:
    vm = VirtualMachine()
    expected = "standard library cannot register function 'create_object' because it is already registered"
    assert str(failure(vm.register_standard_library)) == expected
    expected = "MPC builtins cannot register function 'Share.from_clear' because it is already registered"
    assert str(failure(vm.register_mpc_builtins)) == expected
