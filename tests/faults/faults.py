"""The faults that ``python -m tests.faults`` plants: edits of the compiler that tests must notice."""

# ruff: noqa: E501 - the texts are as long as the lines of the sources

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """One edit: in *file* the text *old*, which occurs there exactly once, becomes *new*."""

    name: str
    file: str
    old: str
    new: str


FACTS = "stoffel/compiler/analysis/facts.py"
RANGES = "stoffel/compiler/analysis/ranges.py"
OPERATION_FORMS = "stoffel/compiler/analysis/operation_forms.py"
BLOCKS = "stoffel/compiler/flow/blocks.py"
LIVENESS = "stoffel/compiler/analysis/liveness.py"
SPOTS = "stoffel/compiler/emission/locations.py"
BLOCKS_OF_UNIT = "stoffel/compiler/emission/unit_emitter.py"
EMISSION = "stoffel/compiler/emission/emitter.py"
POLLS = "stoffel/compiler/emission/implicit_polls.py"
STRETCHES = "stoffel/compiler/emission/strip_mining.py"
BRANCHES = "stoffel/compiler/emission/branches.py"
REMEMBERED = "stoffel/compiler/analysis/load_elimination.py"
RANGES_OF_LOOPS = "stoffel/compiler/emission/counting.py"
COUNTING = "stoffel/compiler/emission/counted_loops.py"
FORMS = "stoffel/compiler/emission/selection.py"
INFERENCE = "stoffel/compiler/analysis/inference.py"
FIXPOINT = "stoffel/compiler/analysis/fixpoint.py"
NARROWING = "stoffel/compiler/analysis/narrowing.py"
OPENED = "stoffel/compiler/analysis/calls.py"
BUILTIN_KINDS = "stoffel/model/builtins/declaration.py"
SOLVER = "stoffel/compiler/analysis/interprocedural.py"
SAFEPOINTS = "stoffel/compiler/emission/deopt_points.py"
DECODING = "stoffel/compiler/flow/decoding.py"
SPLICED = "stoffel/compiler/flow/spliced.py"
SPLICING = "stoffel/compiler/flow/inlining.py"
INLINING = "stoffel/compiler/analysis/inlined_calls.py"
SEAMS = "stoffel/compiler/emission/call_sequences.py"
FLAGS = "stoffel/isa/flags.py"
TYPED = "stoffel/compiler/analysis/ir.py"
TRANSLATOR = "stoffel/compiler/pipeline.py"
COMPILED = "stoffel/jit/code_tier.py"
EXITS = "stoffel/jit/exits.py"
SUSPENSION = "stoffel/jit/suspension.py"
REBUILDING = "stoffel/jit/deoptimisation.py"
ENVIRONMENT = "stoffel/jit/environment.py"
FUNCTIONS = "stoffel/jit/functions.py"
POLLED = "stoffel/jit/polled_constants.py"
SUPERINSTRUCTIONS = "stoffel/runtime/superinstructions.py"

FAULTS: tuple[Fault, ...] = (
    # Facts
    Fault(
        "widening keeps the old upper bound",
        FACTS,
        "if limit >= high)",
        "if limit >= old.high)",
    ),
    Fault("widening skips the lower limit", FACTS, "if limit <= low)", "if limit <= old.low)"),
    Fault(
        "join takes the narrower lower bound",
        FACTS,
        "low = one.low if one.low < other.low",
        "low = one.low if one.low > other.low",
    ),
    Fault(
        "join of different constants keeps one",
        FACTS,
        "if both and constant_key(one.constant) == constant_key(other.constant):",
        "if both and one.mask == other.mask:",
    ),
    Fault("a grown upper bound goes unnoticed", FACTS, "        and one.high == other.high\n", ""),
    # Ranges
    Fault("sum with a wrong upper bound", RANGES, "a.low + b.low, a.high + b.high", "a.low + b.low, a.high + b.low"),
    Fault("difference with swapped bounds", RANGES, "a.low - b.high, a.high - b.low", "a.low - b.low, a.high - b.high"),
    Fault(
        "product of negative numbers", RANGES, "return min(products), max(products)", "return products[0], products[3]"
    ),
    Fault(
        "quotient with swapped divisors", RANGES, "a.low // b.high, a.high // b.low", "a.low // b.low, a.high // b.high"
    ),
    Fault(
        "remainder one too small",
        RANGES,
        "reach = max(abs(b.low), abs(b.high)) - 1",
        "reach = max(abs(b.low), abs(b.high)) - 2",
    ),
    Fault("bitwise or adds lower bounds", RANGES, "return max(a.low, b.low), (1 <<", "return a.low + b.low, (1 <<"),
    Fault(
        "bitwise and of a negative operand",
        RANGES,
        "    if a.low >= 0:\n        return 0, a.high",
        "    if a.low >= 0:\n        return 0, min(a.high, abs(b.high))",
    ),
    Fault(
        "right shift of negative numbers",
        RANGES,
        "a.low >> b.low, a.low >> b.high, a.high >> b.low, a.high >> b.high",
        "a.low >> b.high, a.high >> b.low",
    ),
    Fault("less is thought impossible", RANGES, "_ORDERS[a.low < b.high,", "_ORDERS[a.low < b.low,"),
    Fault(
        "equal refined as strictly less",
        RANGES,
        "        strict = 0 if 0 in outcomes else 1\n        if a_high",
        "        strict = 1\n        if a_high",
    ),
    Fault(
        "greater refines nothing below",
        RANGES,
        "if a_low < b_low + strict:\n            a_low = b_low + strict",
        "if a_low < b_high + strict:\n            a_low = b_high + strict",
    ),
    Fault("no overflow check at the limit", RANGES, "bounds[1] > greatest", "bounds[1] > greatest + 1"),
    # Blocks
    Fault(
        "short back-edges without safepoint",
        BLOCKS,
        "Edge(target, jump and target <= source)",
        "Edge(target, jump and target < source - 6)",
    ),
    Fault(
        "merged branches on the common outcome",
        BLOCKS,
        "block.branch = block.branch | follower.branch",
        "block.branch = block.branch & follower.branch",
    ),
    Fault("constants outlive a call", BLOCKS, "                known.pop(0, None)\n", "                pass\n"),
    Fault(
        "threaded jump goes the wrong way",
        BLOCKS,
        "follower.taken if outcome in follower.branch else follower.next",
        "follower.next if outcome in follower.branch else follower.taken",
    ),
    Fault("threading through back-edges", BLOCKS, "block.next is None or block.next.back or", "block.next is None or"),
    Fault("constants outlive an assignment", BLOCKS, "known.pop(operands[target], None)", "pass"),
    # Liveness
    Fault(
        "registers lost where code leaves",
        LIVENESS,
        "return needed | ~hidden if node.leaves else needed",
        "return needed",
    ),
    Fault(
        "registers lost at back-edges",
        LIVENESS,
        "needed |= ~hidden(edge.target) | needed_in.get(edge.target, 0)",
        "needed |= needed_in.get(edge.target, 0)",
    ),
    Fault("second operand not alive", LIVENESS, "for place in node.sources:", "for place in node.sources[:1]:"),
    Fault("flag not alive before a branch", LIVENESS, "return needed | FLAG if", "return needed if"),
    Fault(
        "registers lost after foreign calls",
        LIVENESS,
        'result.append(needed | ~hidden if form == "foreign" else needed)',
        "result.append(needed)",
    ),
    Fault("result register not alive at the end", LIVENESS, "needed |= bit(0)", "needed |= 0"),
    # Spots
    Fault("no eviction before a write", SPOTS, "        self.evict(name, needed & ~bit(place))\n", ""),
    Fault(
        "stale flag after an operand changed",
        SPOTS,
        "                self.places[place] = moved\n        self._evict_flag(name, needed)",
        "                self.places[place] = moved",
    ),
    Fault("a free local that the flag uses", SPOTS, " and not self._flag_uses(own):", ":"),
    Fault("flag made from a wrong comparison", SPOTS, '("<", -1, writer.label())', '("<=", -1, writer.label())'),
    Fault("raw value escapes unboxed", SPOTS, "if spot.raw and not raw:", "if spot.raw and raw:"),
    Fault(
        "evicted value forgets that it is raw",
        SPOTS,
        "self.held(self._free_name(place, name), spot.raw)",
        "self.held(self._free_name(place, name))",
    ),
    Fault("own copy in a shared local", SPOTS, 'name = self._free_name(place, "")', "name = self.layout.name(place)"),
    # Emission
    Fault(
        "no poll at a back-edge in line",
        BLOCKS_OF_UNIT,
        "            self.site(way, edge.target)\n            self.poll(way)\n",
        "            self.site(way, edge.target)\n",
    ),
    Fault(
        "no poll at a back-edge aside",
        BRANCHES,
        "            if polls:\n                emitter.poll(way)\n",
        "",
    ),
    Fault(
        "a constant that not every round loads counts as a poll",
        POLLS,
        "above == result[-1] or _leads(blocks, head, latch, above)",
        "above == result[-1]",
    ),
    Fault(
        "poll in passing resumes after its instruction",
        POLLS,
        "Site(moment.resume, moment.places",
        "Site(moment.resume + 1, moment.places",
    ),
    Fault(
        "poll in passing where a value was not kept",
        POLLS,
        "if spot is TOP or (spot is None and not hidden & bit(place)):",
        "if spot is TOP:",
    ),
    Fault(
        "poll in passing after an operation that overflowed",
        SAFEPOINTS,
        "return bool(least <= variables[self.doubtful.name] <= greatest)",
        "return True",
    ),
    Fault(
        "poll in passing after an operation has it done again",
        POLLS,
        "moment = self.moment(emitter, index + 1)",
        "moment = self.moment(emitter, index)",
    ),
    Fault(
        "loop counted in stretches although something is lost between them",
        STRETCHES,
        "if spot is None and not hidden & bit(place):",
        "if False:",
    ),
    Fault(
        "local that has been written over counts as kept",
        STRETCHES,
        "    kept -= {wanted.name for _, wanted in moves}\n",
        "",
    ),
    Fault("loop ends with its first stretch", RANGES_OF_LOOPS, "    writer.if_true(again)\n", "    writer.pop()\n"),
    Fault(
        "stretch as long as the loop", RANGES_OF_LOOPS, "    if head in emitter.ranges.stretches:\n", "    if False:\n"
    ),
    Fault("no poll between stretches", RANGES_OF_LOOPS, "        emitter.poll(way)\n", ""),
    Fault(
        "rounds with calls counted in stretches",
        COUNTING,
        "        if any(node.form in RUNNING_OTHERS for node in typed.nodes):\n",
        "        if False:\n",
    ),
    Fault(
        "another exception taken for an empty cell",
        EXITS,
        "if type(error) is not NameError or not is_of(error, frame):",
        "if type(error) is not NameError:",
    ),
    Fault(
        "cells stay empty after attention",
        POLLED,
        "            cell.cell_contents = value\n",
        "            pass\n",
    ),
    Fault(
        "cells are not emptied",
        POLLED,
        "            del cell.cell_contents\n",
        "            pass\n",
    ),
    Fault(
        "equal constants share a cell",
        POLLED,
        "key = constant_key(value)",
        "key = type, value",
    ),
    Fault(
        "resumes after the loop's head",
        BLOCKS_OF_UNIT,
        "            self.site(way, edge.target)\n            self.poll(way)",
        "            self.site(way, edge.target + 1)\n            self.poll(way)",
    ),
    Fault("at most tested as less", FLAGS, '"le": "<="', '"le": "<"'),
    Fault(
        "NaN not looked for",
        BRANCHES,
        "        if nan is not None:\n            _check_nan(emitter, nan, compare_line)\n",
        "",
    ),
    Fault("range one step short", RANGES_OF_LOOPS, "    if loop.inclusive:\n", "    if False:\n"),
    Fault("counter rebuilt without its step", SAFEPOINTS, "variables[spot.name] + spot.amount", "variables[spot.name]"),
    Fault(
        "bounds not checked",
        BLOCKS_OF_UNIT,
        "                self.leave_if(BOUNDS)\n",
        "                writer.pop()\n",
    ),
    Fault(
        "bound may change in the loop",
        COUNTING,
        "            if node.target == loop.bound and",
        "            if False and",
    ),
    Fault("field remembered across calls", REMEMBERED, "if node.form in RUNNING_OTHERS:", "if False:"),
    Fault(
        "field remembered across aliases", REMEMBERED, "if holder >= 0 and (other == key", "if False and (other == key"
    ),
    Fault(
        "field remembered of another object",
        INFERENCE,
        "            state.facts[unseen] = FORGOTTEN_FACT\n",
        "            pass\n",
    ),
    Fault("guard dropped", BLOCKS_OF_UNIT, "        self.leave_if(BEFORE, true=False)\n", "        writer.pop()\n"),
    Fault(
        "guarded value forgets its kind",
        BLOCKS_OF_UNIT,
        "self.spots.own_copy(place, kind)",
        "self.spots.own_copy(place, 0)",
    ),
    Fault(
        "call depth not checked",
        BLOCKS_OF_UNIT,
        'writer.load_global(LIMIT)\n        writer.compare("<")',
        'writer.constant(-(10**6))\n        writer.compare("<")',
    ),
    Fault(
        "result lands on a value that is needed",
        SPOTS,
        "        self.evict(name, needed & ~bit(place))\n",
        "        if landing < 0:\n            self.evict(name, needed & ~bit(place))\n",
    ),
    Fault(
        "moves of an edge in the wrong order", EMISSION, "for _, wanted in reversed(moves):", "for _, wanted in moves:"
    ),
    Fault(
        "moves of an edge do not box",
        EMISSION,
        "self.spots.load(present, raw=bool(wanted.raw))",
        "self.spots.load(present, raw=True)",
    ),
    # Forms
    Fault("no check for underflow", FORMS, '((high, greatest, ">"), (low, least, "<"))', '((high, greatest, ">"),)'),
    Fault(
        "overflow check off by one",
        FORMS,
        "writer.constant(bound)",
        "writer.constant(bound + 1)",
    ),
    Fault("shift keeps too few bits", FORMS, "writer.constant(greatest - least)", "writer.constant(greatest)"),
    Fault("floor division of a negative dividend", FORMS, '(left, dividend.low < 0, "<")', '(left, False, "<")'),
    Fault("division by zero not excluded", FORMS, '(right, divisor.low <= 0, "<=")', '(right, divisor.low <= 0, "<")'),
    Fault(
        "complement of unsigned integers",
        FORMS,
        'writer.constant(greatest)\n        writer.binary("XOR")',
        'writer.constant(greatest - 1)\n        writer.binary("XOR")',
    ),
    Fault(
        "caller resumes at its call",
        FORMS,
        "    emitter.site(DURING, node.index + 1)\n    emitter.writer",
        "    emitter.site(DURING, node.index)\n    emitter.writer",
    ),
    Fault(
        "foreign call is made twice", FORMS, "emitter.site(AFTER, node.index + 1)", "emitter.site(AFTER, node.index)"
    ),
    Fault(
        "set_field leaves the old result",
        FORMS,
        "        emitter.spots.set(node.target, Known(UNIT_FACT))\n\n    return form",
        "\n    return form",
    ),
    Fault("overflow names another operation", FORMS, "writer.constant(node.operation)", 'writer.constant("ADD")'),
    # Inference
    Fault(
        "comparison outlives its operands",
        INFERENCE,
        "place in (comparison.left, comparison.right):\n            state.comparison = None",
        "place in (comparison.left, comparison.right):\n            pass",
    ),
    Fault(
        "wrong Bool after an inequality",
        INFERENCE,
        "FALSE_FACT if other.constant else TRUE_FACT",
        "TRUE_FACT if other.constant else FALSE_FACT",
    ),
    Fault("mixed arithmetic is float only", OPERATION_FORMS, "result |= FLOAT", "result = FLOAT"),
    Fault(
        "two Bools are added",
        OPERATION_FORMS,
        'strings="string", commutes=True',
        'strings="string", booleans="boolean", commutes=True',
    ),
    Fault("what is called gives Bools too", OPERATION_FORMS, "if forms.booleans:", "if not forms.booleans:"),
    Fault(
        "every operand may come first",
        OPERATION_FORMS,
        '"SUB": Forms("integer", "float")',
        '"SUB": Forms("integer", "float", commutes=True)',
    ),
    Fault("shift by the width is inlined", INFERENCE, "b.high >= width", "b.high > width"),
    Fault(
        "complement with swapped bounds",
        RANGES,
        "(~a.high, ~a.low)",
        "(~a.low, ~a.high)",
    ),
    Fault("flags of one way only", TYPED, "self.flag |= other.flag", "self.flag = other.flag"),
    Fault("float division is trusted", INFERENCE, 'None, zero_divisor or operation == "MOD"', "None, False"),
    Fault(
        "result of the last return only",
        INFERENCE,
        "result = join(result, typed.result)",
        "result = typed.result",
    ),
    Fault("narrowed flags of one way only", NARROWING, "known.join_flag(state) or bool(changed)", "bool(changed)"),
    Fault(
        "a comparison made on one way only stays", TYPED, "            self.comparison = None\n", "            pass\n"
    ),
    Fault("narrowed states are the same", NARROWING, "            same = False\n", "            pass\n"),
    Fault(
        "what passes through a block does not reach its states",
        FIXPOINT,
        "leaving.facts[place] = state.facts[place]",
        "pass",
    ),
    Fault("calls of builtins keep the arguments that they had first", OPENED, "known[0] == facts", "True"),
    Fault("operations keep the left operand that they had first", INFERENCE, "before[0] is not left or ", ""),
    Fault("stacks of different height meet", FIXPOINT, "if len(known.facts) != len(state.facts):", "if False:"),
    Fault(
        "comparison knows too much",
        INFERENCE,
        'if form == "compare" and a & INTEGERS:',
        'if form == "compare" and a & INTEGERS and left.low < right.low:\n            flag = 1\n        elif form == "compare" and a & INTEGERS:',
    ),
    Fault(
        "a constant NaN is compared inline",
        INFERENCE,
        "if left.constant != left.constant or right.constant != right.constant:",
        "if left.constant != left.constant and right.constant != right.constant:",
    ),
    # Calls
    Fault("a length is at least one", BUILTIN_KINDS, "(int,), 0)", "(int,), 1)"),
    Fault("slices are arrays", BUILTIN_KINDS, '"array or String", (Array, str)', '"array or String", (Array,)'),
    Fault("arrays are indexed by anything", OPENED, "return ARRAY if key.mask == I64 else 0", "return ARRAY"),
    Fault("negative capacity is accepted", OPENED, "facts[0].mask != I64 or facts[0].low < 0", "facts[0].mask != I64"),
    Fault(
        "callers of a changed result are forgotten",
        SOLVER,
        "self._dependents.setdefault(key, set()).add(self._current)",
        "pass",
    ),
    # Leaving
    Fault("raw value is rebuilt as I64", SAFEPOINTS, "boxed(value, spot.raw) if spot.raw else value", "value"),
    Fault("rebuilt flag is reversed", SAFEPOINTS, "(left > right) - (left < right)", "(left < right) - (left > right)"),
    Fault(
        "put-off length is stale",
        SAFEPOINTS,
        "return len(variables[spot.name].items)",
        "return len(variables[spot.name].items) - 1",
    ),
    Fault("a plain call captures registers", OPENED, "Capture(ARGUMENT, ", "Capture(PLACE, "),
    Fault("the first upvalue of a name is read", OPENED, "len(upvalues) - 1 - upvalues[::-1].index", "upvalues.index"),
    Fault("a plain call ran a closure", REBUILDING, "None if type(closure) is Captures else closure", "closure"),
    Fault(
        "registers of an inlined call are captured",
        REBUILDING,
        "inlined.bound + position]",
        "inlined.first + position]",
    ),
    Fault(
        "a plain call captures nothing from around the run",
        SUSPENSION,
        "find_in(self.state.records, name)",
        "find_in(self.state.records[self.state.base :], name)",
    ),
    Fault("flag lost on leaving", REBUILDING, "flag: Any = flag_at(site.flag, variables)", "flag: Any = 0"),
    Fault(
        "argument stack lost on leaving",
        REBUILDING,
        "stack: list[Value] = values[layout.stack :]",
        "stack: list[Value] = []",
    ),
    Fault(
        "spill slots lost on leaving",
        REBUILDING,
        "record.spill = {slot: values[place] for slot, place in layout.slots.items()}",
        "record.spill = None",
    ),
    Fault(
        "arguments lose their kind on leaving",
        REBUILDING,
        "arguments[position] = boxed(arguments[position], raw)",
        "pass",
    ),
    Fault(
        "records in the wrong order",
        SUSPENSION,
        "        records.reverse()\n",
        "",
    ),
    Fault(
        "recover swallows errors of callees",
        EXITS,
        "if trace is None or not is_of(error, frame):",
        "if trace is None:",
    ),
    Fault(
        "result escapes unboxed",
        COMPILED,
        "            result.shared = True\n        return boxed(result, unit.result.mask) if is_raw(unit.result) else result",
        "            result.shared = True\n        return result",
    ),
    Fault(
        "a closure that escapes is taken to be private",
        COMPILED,
        "        if type(result) is Closure:\n            result.shared = True\n        return",
        "        return",
    ),
    Fault(
        "error located in the caller",
        REBUILDING,
        "note(failure, state.functions, stack, values)",
        "note(failure, state.functions, stack[:1], values)",
    ),
    Fault(
        "registers changed by an inner run are dropped",
        SUSPENSION,
        "record.registers[start:] = changed.registers[start:]",
        "pass",
    ),
    Fault("a method shadows nothing", ENVIRONMENT, "if state.methods.get(receiver, method) is not None:", "if False:"),
    Fault(
        "callers keep a promise that is broken",
        ENVIRONMENT,
        "pending.extend(self._callers.get(key, ()))",
        "pass",
    ),
    # Inlined calls
    Fault(
        "constants outlive the beginning of an inlined call",
        SPLICED,
        "            for place in range(called.first, called.end):\n                known.pop(place, None)\n",
        "",
    ),
    Fault(
        "a constant outlives the result of an inlined call",
        SPLICED,
        "            known.pop(inlined.result, None)\n        return None",
        "            pass\n        return None",
    ),
    Fault(
        "an inlined call continues at itself",
        REBUILDING,
        "values[inlined.flag], inlined.call + 1,",
        "values[inlined.flag], inlined.call,",
    ),
    Fault(
        "arguments of an inlined call as they are now",
        REBUILDING,
        "bound = values[inlined.bound : inlined.flag]",
        "bound = values[inlined.first :][: inlined.flag - inlined.bound]",
    ),
    Fault(
        "the caller of an inlined call has its flag",
        REBUILDING,
        "stack, flag, resume, inlined = [], values[inlined.flag],",
        "stack, flag, resume, inlined = [], flag,",
    ),
    Fault("registers of an inlined call lost", DECODING, "None else inlined.end", "None else inlined.first"),
    Fault(
        "registers of an inlined call are not made Unit",
        INLINING,
        "range(call.first + len(places), call.bound)",
        "range(call.bound, call.bound)",
    ),
    Fault(
        "the flag of an inlined call is its caller's",
        INLINING,
        "    state.flag, state.comparison = FLAG_BITS[0], None\n",
        "    state.comparison = None\n",
    ),
    Fault(
        "the caller gets the flag of an inlined call",
        INLINING,
        "FLAG_BITS[flag.constant] if flag.is_constant else 7",
        "state.flag",
    ),
    Fault(
        "the caller's flag is not put back",
        SEAMS,
        "        spots.flag = node.result.constant\n",
        "        spots.flag = 0\n",
    ),
    Fault("a closure of any shape is inlined", SEAMS, "    check_shape(emitter, node.sources[0], node.detail)\n", ""),
    Fault(
        "no room for inlined calls",
        EMISSION,
        "1 if inlined is None else inlined.depth + 1)\n    return",
        "1)\n    return",
    ),
    Fault(
        "a function learns of guesses in what is inlined",
        EXITS,
        "        code, index = unit.position(line.index)\n        feedback =",
        "        code, index = unit.function, line.index\n        feedback =",
    ),
    Fault(
        "an error in an inlined call is its caller's",
        REBUILDING,
        "stack.extend(unit.positions(line.index))",
        "stack.extend(unit.positions(line.index)[:1])",
    ),
    Fault(
        "inlining costs a function its translation",
        TRANSLATOR,
        "if environment.splice(code) is splice and not environment.stop_inlining(code, refusal.function):",
        "if True:",
    ),
    Fault("a refusal in one callee keeps all apart", FUNCTIONS, ".update(named or inlined)", ".update(inlined)"),
    Fault(
        "a refusal has a position among what is inlined",
        INFERENCE,
        "code, index = self.layout.splice.position(error.index)",
        "code, index = self.layout.splice.code, error.index",
    ),
    Fault(
        "a refusal beyond the end of a function has a position",
        INFERENCE,
        "index if inside else None) from None",
        "index) from None",
    ),
    Fault(
        "callers keep a refused function inlined",
        ENVIRONMENT,
        "pending.extend(self._callers.get(key, ()))\n            pending.extend(self.hosts.get(item, ()))",
        "pending.extend(self._callers.get(key, ()))",
    ),
    # Superinstructions
    Fault(
        "an error after a fused compare is its own",
        SUPERINSTRUCTIONS,
        "at_compare = index + 2",
        "at_compare = index + 1",
    ),
    Fault(
        "an error of a fused sum is the constant's",
        SUPERINSTRUCTIONS,
        "at_operation = index + 2",
        "at_operation = index + 1",
    ),
    Fault("any jump makes a condition", SUPERINSTRUCTIONS, "branch[1] != index + 4", "branch[1] == -1"),
    Fault("a condition ends anywhere", SUPERINSTRUCTIONS, "labels[jump.operands[0]] != index + 5", "False"),
    Fault("a condition in two registers", SUPERINSTRUCTIONS, "or first.operands[0] != second.operands[0]", ""),
    Fault(
        "a condition that is no Bool", SUPERINSTRUCTIONS, "any(type(value) is not bool for value in values)", "False"
    ),
    Fault("a register tested with itself", SUPERINSTRUCTIONS, "not bool or target == register", "not bool"),
    Fault("a constant added to itself", SUPERINSTRUCTIONS, " or source == target", ""),
    Fault("a fused sum wraps", SUPERINSTRUCTIONS, "I64_MIN <= result <= I64_MAX", "True"),
    Fault("a fused jump back does not poll", SUPERINSTRUCTIONS, "if target > index else None", ""),
)
