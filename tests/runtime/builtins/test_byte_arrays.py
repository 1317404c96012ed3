import hashlib

from stoffel.isa.scalars import U8


def octets(library, data):
    return library.array(*map(U8, data))


def test_a_string_becomes_its_utf8_bytes(library):
    array = library.call("Bytes.from_string", "hé→")
    assert bytes(library.items(array)) == "hé→".encode()
    assert {type(item) for item in library.items(array)} == {U8}
    assert library.error("Bytes.from_string", 5) == "Argument must be a string"
    assert library.error("Bytes.from_string") == "Bytes.from_string expects 1 argument: string"


def test_concat_makes_a_new_byte_array_and_ignores_more_arguments(library):
    joined = library.call("Bytes.concat", octets(library, b"ab"), octets(library, b"c"), "ignored")
    assert bytes(library.items(joined)) == b"abc"
    assert joined.id == 3


def test_concat_takes_byte_arrays_only(library):
    assert library.error("Bytes.concat", library.array(), "b") == "Expected byte array"
    assert library.error("Bytes.concat", library.array(U8(1), 2), "b") == "Expected U8 at index 1"
    assert library.error("Bytes.concat", library.sparse(40, U8(1)), "b") == "Expected U8 at index 0"
    assert library.error("Bytes.concat", library.array()) == "Bytes.concat expects 2 arguments: a, b"


def test_digests_are_those_of_hashlib(library):
    for name in ("sha256", "sha512"):
        digest = library.call(f"Crypto.{name}", octets(library, b"abc"))
        assert bytes(library.items(digest)) == hashlib.new(name, b"abc").digest()
        assert library.error(f"Crypto.{name}", "abc") == "Expected byte array"
        assert library.error(f"Crypto.{name}") == f"Crypto.{name} expects 1 argument: data (byte array)"
