"""The table of builtins: what is in it, and how back ends are held to it."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from stoffel.model.builtins import table
from stoffel.model.builtins.declaration import ANYTHING, Builtin, Parameter
from stoffel.model.builtins.table import BY_NAME, complete

DOCS = Path(__file__).parents[2] / "docs"

DOTTED = """
Avss: commitment_count get_commitment get_key_name is_avss_share
Bytes: concat from_string
ClientStore: get_number_clients get_number_input_clients get_number_output_clients take_share take_share_bool
ClientStore: take_share_fixed
Crypto: field_inv field_to_scalar_bytes hash_to_field hash_to_g1 point_to_sec1 point_x_to_field sha256 sha512
Field: add eq from_int inverse is_zero mul neg one sqrt sub zero
LocalStorage: delete exists load retrieve store
Mpc: capabilities curve field has_capability instance_id is_ready n_parties party_id protocol_name rand rand_int
Mpc: threshold
MpcOutput: send_to_client
Rbc: broadcast receive receive_any
Share: add add_field add_scalar batch_mul batch_open commitment_count from_clear from_clear_fixed from_clear_int
Share: from_clear_uint get_commitment get_party_id get_type has_commitments interpolate_local mul mul_field mul_scalar
Share: neg open open_duplicate open_exp open_exp_custom open_field random random_field random_int retag send_to_client
Share: sub
"""
"""The names with a dot that the reference machine registers."""


def test_every_dotted_name_of_the_reference_machine_is_there() -> None:
    names = {
        f"{line.partition(':')[0]}.{name}"
        for line in DOTTED.strip().splitlines()
        for name in line.split(":")[1].split()
    }
    assert {name for name in BY_NAME if "." in name} == names


@pytest.mark.parametrize(
    ("name", "bounds", "expects"),
    [
        ("get_field", (2, None), "at least 2 arguments: object and key"),
        ("index", (2, 4), "at least 2 arguments: array and value"),
        ("print", (0, None), ""),
        ("Avss.get_commitment", (2, None), "2 arguments: avss_share, index"),
        ("Avss.get_key_name", (1, 1), "1 argument: avss_share"),
        ("Crypto.field_inv", (2, 2), "2 arguments: field_bytes, curve_name"),
        ("Crypto.hash_to_field", (2, None), "2 arguments: hash_bytes, curve_name"),
        ("Field.from_int", (1, 1), "1 argument: value (int)"),
        ("Field.one", (0, 0), "no arguments"),
        ("Field.add", (0, None), ""),
        ("Mpc.party_id", (0, None), ""),
        ("Mpc.has_capability", (1, 1), "1 argument: capability"),
        ("Share.interpolate_local", (2, 2), "2 arguments: share, bit_length"),
    ],
)
def test_the_number_of_arguments_follows_from_the_parameters(
    name: str, bounds: tuple[int, int | None], expects: str
) -> None:
    row = BY_NAME[name]
    assert (row.minimum, row.maximum) == bounds
    assert row.expects == expects


@pytest.mark.parametrize("row", BY_NAME.values(), ids=BY_NAME)
def test_a_row_reads_well(row: Builtin) -> None:
    assert re.fullmatch(r"[A-Z].*[^.]\.", row.summary)
    assert row.example
    assert row.gives
    optional = [parameter.optional for parameter in row.parameters]
    assert optional == sorted(optional)
    assert len({parameter.name for parameter in row.parameters}) == len(optional)


def test_what_is_quiet_and_what_may_be_repeated_follows_from_the_effects() -> None:
    loud = {name for name, row in BY_NAME.items() if not row.is_quiet}
    assert {name for name in loud if not name.startswith("LocalStorage.")} == {
        *("call_closure", "create_closure", "get_upvalue", "set_upvalue", "print"),
    }
    assert BY_NAME["get_field"].is_repeatable
    assert not BY_NAME["set_field"].is_repeatable
    assert not BY_NAME["copy"].is_repeatable


def test_a_back_end_with_an_unknown_builtin_is_refused() -> None:
    with pytest.raises(LookupError, match=r"^back end: missing \[\], unknown \['array_map'\]$"):
        complete({"array_map": 1}, lambda row: 0, "back end")


def test_a_back_end_gets_its_default_for_what_it_does_not_know() -> None:
    entries = complete({"len": "own"}, lambda row: f"default of {row.name}", "back end")
    assert list(entries) == list(BY_NAME)
    assert entries["len"] == "own"
    assert entries["copy"] == "default of copy"


def test_without_a_default_nothing_may_be_missing() -> None:
    with pytest.raises(LookupError, match=r"^runtime: missing \['len'\], unknown \[\]$"):
        complete({name: 1 for name in BY_NAME if name != "len"}, None, "runtime")


def test_the_methods_are_those_of_shares() -> None:
    assert [method for _, method, _ in table.METHODS] == [
        *("add", "sub", "neg", "add_scalar", "mul_scalar", "mul", "mul_field", "add_field", "retag", "open"),
        *("open_fixed", "send_to_client", "open_exp", "open_field", "open_exp_custom", "get_type", "get_party_id"),
        *("get_commitment", "commitment_count", "has_commitments"),
    ]


def test_the_page_of_the_manual_is_up_to_date() -> None:
    generated = runpy.run_path(str(DOCS / "generate.py"))["builtins"]()
    assert (DOCS / "builtins.md").read_text(encoding="utf-8") == generated, "run: python docs/generate.py"


def test_a_signature_shows_what_may_be_left_out_and_what_may_be_repeated() -> None:
    assert BY_NAME["slice"].signature == "slice(value, start, stop, [step])"
    assert BY_NAME["append"].signature == "append(array, value, ...)"
    assert BY_NAME["create_object"].signature == "create_object()"
    assert Parameter("x").kinds is ANYTHING
