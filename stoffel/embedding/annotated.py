"""Plain Python functions as foreign functions: arguments checked and converted from the annotations."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

from stoffel.embedding import conversion
from stoffel.embedding.context import ForeignContext
from stoffel.errors import ErrorKind, VMError
from stoffel.isa.scalars import INTEGER_KINDS, FixedInteger
from stoffel.model.foreign import CallbackError
from stoffel.model.values import Array, Closure, Foreign, Object, Operand, Value, type_name
from stoffel.runtime.builtins.pieces import LookUp

Converter = Callable[[Value, str, LookUp], Any]

_EMPTY = inspect.Parameter.empty
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def adapt(name: str, function: Callable[..., Any]) -> Callable[[tuple[Value, ...], LookUp], Any] | None:
    """Return a function of the argument tuple that checks, converts and calls *function*.

    Returns None if *function* wants a :class:`ForeignContext` instead: exactly one positional parameter that is not
    annotated, or annotated as ForeignContext. Raises TypeError for a signature that VM code cannot call.
    """
    try:
        signature = inspect.signature(function)
    except ValueError:
        return None
    parameters = list(signature.parameters.values())
    names = _names(function)
    if len(parameters) == 1 and parameters[0].kind in _POSITIONAL:
        hint = _resolved(parameters[0].annotation, names)
        if hint is _EMPTY or hint is ForeignContext or hint == "ForeignContext":
            return None
    converters: list[tuple[str, Converter]] = []
    rest: tuple[str, Converter] | None = None
    required = 0
    for parameter in parameters:
        hint = _resolved(parameter.annotation, names)
        if parameter.kind in _POSITIONAL:
            converters.append((parameter.name, _converter(name, parameter.name, hint)))
            required += parameter.default is _EMPTY
        elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            rest = (parameter.name, _converter(name, parameter.name, hint))
        elif parameter.kind is inspect.Parameter.KEYWORD_ONLY and parameter.default is _EMPTY:
            raise TypeError(f"foreign function {name}: VM code cannot pass the keyword-only parameter {parameter.name}")

    def call(arguments: tuple[Value, ...], look_up: LookUp) -> Any:
        if len(arguments) < required or (rest is None and len(arguments) > len(converters)):
            raise CallbackError(_arity(name, required, None if rest else len(converters), len(arguments)))
        converted = []
        for index, value in enumerate(arguments):
            label, convert = converters[index] if index < len(converters) else rest or ("", _anything)
            converted.append(convert(value, f"argument {index + 1} ({label})", look_up))
        return function(*converted)

    return call


def _names(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the global names that the annotations of *function* (a partial, method or callable object too) may use."""
    function = inspect.unwrap(function)
    while isinstance(function, functools.partial):
        function = function.func
    if not hasattr(function, "__globals__"):
        function = type(function).__call__
    return getattr(function, "__globals__", {})


def _resolved(annotation: Any, names: dict[str, Any]) -> Any:
    """Return what an annotation that is kept as text stands for; the text itself if that cannot be told.

    One by one, not by ``typing.get_type_hints``: a name that only type checkers import must not spoil the others.
    """
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, names)  # noqa: S307 - the embedder's own source text
    except Exception:
        return annotation


def _arity(name: str, least: int, most: int | None, given: int) -> str:
    if most is None:
        wanted = f"at least {least}"
    elif least == most:
        wanted = str(least)
    else:
        wanted = f"{least} to {most}"
    return f"{name} expects {wanted} argument{'' if wanted == '1' else 's'} but got {given}"


def _anything(value: Value, what: str, look_up: LookUp) -> Any:  # noqa: ARG001 - the shape of a converter
    return value


def _integer(value: Operand, what: str, look_up: LookUp) -> int:  # noqa: ARG001
    if type(value) not in INTEGER_KINDS:
        raise CallbackError(f"{what} must be an integer, found {type_name(value)}")
    return int(value)


def _floating(value: Operand, what: str, look_up: LookUp) -> float:  # noqa: ARG001
    if type(value) not in (float, int):
        raise CallbackError(f"{what} must be a float, found {type_name(value)}")
    return float(value)


def _exact(kind: type, description: str) -> Converter:
    def convert(value: Value, what: str, look_up: LookUp) -> Any:  # noqa: ARG001
        if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
            raise CallbackError(f"{what} must be {description}, found {type_name(value)}")
        return value

    return convert


def _list(value: Value, what: str, look_up: LookUp) -> Any:
    if not isinstance(value, Array):
        raise CallbackError(f"{what} must be an array, found {type_name(value)}")
    return conversion.to_python(value, look_up)


def _dict(value: Value, what: str, look_up: LookUp) -> Any:
    if not isinstance(value, Object):
        raise CallbackError(f"{what} must be an object, found {type_name(value)}")
    return conversion.to_python(value, look_up)


def _bytes(value: Value, what: str, look_up: LookUp) -> bytes:
    if not isinstance(value, Array):
        raise CallbackError(f"{what} must be a byte array, found {type_name(value)}")
    try:
        return conversion.to_bytes(value, look_up)
    except VMError as error:
        if error.kind is ErrorKind.LIMIT:
            raise
        raise CallbackError(f"{what} must be a byte array: {error}") from error


_CONVERTERS: dict[Any, Converter] = {
    _EMPTY: _anything,
    Any: _anything,
    object: _anything,
    int: _integer,
    float: _floating,
    bool: _exact(bool, "a boolean"),
    str: _exact(str, "a string"),
    type(None): _exact(type(None), "nil"),
    None: _exact(type(None), "nil"),
    list: _list,
    dict: _dict,
    bytes: _bytes,
    Array: _exact(Array, "an array"),
    Object: _exact(Object, "an object"),
    Closure: _exact(Closure, "a closure"),
    Foreign: _exact(Foreign, "a foreign handle"),
}


def _converter(name: str, parameter: str, hint: Any) -> Converter:
    """Return the converter for an annotation; raises TypeError for one that no machine value can satisfy."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        choices = [_converter(name, parameter, choice) for choice in typing.get_args(hint)]
        return _one_of(choices, str(hint))
    if origin in (list, dict):
        hint = origin
    if isinstance(hint, type) and issubclass(hint, FixedInteger) and hint is not FixedInteger:
        return _exact(hint, INTEGER_KINDS[hint].type_name)
    try:
        return _CONVERTERS[hint]
    except (KeyError, TypeError):
        raise TypeError(
            f"foreign function {name}: parameter {parameter} is annotated {hint!r}, which no machine value converts to"
        ) from None


def _one_of(choices: list[Converter], description: str) -> Converter:
    def convert(value: Value, what: str, look_up: LookUp) -> Any:
        for choice in choices:
            try:
                return choice(value, what, look_up)
            except CallbackError:
                continue
        raise CallbackError(f"{what} must be {description}, found {type_name(value)}")

    return convert
