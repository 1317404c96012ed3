"""Runs on an event loop: any number by turns, with coroutine functions, limits, cancellation."""

import asyncio
import gc
import time
import weakref

import pytest

from stoffel import ErrorKind, Limits, VMError, assemble
from tests.ways import ALL_WAYS, WAYS

PROGRAM = """
function work(n)
    LDI r1, 0
    LDI r2, 1
    LDI r4, 0
    LDI r5, 1000003
again:
    ADD r1, r1, r2
    MUL r6, r1, r1
    MOD r6, r6, r5
    ADD r4, r4, r6
    MOD r4, r4, r5
    CMP r1, r0
    JMPLT again
    RET r4
end
function fetched(n)
    LDI r3, 5
    PUSHARG r0
    CALL fetch
    MOV r6, r0
    PUSHARG r6
    CALL inner
    ADD r0, r0, r6
    ADD r0, r0, r3
    RET r0
end
function inner(n)
    PUSHARG r0
    CALL fetch
    RET r0
end
function many(n)
    LDI r1, 0
    LDI r2, 1
    LDI r3, 0
    MOV r4, r0
again:
    PUSHARG r1
    CALL fetch
    ADD r3, r3, r0
    ADD r1, r1, r2
    CMP r1, r4
    JMPLT again
    RET r3
end
function forever()
again:
    JMP again
end
function calls_back(n)
    PUSHARG r0
    CALL back
    RET r0
end
function words()
    CALL texts
    PUSHARG r0
    CALL len
    RET r0
end
"""


@pytest.fixture(params=ALL_WAYS, ids=lambda way: way.name)
def machine(request):
    return loaded(request.param)


def loaded(way):
    machine = way.machine(cache="off")

    async def fetch(n: int) -> int:
        await asyncio.sleep(0)
        if n < 0:
            raise ValueError(f"no {n}")
        return n + 1

    async def slow(context):
        await asyncio.sleep(1000)

    async def texts():
        return ["a", "b", "c"]

    machine.register_foreign_function("fetch", fetch)
    machine.register_foreign_function("slow", slow)
    machine.register_foreign_function("texts", texts)
    machine.register_foreign_function("back", lambda context: context.call("inner", context[0]))
    machine.load(assemble(PROGRAM + "\nfunction sleeps()\n CALL slow\nend"))
    return machine


def test_results_are_those_of_execute_and_runs_take_turns(machine):
    counts = [1000, 30_000, 20_000, 5]
    expected = [machine.execute("work", count) for count in counts]

    async def main():
        return await asyncio.gather(*(machine.execute_async("work", count) for count in counts))

    for _ in range(2):
        assert asyncio.run(main()) == expected
    assert machine.state.records == []
    assert not machine.state.paused


def test_a_coroutine_function_is_awaited_with_the_run_suspended(machine):
    async def main():
        one = await asyncio.gather(*(machine.execute_async("fetched", n) for n in range(20)))
        return one, await machine.execute_async("many", 50), await machine.execute_async("words")

    for _ in range(3):
        assert asyncio.run(main()) == ([(n + 1) + (n + 2) + 5 for n in range(20)], sum(range(1, 51)), 3)


def test_what_a_coroutine_function_raises_is_an_error_at_its_call(machine):
    async def main(name):
        with pytest.raises(VMError) as raised:
            await machine.execute_async(name, -1)
        return raised.value

    for _ in range(2):
        error = asyncio.run(main("fetched"))
        assert (str(error), error.kind) == ("Foreign function fetch failed: no -1", ErrorKind.FOREIGN_FUNCTION)
        assert error.stack == (("fetched", 2),)
        assert type(error.__cause__) is ValueError
    assert str(asyncio.run(main("fetch"))) == "Foreign function fetch failed: no -1"


def test_where_nothing_can_wait_a_coroutine_function_is_refused(machine):
    with pytest.raises(VMError, match="a coroutine function cannot be awaited here: use execute_async"):
        machine.execute("inner", 1)
    with pytest.raises(VMError, match="the run was started by another foreign function"):
        asyncio.run(machine.execute_async("calls_back", 1))


def test_a_foreign_function_of_the_host_is_awaited_without_a_program(machine):
    async def main():
        with pytest.raises(VMError, match="Cannot execute foreign function texts"):
            await machine.execute_async("texts")
        with pytest.raises(VMError, match="Function nothing not found"):
            await machine.execute_async("nothing")
        return await machine.execute_async("fetch", 4), await machine.execute_async("len", "abc")

    assert asyncio.run(main()) == (5, 3)


@pytest.mark.parametrize("name", ["forever", "sleeps"])
def test_a_run_can_be_cancelled_interrupted_and_limited(machine, name):
    async def main():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(machine.execute_async(name), 0.05)
        assert machine.state.records == []
        run = asyncio.create_task(machine.execute_async(name))
        await asyncio.sleep(0.02)
        assert machine.interrupt("enough")
        with pytest.raises(VMError, match="Interrupted: enough") as raised:
            await run
        assert raised.value.kind is ErrorKind.LIMIT
        assert raised.value.function == name
        with pytest.raises(VMError, match=r"Time limit of 0\.05 seconds exceeded") as raised:
            await machine.execute_async(name, limits=Limits(seconds=0.05))
        assert raised.value.function == name
        assert not machine.interrupt("nothing is left")
        return await machine.execute_async("fetched", 1)

    assert asyncio.run(main()) == 2 + 3 + 5


def test_limits_count_over_all_slices_and_each_run_has_its_own(machine):
    with pytest.raises(VMError) as raised:
        machine.execute("work", 10**9, limits=Limits(instructions=60_000))
    expected = str(raised.value), raised.value.stack

    async def failure():
        with pytest.raises(VMError) as raised:
            await machine.execute_async("work", 10**9, limits=Limits(instructions=60_000))
        return str(raised.value), raised.value.stack

    async def main():
        free = asyncio.create_task(machine.execute_async("work", 30_000))
        return await asyncio.gather(*(failure() for _ in range(3)), free)

    assert asyncio.run(main()) == [expected] * 3 + [machine.execute("work", 30_000)]


def test_hooks_see_a_run_in_slices_as_they_see_any_other():
    machine = loaded(WAYS[0])
    seen = []
    machine.register_hook(None, lambda event, context: seen.append((event.kind, context.cursor, context.call_depth)))
    machine.execute("work", 3000)
    expected = list(seen)
    seen.clear()
    asyncio.run(machine.execute_async("work", 3000))
    assert seen == expected


async def one_of_many(machine, number):
    kind = number % 5
    if kind == 0:
        return await machine.execute_async("fetched", number) == 2 * number + 8
    if kind == 1:
        return await machine.execute_async("many", number % 7 + 1) == sum(range(1, number % 7 + 2))
    if kind == 2:
        return await machine.execute_async("work", 2) == 5
    if kind == 3:
        with pytest.raises(VMError, match="Instruction limit of 99 exceeded"):
            await machine.execute_async("forever", limits=Limits(instructions=99))
        return True
    run = asyncio.create_task(machine.execute_async("sleeps"))
    await asyncio.sleep(0.001)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    return True


async def all_of_many(machine):
    return await asyncio.gather(*(one_of_many(machine, number) for number in range(1000)))


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_thousand_runs_at_once_all_come_out_right_and_leave_nothing(way):
    machine = loaded(way)
    assert all(asyncio.run(all_of_many(machine)))
    assert machine.state.records == []
    assert not machine.state.paused
    assert not machine.state.runs
    gone = weakref.ref(machine)
    del machine
    for _ in range(50):
        gc.collect()
        if gone() is None:
            break
        # The sampling clock, which ends with the machine, may be looking at it.
        time.sleep(0.02)
    assert gone() is None
