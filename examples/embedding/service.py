"""Runs programs that it is sent over HTTP, each within limits, many at once in one thread.

`python service.py serve 8080` listens until Ctrl-C; without arguments it asks itself three things on a free port.
`python service.py load 200` sends itself so many requests at once, and tells how late the loop was for anything else.

    curl -d '{"program": "function main(n)\\n RET r0\\nend", "arguments": [5]}' http://localhost:8080/run

Prints:

    200 {"result": "55", "output": "", "error": null}
    200 {"result": null, "output": "", "error": {"kind": "Limit", "message": "Instruction limit of 100000 exceeded"}}
    400 {"error": "the body must be a JSON object with a program"}
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

import stoffel

LIMITS = stoffel.Limits(instructions=100_000, seconds=2, memory=4 << 20, output=10_000, depth=1000)
MOST_BYTES = 100_000
REQUEST_SECONDS = 5


async def fetch(key: str) -> str:
    """Stand for what takes long elsewhere: programs call it like any other function."""
    await asyncio.sleep(0.01)
    return f"value of {key}"


async def run(body: bytes) -> tuple[int, dict[str, object]]:
    """Run the program of a request; return the status and the answer."""
    try:
        request = json.loads(body)
        source, arguments = request["program"], request.get("arguments", [])
        name = request.get("function", "main")
    except (ValueError, KeyError, TypeError, AttributeError):
        source = arguments = name = None
    if not (isinstance(source, str) and isinstance(arguments, list) and isinstance(name, str)):
        return 400, {"error": "the body must be a JSON object with a program"}
    lines: list[str] = []
    machine = stoffel.VirtualMachine(output=lines.append, limits=LIMITS)
    machine.register_foreign_function("fetch", fetch)
    result = error = None
    try:
        machine.load(stoffel.assemble(source))
        result = stoffel.diagnostic(await machine.execute_async(name, *arguments))
    except stoffel.VMError as failure:
        error = {"kind": failure.kind, "message": str(failure)}
    except stoffel.StoffelError as failure:
        return 400, {"error": str(failure)}
    return 200, {"result": result, "output": "".join(f"{line}\n" for line in lines), "error": error}


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read one request and answer it."""
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            first = (await reader.readline()).decode("latin-1").split()
            size = 0
            while line := (await reader.readline()).strip():
                name, _, value = line.decode("latin-1").partition(":")
                if name.lower() == "content-length" and value.strip().isdigit():
                    size = int(value)
            if first[:2] != ["POST", "/run"]:
                status, told = 404, {"error": "POST /run runs a program"}
            elif size > MOST_BYTES:
                status, told = 413, {"error": f"at most {MOST_BYTES} bytes"}
            else:
                status, told = await run(await reader.readexactly(size))
            data = json.dumps(told).encode()
            head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n"
            writer.write(f"{head}Connection: close\r\n\r\n".encode() + data)
            await writer.drain()
    except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, ValueError):
        pass  # the client has gone, or sends no HTTP
    finally:
        writer.close()


async def ask(port: int, body: object) -> tuple[int, str]:
    """Send one request; return the status and the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    data = json.dumps(body).encode()
    writer.write(f"POST /run HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
    head, _, told = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), told.decode()


SUM = """
function main(n)
    LDI r1, 0
    LDI r2, 1
again:
    ADD r1, r1, r0
    SUB r0, r0, r2
    CMP r0, r2
    JMPGT again
    ADD r1, r1, r2
    RET r1
end
"""
FOREVER = "function main()\nagain:\n JMP again\nend"
WAITS = 'function main()\n LDI r0, "k"\n PUSHARG r0\n CALL fetch\n RET r0\nend'


async def demonstrate(port: int) -> None:
    """Ask three things."""
    for body in ({"program": SUM, "arguments": [10]}, {"program": FOREVER}, ["no program"]):
        status, told = await ask(port, body)
        print(status, told)


async def load(port: int, count: int) -> None:
    """Send *count* requests at once and tell what became of them."""
    gaps: list[float] = []

    async def watch() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            gaps.append(time.perf_counter() - before - 0.001)

    watching = asyncio.create_task(watch())
    began = time.perf_counter()
    bodies = [{"program": SUM, "arguments": [1000]}, {"program": FOREVER}, {"program": WAITS}]
    answers = await asyncio.gather(*(ask(port, bodies[number % 3]) for number in range(count)))
    seconds = time.perf_counter() - began
    watching.cancel()
    kinds = [json.loads(told)["error"] for _, told in answers]
    right = sum((error is None) == (number % 3 != 1) for number, error in enumerate(kinds))
    gaps.sort()
    print(f"{count} requests in {seconds:.2f} s, {right} answers as expected")
    print(f"the loop was late by {1000 * gaps[len(gaps) // 2]:.1f} ms in the median, {1000 * gaps[-1]:.1f} ms at most")


async def main(words: list[str]) -> None:
    """Serve, or serve and ask."""
    server = await asyncio.start_server(answer, "127.0.0.1", int(words[1]) if words[:1] == ["serve"] else 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        if words[:1] == ["serve"]:
            await server.serve_forever()
        elif words[:1] == ["load"]:
            await load(port, int(words[1]))
        else:
            await demonstrate(port)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:] if Path(sys.argv[0]).name == Path(__file__).name else []))
