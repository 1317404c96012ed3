"""Arrays of numbers from and to anything with the buffer protocol."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import stoffel
from stoffel.isa.scalars import INTEGER_KINDS

machine = stoffel.VirtualMachine()


@pytest.mark.parametrize("source", [kind.type_name for kind in INTEGER_KINDS.values()])
@pytest.mark.parametrize("kind", INTEGER_KINDS)
def test_integers_of_every_width_go_where_they_fit(source: str, kind: Any) -> None:
    info, row = np.iinfo(source), INTEGER_KINDS[kind]

    @given(st.lists(st.integers(int(info.min), int(info.max)) | st.integers(0, 100), max_size=8))
    def check(values: list[int]) -> None:
        bad = [index for index, value in enumerate(values) if not row.minimum <= value <= row.maximum]
        given = np.array(values, source)
        if bad:
            with pytest.raises(ValueError, match=f"element {bad[0]}, {values[bad[0]]}, does not fit {row.name}"):
                machine.create_typed(given, kind)
            return
        made = machine.create_typed(given, kind)
        back = machine.read_buffer(made)
        assert back.tolist() == values
        found = machine.elements(made)
        assert found == values
        assert {type(value) for value in found} <= {kind}
        assert machine.read_buffer(made).tolist() == values

    check()


def test_floats_and_bools() -> None:
    for dtype in ("float64", "float32"):
        values = np.array([1.5, -0.0, float("inf"), 3.25], dtype)
        assert machine.elements(machine.create_typed(values, float)) == values.tolist()
        assert machine.elements(machine.create_typed(values[::2], float)) == values[::2].tolist()
    made = machine.create_typed(np.array([True, False]), bool)
    assert machine.read_buffer(made).tolist() == [True, False]
    assert machine.elements(made) == [True, False]


def test_bytes_and_what_stands_beside() -> None:
    assert machine.read_bytes(machine.create_typed(b"abc", stoffel.U8)) == b"abc"
    assert machine.elements(machine.create_typed(array("h", [-5, 6]), stoffel.I16)) == [-5, 6]
    assert machine.elements(machine.create_typed(b"", int)) == []
    one, two = machine.create_typed(array("q", [1]), int), machine.create_typed(array("q", [1]), int)
    assert one.id != two.id
    machine.push(one, 2)
    machine.set(one, 0, "text")
    assert machine.elements(one) == ["text", 2]


def test_formats_that_name_their_byte_order() -> None:
    import ctypes

    words = (ctypes.c_int32 * 3)(1, -2, 3)
    assert memoryview(words).format == "<i"
    assert machine.elements(machine.create_typed(words, int)) == [1, -2, 3]
    assert machine.elements(machine.create_typed((ctypes.c_uint16 * 2)(1, 65535), stoffel.U16)) == [1, 65535]
    assert machine.elements(machine.create_typed((ctypes.c_double * 2)(1.5, 2.5), float)) == [1.5, 2.5]
    assert machine.elements(machine.create_typed(memoryview(words)[::2], int)) == [1, 3]


def test_the_memory_of_the_host_stays_its_own() -> None:
    memory = np.arange(3)
    made = machine.create_typed(memory, int)
    memory[0] = 9
    assert machine.elements(made) == [0, 1, 2]
    view = machine.read_buffer(machine.create_typed(memory, int))
    machine.push(made, 3)
    assert view.tolist() == [9, 1, 2]


def test_programs_work_on_them_in_every_tier() -> None:
    program = stoffel.assemble("""
function total(items)
    LDI r1, 0
    LDI r2, 0
    PUSHARG r0
    CALL array_length
    MOV r3, r0
    RET r3
end
""")
    for jit in ("off", "always", "kernels"):
        vm = stoffel.VirtualMachine(jit=jit)
        vm.load(program)
        assert vm.execute("total", vm.create_typed(np.arange(70), int)) == 70


def test_what_cannot_be_is_told() -> None:
    with pytest.raises(TypeError, match=r"kind must be one of I64, .*, float, bool, not <class 'str'>"):
        machine.create_typed(b"a", str)
    with pytest.raises(TypeError, match="list has no buffer; create_array takes any iterable"):
        machine.create_typed([1], int)
    with pytest.raises(TypeError, match="a buffer of format 'd' has no elements of I64"):
        machine.create_typed(np.ones(3), int)
    with pytest.raises(TypeError, match="a buffer of format 'l' in 2 dimensions has no elements of I64"):
        machine.create_typed(np.ones((2, 2), "int64"), int)
    with pytest.raises(TypeError, match="a buffer of format '>q' has no elements of I64"):
        machine.create_typed(np.ones(2, ">i8"), int)
    with pytest.raises(stoffel.VMError, match="the elements of the array are not of one number type"):
        machine.read_buffer(machine.create_array([1, "a"]))
    assert machine.read_buffer(machine.create_array([1.5, 2.5])).tolist() == [1.5, 2.5]
