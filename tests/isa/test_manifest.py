"""The manifest and its parts."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given

from stoffel.isa.manifest import Client, Demand, Manifest, ShareType
from tests.strategies import manifests


def test_the_default_manifest_is_that_of_a_file_without_one() -> None:
    manifest = Manifest()
    assert (manifest.backend, manifest.curve, manifest.clients, manifest.demand) == (
        "HoneyBadger",
        "BLS12-381",
        (),
        Demand(0, 0, 0, 0, False),
    )


def test_equal_contents_are_equal_and_hash_alike() -> None:
    one = Manifest("AVSS", "secp256r1", [Client(1, [ShareType("SecretInt", 1)])], Demand(dynamic=True))
    other = Manifest("AVSS", "secp256r1", [Client(1, [ShareType("SecretInt", 1)])], Demand(dynamic=True))
    assert (one, hash(one)) == (other, hash(other))
    assert one != Manifest()
    assert ShareType("SecretInt", 8) != ShareType("SecretUInt", 8)


def test_a_share_type_says_which_number_makes_no_sense() -> None:
    with pytest.raises(
        ValueError, match=r"^invalid SecretInt metadata in IO manifest: bit_length must be a positive integer$"
    ):
        ShareType("SecretInt", 0)
    with pytest.raises(
        ValueError, match=r"^invalid SecretUInt metadata in IO manifest: bit_length must be a positive integer$"
    ):
        ShareType("SecretUInt", 0)
    with pytest.raises(
        ValueError, match=r"SecretFixedPoint metadata in IO manifest: total_bits must be a positive integer$"
    ):
        ShareType("SecretFixedPoint", 0, 0)
    with pytest.raises(
        ValueError, match=r"SecretFixedPoint metadata in IO manifest: frac_bits must be less than total_bits$"
    ):
        ShareType("SecretFixedPoint", 16, 16)
    with pytest.raises(ValueError, match="SecretInt has no fractional bits"):
        ShareType("SecretInt", 16, 2)
    with pytest.raises(ValueError, match="unknown share type 'Secret'"):
        ShareType("Secret", 16)


def test_names_and_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown backend 'X'; there are HoneyBadger, AVSS"):
        Manifest("X")
    with pytest.raises(ValueError, match="unknown curve 'X'"):
        Manifest(curve="X")
    with pytest.raises(
        ValueError, match="client slot must be from 0 to 18446744073709551615, not 18446744073709551616"
    ):
        Client(1 << 64)
    with pytest.raises(ValueError, match="triples must be from 0"):
        Demand(-1)
    with pytest.raises(TypeError, match="dynamic must be a bool, not 1"):
        Demand(dynamic=1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="is not a Client"):
        Manifest(clients=[3])  # type: ignore[list-item]


@given(manifests())
def test_manifests_can_be_pickled_and_shown(manifest: Manifest) -> None:
    assert pickle.loads(pickle.dumps(manifest)) == manifest
    assert repr(manifest).startswith("Manifest(backend=")


def test_manifests_are_immutable() -> None:
    with pytest.raises(AttributeError, match="Manifest is immutable"):
        Manifest().backend = "AVSS"
