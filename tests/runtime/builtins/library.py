"""A library of builtins to call one by one, with the least state that they need."""

from __future__ import annotations

import pytest

from stoffel.errors import VMError
from stoffel.model.foreign import CallbackError
from stoffel.model.tables import ObjectStore, elements, store
from stoffel.runtime.builtins.catalogue import MPC_BUILTINS, STANDARD_LIBRARY


class Library:
    """What a builtin needs of the machine's state, and the builtins by name."""

    def __init__(self):
        self.objects = ObjectStore()
        self.hooked = self.watches_tables = False
        self.wanted = frozenset()
        self.budget = None
        self.events = []
        self.lines = []
        self.storage = None
        self.functions = {function.name: function.call for function in STANDARD_LIBRARY + MPC_BUILTINS}

    def look_up(self, elements=0):
        pass

    def fire(self, event):
        self.events.append(event)

    def write_line(self, line):
        self.lines.append(line)

    def random_bytes(self, count):
        return bytes(range(count))

    def call(self, name, *arguments):
        return self.functions[name](self, list(arguments))

    def error(self, name, *arguments):
        """Return the text with which a builtin fails."""
        with pytest.raises((CallbackError, VMError)) as raised:
            self.call(name, *arguments)
        return str(raised.value)

    def array(self, *items):
        return self.objects.create_array(list(items))

    def sparse(self, index, value=1):
        """Return an array of which only *index* has been set."""
        array = self.array()
        store(array, index, value)
        return array

    def object(self, **fields):
        table = self.objects.create_object()
        table.fields.update(fields)
        return table

    def items(self, array):
        """Return all elements of an array, Unit for gaps."""
        return elements(array)
