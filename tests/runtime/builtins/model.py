"""A second library: tables and the builtins on them, written down literally from the rules, slow and without shortcuts.

Values are ``(type, content)`` pairs, so nothing depends on what Python thinks is equal; a table is its handle, and its
state is in ``Model.tables``. What is made fast in the real library (gapless arrays, typed storage, common keys) is done
the long way round here.
"""

from __future__ import annotations

import struct
from functools import partial

from stoffel.isa.scalars import INTEGER_KINDS

BOUNDS = {kind.name: (kind.minimum, kind.maximum) for kind in INTEGER_KINDS.values()}
TYPE_NAMES = {kind.name: kind.type_name for kind in INTEGER_KINDS.values()} | {
    "Float": "float",
    "Bool": "boolean",
    "String": "string",
    "Unit": "nil",
    "Object": "object",
    "Array": "array",
}
I64_MAX = 2**63 - 1
UNIT = ("Unit", None)
FIRST, SECOND = "First argument must be an array", "Second argument must be an array"


class ModelError(Exception):
    """A builtin fails with this text."""


def is_integer(value):
    return value[0] in BOUNDS


def key(value):
    """What is equal exactly if the values are."""
    kind, content = value
    if kind == "Float":
        return kind, "nan" if content != content else struct.pack("<d", content + 0.0)
    return value


def need(condition, text):
    if not condition:
        raise ModelError(text)


def number(value, name):
    need(is_integer(value), f"{name} must be an integer")
    need(value[1] <= I64_MAX, f"{name} exceeds i64 range")
    return value[1]


class ModelArray:
    """Dense start (indexes 0 to 31 at most), all other entries by key, and the length."""

    def __init__(self):
        self.dense = []
        self.others = {}
        self.length = 0

    def set(self, where, value):
        kind, index = where
        if kind == "I64" and index >= 0:
            need(index < I64_MAX, f"Array length {index + 1} exceeds VM integer range")
            self.length = max(self.length, index + 1)
            if index < 32:
                while len(self.dense) <= index:
                    self.dense.append(UNIT)
                self.dense[index] = value
                return
        self.others[key(where)] = (self.others.get(key(where), (where,))[0], value)

    def get(self, where):
        if where[0] == "I64" and 0 <= where[1] < min(self.length, len(self.dense)):
            return self.dense[where[1]]
        return self.others.get(key(where), (where, None))[1]

    def values(self):
        return [self.get(("I64", index)) or UNIT for index in range(self.length)]

    def rebuild(self, values):
        self.others = {k: entry for k, entry in self.others.items() if entry[0][0] != "I64" or entry[0][1] < 0}
        self.dense, self.length = [], 0
        self.push(values)

    def push(self, values):
        for value in values:
            self.set(("I64", self.length), value)

    def entries(self):
        indexes = sorted(where[1] for where, _ in self.others.values() if where[0] == "I64" and where[1] >= 0)
        return (
            [(("I64", index), value) for index, value in enumerate(self.dense)]
            + [(("I64", index), self.get(("I64", index))) for index in indexes]
            + [entry for entry in self.others.values() if entry[0][0] != "I64" or entry[0][1] < 0]
        )


class ModelObject:
    def __init__(self):
        self.fields = {}

    def set(self, where, value):
        self.fields[key(where)] = (self.fields.get(key(where), (where,))[0], value)

    def get(self, where):
        return self.fields.get(key(where), (where, None))[1]

    def entries(self):
        return list(self.fields.values())


class Model:
    """The builtins are the methods whose names end in an underscore; they take the right number of arguments."""

    def __init__(self):
        self.tables = {}
        self.next_id = 1

    def call(self, name, *arguments):
        """Return what the builtin *name* returns; raises ModelError."""
        return getattr(self, f"{name}_")(*arguments)

    def new(self, table, values=()):
        handle = ("Array" if isinstance(table, ModelArray) else "Object", self.next_id)
        self.next_id += 1
        self.tables[handle] = table
        if values:
            table.push(values)
        return handle

    def array(self, value, otherwise=FIRST):
        need(value[0] == "Array", otherwise)
        return self.tables[value]

    def create_array_(self):
        return self.new(ModelArray())

    def create_object_(self):
        return self.new(ModelObject())

    def normal(self, target, where):
        """Return a key of an array with negative indexes counted from the end."""
        if target[0] != "Array" or not is_integer(where) or where[1] >= 0:
            return where
        length = self.tables[target].length
        need(length + where[1] >= 0, f"array index {where[1]} out of range (length {length})")
        return "I64", length + where[1]

    def get_field_(self, target, where):
        if target[0] == "String":
            need(is_integer(where), f"string index must be an integer, found {TYPE_NAMES[where[0]]}")
            length = len(target[1])
            index = where[1] + length if where[1] < 0 else where[1]
            need(0 <= index < length, f"string index {where[1]} out of range (length {length})")
            return "String", target[1][index]
        if target not in self.tables:
            return UNIT
        where = self.normal(target, where)
        value = self.tables[target].get(where)
        if value is None and target[0] == "Array" and is_integer(where):
            raise ModelError(f"array index {where[1]} out of range (length {self.tables[target].length})")
        return value or UNIT

    def set_field_(self, target, where, value):
        need(target in self.tables, "Expected object or array")
        self.tables[target].set(self.normal(target, where), value)
        return UNIT

    def get_or_create_array_field_(self, target, where):
        need(target in self.tables, "Expected object or array")
        where = self.normal(target, where)
        value = self.tables[target].get(where) or UNIT
        if value in self.tables:
            return value
        need(value == UNIT, "Cannot autovivify nested list through a non-list value")
        created = self.create_array_()
        self.tables[target].set(where, created)
        return created

    def len_(self, value):
        need(value[0] in ("Array", "String"), "First argument must be an array or string")
        return "I64", self.tables[value].length if value[0] == "Array" else len(value[1])

    def append_(self, array, *values):
        self.array(array).push(values)
        return UNIT

    def array_push_(self, array, *values):
        self.append_(array, *values)
        return self.len_(array)

    def extend_(self, array, other):
        table = self.array(array)
        table.push(self.array(other, SECOND).values())
        return UNIT

    def array_concat_(self, left, right):
        start = self.array(left).values()
        return self.new(ModelArray(), start + self.array(right, SECOND).values())

    def array_repeat_(self, array, count):
        times = number(count, "repeat count")
        return self.new(ModelArray(), self.array(array).values() * times)

    def copy_(self, array):
        return self.new(ModelArray(), self.array(array).values())

    def equal(self, left, right, level=1):
        if left[0] != "Array" or right[0] != "Array" or left == right:
            return key(left) == key(right)
        one, other = self.tables[left].values(), self.tables[right].values()
        if level > 64 or len(one) != len(other):
            return False
        return all(self.equal(*pair, level + 1) for pair in zip(one, other, strict=True))

    def array_equals_(self, left, right):
        self.array(left)
        self.array(right, SECOND)
        return "Bool", self.equal(left, right)

    def count_(self, array, value):
        return "I64", sum(self.equal(item, value) for item in self.array(array).values())

    def index_(self, array, value, *bounds):
        items = self.array(array).values()
        limits = [0, len(items)]
        for position, bound in enumerate(bounds):
            need(is_integer(bound), f"index bound must be an integer, found {TYPE_NAMES[bound[0]]}")
            limits[position] = min(max(bound[1] + (len(items) if bound[1] < 0 else 0), 0), len(items))
        for index in range(*limits):
            if self.equal(items[index], value):
                return "I64", index
        raise ModelError("value is not in list")

    def contains_(self, container, value):
        if container[0] == "String":
            need(value[0] == "String", "'in' on a string requires a string operand")
            return "Bool", value[1] in container[1]
        if container[0] == "Object":
            return "Bool", self.tables[container].get(value) is not None
        found = TYPE_NAMES[container[0]]
        need(container[0] == "Array", f"'in' requires a list, dict, or string container, found {found}")
        return "Bool", any(self.equal(item, value) for item in self.tables[container].values())

    def pop_(self, array, *index):
        need(self.array(array).length, "pop from empty list")
        return self.take(array, *index)

    def delete_(self, array, index):
        self.array(array)
        self.take(array, index)
        return UNIT

    def take(self, array, index=("I64", -1)):
        table = self.tables[array]
        place = number(index, "index")
        place += table.length if place < 0 else 0
        need(0 <= place < table.length, "list index out of range")
        items = table.values()
        taken = items.pop(place)
        table.rebuild(items)
        return taken

    def remove_(self, array, value):
        _, place = self.index_(array, value)
        self.take(array, ("I64", place))
        return UNIT

    def insert_(self, array, index, value):
        table = self.array(array)
        place = number(index, "index")
        items = table.values()
        place = max(place + len(items), 0) if place < 0 else min(place, len(items))
        table.rebuild([*items[:place], value, *items[place:]])
        return UNIT

    def clear_(self, array):
        self.array(array).rebuild([])
        return UNIT

    def reverse_(self, array):
        table = self.array(array)
        table.rebuild(table.values()[::-1])
        return UNIT

    def sort_(self, array):
        table = self.array(array)
        items = table.values()
        for start in range(1, len(items)):
            for place in range(start, 0, -1):
                if not self.less(items[place], items[place - 1]):
                    break
                items[place - 1 : place + 1] = items[place], items[place - 1]
        table.rebuild(items)
        return UNIT

    def less(self, left, right):
        one, other = left[1], right[1]
        if all(is_integer(value) or value[0] == "Float" for value in (left, right)):
            if "Float" in (left[0], right[0]):
                one, other = float(one), float(other)
                need(one == one and other == other, "list sort does not support NaN values")
        else:
            names = f"{TYPE_NAMES[left[0]]} and {TYPE_NAMES[right[0]]}"
            sortable = left[0] == right[0] and left[0] in ("String", "Bool")
            need(sortable, f"list sort does not support comparing {names}")
        return one < other

    def range_(self, start, stop, step=("I64", 1)):
        value, end = number(start, "range start"), number(stop, "range stop")
        stride = number(step, "range step")
        need(stride, "range step argument must not be zero")
        made = self.create_array_()
        while value < end if stride > 0 else value > end:
            self.append_(made, ("I64", value))
            value += stride
            need(-I64_MAX - 1 <= value <= I64_MAX, "range value overflowed i64")
        return made

    def slice_(self, value, start, stop, step=("I64", 1)):
        found = partial("slice {} must be an integer, found {}".format)
        need(value[0] in ("Array", "String"), f"slice requires a list or string, found {TYPE_NAMES[value[0]]}")
        need(is_integer(step), found("step", TYPE_NAMES[step[0]]))
        need(step[1], "slice step cannot be zero")
        bounds = []
        for name, bound in (("start", start), ("stop", stop)):
            omitted = bound in (UNIT, ("I64", I64_MAX))
            need(omitted or is_integer(bound), found(name, TYPE_NAMES[bound[0]]))
            bounds.append(None if omitted else bound[1])
        chosen = slice(*bounds, step[1])
        if value[0] == "String":
            return "String", value[1][chosen]
        return self.new(ModelArray(), self.tables[value].values()[chosen])
