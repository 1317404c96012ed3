import subprocess
import sys

from stoffel.runtime.builtins.catalogue import METHODS, MPC_BUILTINS, STANDARD_LIBRARY

CLEAR = """create_object create_array get_field set_field get_or_create_array_field array_length len array_push append
extend array_concat array_repeat array_equals copy count index pop remove insert delete clear reverse sort range print
to_string type assert contains slice create_closure call_closure get_upvalue set_upvalue LocalStorage.store
LocalStorage.load LocalStorage.retrieve LocalStorage.delete LocalStorage.exists"""


def test_the_standard_library_is_complete_and_starts_with_create_object():
    names = [function.name for function in STANDARD_LIBRARY]
    assert sorted(names) == sorted(CLEAR.split())
    assert names[0] == "create_object"
    assert MPC_BUILTINS[0].name == "Share.from_clear"


def test_names_are_unique():
    names = [function.name for function in STANDARD_LIBRARY + MPC_BUILTINS]
    assert len(set(names)) == len(names)


def test_every_method_has_its_canonical_function():
    names = {function.name for function in MPC_BUILTINS}
    assert {canonical for _, _, canonical in METHODS} <= names
    assert ("Share", "add", "Share.add") in METHODS
    assert ("Share", "open_fixed", "open_fixed") in METHODS


def test_the_catalogue_loads_nothing_that_only_some_builtins_need():
    heavy = (
        "{'sqlite3', 'hashlib', 'stoffel.runtime.builtins.curves', 'stoffel.runtime.codec', 'stoffel.runtime.storage'}"
    )
    code = f"import stoffel.runtime.builtins.catalogue, sys; print(sorted({heavy} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
