"""The operations of the instruction table in LLVM IR: checked like the machine's own, for every integer type.

Integers of all widths are held in 64 bits (sign-extended or zero-extended). What the machine makes an error of, or
what has no short form here, leaves the kernel: the interpreter then executes the instruction and words the error. What
kernels do not have at all is refused where it would be in a loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from stoffel.compiler.kernels.analysis.types import BOOL, FLOAT, Scalar, Type
from stoffel.compiler.kernels.codegen import buffer
from stoffel.compiler.kernels.codegen.llvm_writer import Writer
from stoffel.isa.flags import FLAGS, RELATIONS
from stoffel.isa.scalars import INTEGER_KINDS, IntegerKind
from stoffel.isa.table import OPERATION_NAMES, complete

Operands = tuple[tuple[Type, str], ...]
"""Types and LLVM values of the operands."""
Lowering = Callable[[Writer, Operands, str], str]
"""Writes an operation; given the block to go to where it fails, returns the result's value."""


class Operation(NamedTuple):
    """How kernels have an operation, of operands of one integer type and more; the result has their type.

    *lower* is None if they do not have it. *floats* says that it may have two Floats, or a Float and an I64 and then a
    Float for result, *booleans* that it may have Bools.
    """

    lower: Lowering | None = None
    floats: bool = False
    booleans: bool = False


def integer(kind: Type) -> IntegerKind:
    """Return the row of an integer type."""
    assert isinstance(kind, Scalar)
    return INTEGER_KINDS[kind.cls]


def _is_float(operands: Operands) -> bool:
    return any(kind is FLOAT for kind, _ in operands)


def _doubles(writer: Writer, operands: Operands) -> list[str]:
    return [value if kind is FLOAT else writer.value(f"sitofp i64 {value} to double") for kind, value in operands]


def _fits(writer: Writer, row: IntegerKind, result: str, leave: str) -> None:
    """Leave if *result* is outside a type narrower than 64 bits."""
    if row.bits < 64:
        offset = writer.value(f"sub i64 {result}, {row.minimum}") if row.minimum else result
        writer.unless(writer.value(f"icmp ugt i64 {offset}, {row.maximum - row.minimum}"), leave)


def _arithmetic(integers: str, floats: str) -> Lowering:
    def lower(writer: Writer, operands: Operands, leave: str) -> str:
        if _is_float(operands):
            left, right = _doubles(writer, operands)
            return writer.value(f"{floats} double {left}, {right}")
        row = integer(operands[0][0])
        prefix = "u" if row.bits == 64 and not row.signed else "s"
        pair = writer.value(
            f"call {{i64, i1}} @llvm.{prefix}{integers}.with.overflow.i64(i64 {operands[0][1]}, i64 {operands[1][1]})"
        )
        result = writer.value(f"extractvalue {{i64, i1}} {pair}, 0")
        if row.bits == 64 or integers == "mul":
            # The product of two narrower values may need more than 63 bits.
            writer.unless(writer.value(f"extractvalue {{i64, i1}} {pair}, 1"), leave)
        _fits(writer, row, result, leave)
        return result

    return lower


def _check_divisor(writer: Writer, row: IntegerKind, left: str, right: str, leave: str) -> None:
    writer.unless(writer.value(f"icmp eq i64 {right}, 0"), leave)
    if row.signed:
        least = writer.value(f"icmp eq i64 {left}, {row.minimum}")
        minus_one = writer.value(f"icmp eq i64 {right}, -1")
        writer.unless(writer.value(f"and i1 {least}, {minus_one}"), leave)


def _divide(writer: Writer, operands: Operands, leave: str) -> str:
    if _is_float(operands):
        left, right = _doubles(writer, operands)
        writer.unless(writer.value(f"fcmp oeq double {right}, 0.0"), leave)
        return writer.value(f"fdiv double {left}, {right}")
    row = integer(operands[0][0])
    left, right = operands[0][1], operands[1][1]
    _check_divisor(writer, row, left, right, leave)
    return writer.value(f"{'sdiv' if row.signed else 'udiv'} i64 {left}, {right}")


def _modulo(writer: Writer, operands: Operands, leave: str) -> str:
    if _is_float(operands):
        left, right = _doubles(writer, operands)
        # A NaN operand, an infinite dividend and a zero divisor are left to the interpreter.
        size = writer.value(f"call double @llvm.fabs.f64(double {left})")
        finite = writer.value(f"fcmp olt double {size}, 0x7FF0000000000000")
        nonzero = writer.value(f"fcmp one double {right}, 0.0")
        fine = writer.value(f"and i1 {finite}, {nonzero}")
        writer.unless(writer.value(f"xor i1 {fine}, true"), leave)
        function = writer.value(f"inttoptr i64 {writer.state(buffer.FMOD)} to ptr")
        return writer.value(f"call double {function}(double {left}, double {right})")
    row = integer(operands[0][0])
    left, right = operands[0][1], operands[1][1]
    _check_divisor(writer, row, left, right, leave)
    return writer.value(f"{'srem' if row.signed else 'urem'} i64 {left}, {right}")


def _bitwise(instruction: str) -> Lowering:
    def lower(writer: Writer, operands: Operands, leave: str) -> str:  # noqa: ARG001 - cannot fail
        return writer.value(f"{instruction} i64 {operands[0][1]}, {operands[1][1]}")

    return lower


def _invert(writer: Writer, operands: Operands, leave: str) -> str:  # noqa: ARG001 - cannot fail
    kind, value = operands[0]
    if kind is BOOL:
        return writer.value(f"xor i64 {value}, 1")
    row = integer(kind)
    return writer.value(f"xor i64 {value}, {-1 if row.signed or row.bits == 64 else row.maximum}")


def _check_amount(writer: Writer, row: IntegerKind, amount: str, leave: str) -> None:
    writer.unless(writer.value(f"icmp uge i64 {amount}, {row.bits}"), leave)


def _shift_left(writer: Writer, operands: Operands, leave: str) -> str:
    row = integer(operands[0][0])
    value, amount = operands[0][1], operands[1][1]
    _check_amount(writer, row, amount, leave)
    shifted = writer.value(f"shl i64 {value}, {amount}")
    if row.bits == 64:
        return shifted
    if not row.signed:
        return writer.value(f"and i64 {shifted}, {row.maximum}")
    spare = 64 - row.bits
    return writer.value(f"ashr i64 {writer.value(f'shl i64 {shifted}, {spare}')}, {spare}")


def _shift_right(writer: Writer, operands: Operands, leave: str) -> str:
    row = integer(operands[0][0])
    value, amount = operands[0][1], operands[1][1]
    _check_amount(writer, row, amount, leave)
    return writer.value(f"{'ashr' if row.signed else 'lshr'} i64 {value}, {amount}")


def _is_u64(kind: Type) -> bool:
    row = integer(kind)
    return row.bits == 64 and not row.signed


class Order:
    """A comparison: the flag it sets, and how to test for a set of flag values without it."""

    __slots__ = ("_predicates", "flag", "left", "right")

    def __init__(self, flag: str, left: str = "", right: str = "", predicates: str = "") -> None:
        self.flag = flag
        self.left = left
        self.right = right
        self._predicates = predicates

    def holds(self, writer: Writer, flags: frozenset[int]) -> str:
        """Return the condition that the flag is one of *flags*."""
        if flags == FLAGS:
            return "true"
        name = RELATIONS[flags]
        if not self._predicates:
            return among(writer, self.flag, flags)
        if self._predicates == "double":
            return writer.value(f"fcmp o{name} double {self.left}, {self.right}")
        prefix = "" if name in ("eq", "ne") else self._predicates
        return writer.value(f"icmp {prefix}{name} i64 {self.left}, {self.right}")


def among(writer: Writer, flag: str, flags: frozenset[int]) -> str:
    """Return the condition that the compare flag *flag* is one of *flags*."""
    if flags == FLAGS:
        return "true"
    name = RELATIONS[flags]
    if name in ("eq", "ne"):
        return writer.value(f"icmp {name} i64 {flag}, 0")
    return writer.value(f"icmp s{name} i64 {flag}, 0")


def _flag(writer: Writer, less: str, greater: str) -> str:
    above = writer.value(f"zext i1 {greater} to i64")
    return writer.value(f"select i1 {less}, i64 -1, i64 {above}")


def compare(writer: Writer, operands: Operands, leave: str) -> Order:
    """Write a comparison of two Bools or two numbers of any types; NaN leaves."""
    (left, a), (right, b) = operands
    if left is FLOAT and right is FLOAT:
        writer.unless(writer.value(f"fcmp uno double {a}, {b}"), leave)
        less, greater = (writer.value(f"fcmp o{name} double {a}, {b}") for name in ("lt", "gt"))
        return Order(_flag(writer, less, greater), a, b, "double")
    if left is FLOAT or right is FLOAT:
        kind, whole, number = (right, b, a) if left is FLOAT else (left, a, b)
        writer.unless(writer.value(f"fcmp uno double {number}, {number}"), leave)
        helper = "order_unsigned" if _is_u64(kind) else "order_signed"
        order = writer.value(f"call i64 @{helper}(i64 {whole}, double {number})")
        return Order(writer.value(f"sub i64 0, {order}") if left is FLOAT else order)
    wide = (left is not BOOL and _is_u64(left), right is not BOOL and _is_u64(right))
    if wide[0] != wide[1]:
        # Above the signed range every U64 is greater than any signed value; below it the order is the signed one.
        signed = b if wide[0] else a
        negative = writer.value(f"icmp slt i64 {signed}, 0")
        less = writer.value(f"icmp ult i64 {a}, {b}")
        greater = writer.value(f"icmp ugt i64 {a}, {b}")
        plain = _flag(writer, less, greater)
        return Order(writer.value(f"select i1 {negative}, i64 {1 if wide[0] else -1}, i64 {plain}"))
    sign = "u" if wide[0] else "s"
    less, greater = (writer.value(f"icmp {sign}{name} i64 {a}, {b}") for name in ("lt", "gt"))
    return Order(_flag(writer, less, greater), a, b, sign)


OPERATIONS: Final[dict[str, Operation]] = complete(
    {
        "ADD": Operation(_arithmetic("add", "fadd"), floats=True),
        "SUB": Operation(_arithmetic("sub", "fsub"), floats=True),
        "MUL": Operation(_arithmetic("mul", "fmul"), floats=True),
        "DIV": Operation(_divide, floats=True),
        "MOD": Operation(_modulo, floats=True),
        "AND": Operation(_bitwise("and"), booleans=True),
        "OR": Operation(_bitwise("or"), booleans=True),
        "XOR": Operation(_bitwise("xor"), booleans=True),
        "NOT": Operation(_invert, booleans=True),
        "SHL": Operation(_shift_left),
        "SHR": Operation(_shift_right),
    },
    OPERATION_NAMES,
    __name__,
    default=Operation(),
)
"""An operation that is not here kernels do not have. CMP is written by :func:`compare`."""
