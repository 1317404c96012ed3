"""``python -m tests.stress [forks|signals|stacks] [COUNT]``: each kind, so many times in all, with figures."""

from __future__ import annotations

import gc
import os
import random
import signal
import subprocess
import sys
import time
import warnings

from stoffel import VMError
from tests.stress.programs import MODES, made, run

SECONDS = 60
"""After these a child process counts as hanging."""


class Interrupted(Exception):
    """Raised by the signal handler."""


def _child() -> int:
    """Use the machines that were forked, and new ones; return the exit status."""
    return 0 if all(run(made(mode)) for mode in MODES) else 2


def forks(count: int) -> dict[str, int]:
    """Fork at random moments of running machines, kernels in the making included."""
    figures = dict.fromkeys(("forks", "hangs", "crashes", "wrong results"), 0)
    warnings.simplefilter("ignore", DeprecationWarning)
    machines = [made(mode) for mode in MODES]
    chance = random.Random(1)
    while figures["forks"] < count:
        if figures["forks"] % 20 == 0:
            machines = [made(mode) for mode in MODES]
        until = time.monotonic() + chance.random() * 0.05
        while time.monotonic() < until:
            chance.choice(machines).execute("work", 2000)
        child = os.fork()
        if not child:
            os._exit(_child() if all(map(run, machines)) else 2)
        figures["forks"] += 1
        end = time.monotonic() + SECONDS
        status = 0
        while time.monotonic() < end and not (done := os.waitpid(child, os.WNOHANG))[0]:
            time.sleep(0.002)
        if not done[0]:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            figures["hangs"] += 1
            continue
        status = os.waitstatus_to_exitcode(done[1])
        figures["wrong results" if status == 2 else "crashes"] += status != 0
    return figures


def signals(count: int) -> dict[str, int]:
    """Have a signal handler raise at random bytecodes, in every tier; the machine must go on as if nothing had been."""
    figures = dict.fromkeys(("signals", "wrong results", "lost machines"), 0)
    chance = random.Random(1)

    armed = [False]

    def handler(*_: object) -> None:
        if armed[0]:
            armed[0] = False
            figures["signals"] += 1
            raise Interrupted

    signal.signal(signal.SIGALRM, handler)
    # Python itself tells of exceptions in its own callbacks of garbage, and drops them.
    sys.unraisablehook = lambda *_: None
    while figures["signals"] < count:
        machine = made(chance.choice(MODES))
        for _ in range(40):
            try:
                armed[0] = True
                signal.setitimer(signal.ITIMER_REAL, 0.0002 + chance.random() * 0.004)
                right = run(machine)
                if chance.random() < 0.2:
                    gc.collect()
                armed[0] = False
                figures["wrong results"] += not right
            except Interrupted:
                pass
            except VMError as error:
                # Inside a foreign function the exception is that function's failure.
                figures["wrong results"] += "Foreign function" not in str(error)
        armed[0] = False
        figures["lost machines"] += not run(machine) or bool(machine.state.records) or machine.state.nesting != 0
    return figures


STACK = """
import sys, threading
from tests.stress.programs import made, run
results = []
def work():
    machine = made({mode!r})
    results.append(all(run(machine) for _ in range(3)) and machine.execute("down", 20000) == 20000)
threading.stack_size({size} << 10)
thread = threading.Thread(target=work)
thread.start()
thread.join()
sys.exit(0 if results == [True] else 2)
"""


def stacks(count: int) -> dict[str, int]:
    """Run in threads with stacks of 64 to 8192 KB, in every tier; *count* is not more than there are."""
    figures = dict.fromkeys(("stacks", "hangs", "crashes", "wrong results"), 0)
    for size in (64, 96, 128, 160, 256, 512, 1024, 2048, 4096, 8192):
        for mode in MODES:
            if figures["stacks"] >= count:
                return figures
            figures["stacks"] += 1
            command = [sys.executable, "-c", STACK.format(mode=mode, size=size)]
            try:
                status = subprocess.run(command, timeout=SECONDS, check=False).returncode
            except subprocess.TimeoutExpired:
                figures["hangs"] += 1
                continue
            figures["wrong results" if status == 2 else "crashes"] += status != 0
    return figures


KINDS = {"forks": (forks, 200), "signals": (signals, 10_000), "stacks": (stacks, 50)}


def main(arguments: list[str]) -> int:
    """Put machines under the kinds of stress that are named, or all; return 1 if something went wrong."""
    wrong = 0
    for name, (stress, usual) in KINDS.items():
        if not arguments or arguments[0] == name:
            began = time.monotonic()
            figures = stress(int(arguments[1]) if len(arguments) > 1 else usual)
            wrong += sum(number for what, number in figures.items() if what != name)
            told = ", ".join(f"{number} {what}" for what, number in figures.items())
            print(f"{told} ({time.monotonic() - began:.0f} s)", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
