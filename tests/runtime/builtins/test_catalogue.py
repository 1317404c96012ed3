import subprocess
import sys

import pytest

from stoffel.model.builtins.table import BY_NAME
from stoffel.model.foreign import CallbackError
from stoffel.runtime.builtins.catalogue import METHODS, MPC_BUILTINS, STANDARD_LIBRARY
from stoffel.runtime.builtins.registry import Family, later

CLEAR = """create_object create_array get_field set_field get_or_create_array_field array_length len array_push append
extend array_concat array_repeat array_equals copy count index pop remove insert delete clear reverse sort range print
to_string type assert contains slice create_closure call_closure get_upvalue set_upvalue LocalStorage.store
LocalStorage.load LocalStorage.retrieve LocalStorage.delete LocalStorage.exists"""


def test_the_standard_library_is_complete_and_starts_with_create_object():
    names = [function.name for function in STANDARD_LIBRARY]
    assert sorted(names) == sorted(CLEAR.split())
    assert names[0] == "create_object"
    assert MPC_BUILTINS[0].name == "Share.from_clear"


def test_every_builtin_has_its_row_in_the_order_of_the_table():
    functions = STANDARD_LIBRARY + MPC_BUILTINS
    assert [function.declaration for function in functions] == list(BY_NAME.values())
    assert all(function.name == function.declaration.name for function in functions)


def test_a_row_without_an_implementation_and_an_implementation_without_a_row_are_noticed():
    family = Family(BY_NAME["len"], BY_NAME["copy"])
    family.builtin("length")(lambda _state, value: len(value))
    family.builtin("len")(lambda _state, value: len(value))
    with pytest.raises(LookupError, match=r"here: missing \['copy'\], unknown \['length'\]"):
        family.complete("here")


def test_a_file_of_builtins_is_loaded_when_one_of_them_is_called_first(library):
    function = later(BY_NAME["Bytes.concat"], "stoffel.runtime.builtins.byte_arrays")
    first = function.call
    with pytest.raises(CallbackError, match="2 arguments: a, b"):
        function.call(library, [])
    assert function.call is not first
    # Compiled code may have the first one still.
    assert library.items(first(library, [library.array(), library.array()])) == []


def test_names_are_unique():
    names = [function.name for function in STANDARD_LIBRARY + MPC_BUILTINS]
    assert len(set(names)) == len(names)


def test_every_method_has_its_canonical_function():
    names = {function.name for function in MPC_BUILTINS}
    assert {canonical for _, _, canonical in METHODS} <= names
    assert ("Share", "add", "Share.add") in METHODS
    assert ("Share", "open_fixed", "open_fixed") in METHODS


def test_the_catalogue_loads_nothing_that_only_some_builtins_need():
    files = ("byte_arrays", "curve_points", "curves", "local_storage", "mpc")
    heavy = {
        *("sqlite3", "hashlib", "stoffel.runtime.codec", "stoffel.runtime.storage"),
        *(f"stoffel.runtime.builtins.{name}" for name in files),
    }
    code = f"import stoffel.runtime.builtins.catalogue, sys; print(sorted({heavy} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
