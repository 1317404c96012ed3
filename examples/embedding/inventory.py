"""A host object that a program works on through foreign functions, and an error that the program meets.

Prints:

    apples: 5 left
    pears: none left
    stopped: Foreign function take failed: only 0 pears in stock
      at function sell, instruction 5
"""

from __future__ import annotations

import stoffel
from stoffel import Foreign, ForeignContext

PROGRAM = """
function sell(stock, item, count)
    MOV     r3, r0
    MOV     r4, r1
    PUSHARG r3
    PUSHARG r4
    PUSHARG r2
    CALL    take
    PUSHARG r4
    PUSHARG r0
    CALL    report
    RET     r0
end
"""


class Inventory:
    def __init__(self, **counts: int) -> None:
        self.counts = counts


def take(context: ForeignContext) -> int:
    """Take some items and return how many are left."""
    context.require_exactly(3, "3 arguments: inventory, item, and count")
    item = context.string(1, "item")
    count = context.unsigned(2, "count")
    with context.locked_object(context[0], Inventory) as inventory:
        if inventory.counts.get(item, 0) < count:
            raise ValueError(f"only {inventory.counts.get(item, 0)} {item} in stock")
        inventory.counts[item] -= count
        return inventory.counts[item]


def report(item: str, count: int) -> None:
    print(f"{item}: {count or 'none'} left")


def main() -> None:
    machine = stoffel.VirtualMachine()
    machine.register_foreign_function("take", take)
    machine.register_foreign_function("report", report)
    machine.load(stoffel.assemble(PROGRAM))

    stock: Foreign = machine.register_foreign_object(Inventory(apples=7, pears=2))
    try:
        for item, count in (("apples", 2), ("pears", 2), ("pears", 1)):
            machine.execute("sell", stock, item, count)
    except stoffel.VMError as error:
        print(f"stopped: {error}")
        for function, instruction in reversed(error.stack):
            print(f"  at function {function}, instruction {instruction}")


if __name__ == "__main__":
    main()
