"""The faults that are planted in kernels: analysis, lowering, storage, running and leaving."""

from __future__ import annotations

from tests.faults.faults import Fault

TYPES = "stoffel/compiler/kernels/analysis/types.py"
ANALYSIS = "stoffel/compiler/kernels/analysis/inference.py"
DUPLICATION = "stoffel/compiler/kernels/analysis/tail_duplication.py"
OPERATIONS = "stoffel/compiler/kernels/codegen/operations.py"
BUILTINS = "stoffel/compiler/kernels/analysis/builtin_types.py"
ARRAYS = "stoffel/compiler/kernels/codegen/builtins.py"
CALLING = "stoffel/compiler/kernels/codegen/calls.py"
CLOSURES = "stoffel/compiler/kernels/analysis/closure_calls.py"
LOWERING = "stoffel/compiler/kernels/codegen/lowering.py"
SUPPORT = "stoffel/compiler/kernels/codegen/support.py"
RUN = "stoffel/jit/kernels/marshalling.py"
KERNELS = "stoffel/jit/kernels/running.py"
ELEMENTS = "stoffel/model/elements.py"

KERNEL_FAULTS: tuple[Fault, ...] = (
    Fault(
        "elements of two kinds in one array",
        TYPES,
        "    return isinstance(one, Known) and isinstance(other, Known) and one.value == other.value",
        "    return isinstance(one, Scalar) and isinstance(other, Scalar) and one.bank == other.bank",
    ),
    Fault(
        "a flag known on one way only", ANALYSIS, "if known.flag is not None and known.flag != state.flag:", "if False:"
    ),
    Fault(
        "shifts of different widths",
        ANALYSIS,
        "if left is right and (is_integer(left) or",
        "if (left is right or operation in ('SHL', 'SHR')) and (is_integer(left) or",
    ),
    Fault("a copied tail lacks an instruction", DUPLICATION, "copy.body = block.body", "copy.body = block.body[1:]"),
    Fault(
        "range of narrow integers off by one",
        OPERATIONS,
        "{row.maximum - row.minimum}",
        "{row.maximum - row.minimum + 1}",
    ),
    Fault(
        "least by minus one divided",
        OPERATIONS,
        'minus_one = writer.value(f"icmp eq i64 {right}, -1")',
        'minus_one = writer.value(f"icmp eq i64 {right}, -2")',
    ),
    Fault("shift by the width", OPERATIONS, "icmp uge i64 {amount}, {row.bits}", "icmp ugt i64 {amount}, {row.bits}"),
    Fault(
        "mixed comparison not turned round",
        OPERATIONS,
        'writer.value(f"sub i64 0, {order}") if left is FLOAT else order',
        "order",
    ),
    Fault(
        "remainder of Floats by zero",
        OPERATIONS,
        "fcmp one double {right}, 0.0",
        "fcmp ord double {right}, 0.0",
    ),
    Fault(
        "complement of narrow unsigned integers",
        OPERATIONS,
        "-1 if row.signed or row.bits == 64 else row.maximum",
        "-1",
    ),
    Fault("negative indexes count from the start", ARRAYS, "add i64 {key}, {size}", "xor i64 {key}, -1"),
    Fault("a write past the end grows", ARRAYS, "icmp eq i64 {key}, {size}", "icmp uge i64 {key}, {size}"),
    Fault(
        "pushes may be executed twice",
        BUILTINS,
        'Typing(_pushing("array_push", I64))',
        'Typing(_pushing("array_push", I64), only_reads=True)',
    ),
    Fault(
        "growing copies one element less",
        SUPPORT,
        "  %used = mul i64 %length, %item\n",
        "  %shorter = lshr i64 %length, 1\n  %used = mul i64 %shorter, %item\n",
    ),
    Fault(
        "what was too large at first is not tried again",
        "stoffel/jit/kernels/candidates.py",
        "            candidate.reopen()\n        self._too_large.clear()",
        "            pass\n        self._too_large.clear()",
    ),
    Fault(
        "what is allocated is not paid for",
        SUPPORT,
        "  %left = sub i64 %budget, %extra\n",
        "  %left = add i64 %budget, 0\n",
    ),
    Fault("growing where it is forgets the new place", SUPPORT, "[ %moved, %mine ]", "[ %data, %mine ]"),
    Fault(
        "integers compared with fractions",
        SUPPORT,
        "  %over = fcmp ogt double %b, %whole\n  br i1 %over, label %less, label %not_over",
        "  %over = fcmp olt double %b, %whole\n  br i1 %over, label %less, label %not_over",
    ),
    Fault(
        "attention is not looked for",
        SUPPORT,
        "br i1 %asked, label %leave, label %unasked",
        "br i1 %asked, label %unasked, label %unasked",
    ),
    Fault(
        "signals are not looked for",
        SUPPORT,
        "br i1 %is_raised, label %leave, label %again",
        "br i1 %is_raised, label %again, label %again",
    ),
    Fault(
        "the loop's body resumes after its first instruction",
        LOWERING,
        "self._checkpoint(action.at, state)",
        "self._checkpoint(action.at + 1, state)",
    ),
    Fault(
        "a caller repeats its call",
        LOWERING,
        "self._leave(action.at + 1, during, nested=True)",
        "self._leave(action.at, during, nested=True)",
    ),
    Fault("the argument stack stays in a caller", LOWERING, "        del during.types[self.stack :]\n", ""),
    Fault(
        "the native depth is not limited",
        CALLING,
        'shallow = writer.value("icmp sle i64 %depth, 0")',
        'shallow = writer.value("icmp sle i64 %depth, -100000000")',
    ),
    Fault(
        "tags of mixed values are not moved",
        LOWERING,
        "        if isinstance(kind, Mixed):\n            self.writer.set_tag",
        "        if isinstance(kind, Known):\n            self.writer.set_tag",
    ),
    Fault(
        "a written closure counts as the same",
        CALLING,
        """i64, ptr {times}, {TBAA_OBJECT}')}, 1")""",
        """i64, ptr {times}, {TBAA_OBJECT}')}, 0")""",
    ),
    Fault(
        "arguments are closures as they are now",
        RUN,
        "values.append(self._closure_of(words[position], words[position + 1 : end]))",
        "values.append(self.take(code, words[position]))",
    ),
    Fault(
        "callers keep the closure that was written",
        RUN,
        "            if words[buffer.WRITTEN]:\n",
        "            if False:\n",
    ),
    Fault(
        "a closure may be known and passed on",
        RUN,
        "            if any(value is closure for value in self.opaques):\n",
        "            if False:\n",
    ),
    Fault(
        "an upvalue is captured from the first parameter of that name",
        CLOSURES,
        "for position in range(len(parameters) - 1, -1, -1):",
        "for position in range(len(parameters)):",
    ),
    Fault(
        "a closure in a spill slot is written in place",
        ANALYSIS,
        "if layout.registers <= target < layout.stack and (",
        "if layout.stack <= target < layout.stack and (",
    ),
    Fault("unsigned words are read as signed", RUN, "word &= (1 << 64) - 1", "word &= (1 << 63) - 1"),
    Fault("records of callers come first", RUN, "        result.reverse()\n", ""),
    Fault("the flag is lost on leaving a kernel", RUN, "record.flag = flag", "record.flag = 0"),
    Fault(
        "spill slots are lost on leaving a kernel",
        RUN,
        "record.spill = dict(zip(site.slots, values[count:], strict=False))",
        "record.spill = None",
    ),
    Fault(
        "new arrays get ids one too high",
        RUN,
        "identity = self.base + header[buffer.NUMBER]",
        "identity = self.base + header[buffer.NUMBER] + 1",
    ),
    Fault(
        "rows that were replaced are not taken",
        RUN,
        "if length and ctypes.string_at(data, length * 8) != before:",
        "if length * 8 != len(before):",
    ),
    Fault(
        "grown arrays are not taken",
        RUN,
        "                elements.replace_buffer(array, data, length)\n",
        "                pass\n",
    ),
    Fault("elements of grown arrays are not freed", RUN, "self.owned.append(header)", "pass"),
    Fault(
        "an interruption loses what a kernel has done",
        KERNELS,
        "            complete(self._take_over, run)\n",
        "            pass\n",
    ),
    Fault(
        "the flag is not given to a kernel",
        KERNELS,
        "            if outer is not None:\n                state[buffer.FLAG] = outer.flag",
        "            if outer is not None:\n                state[buffer.FLAG] = 0",
    ),
    Fault("no ids are used up", KERNELS, "islice(ids, 0, count, count)", "islice(ids, 0, 1)"),
    Fault(
        "memory of kernels is not freed",
        KERNELS,
        "            state[buffer.MODE] = 1\n            release(address)",
        "            state[buffer.MODE] = 1",
    ),
    Fault(
        "a kernel may stack up one record too many",
        KERNELS,
        "min(room, kernel.nesting)",
        "min(room + 1, kernel.nesting)",
    ),
    Fault(
        "Bools are stored as they were", ELEMENTS, "value == 1 if kind is bool else", "value == 0 if kind is bool else"
    ),
)
