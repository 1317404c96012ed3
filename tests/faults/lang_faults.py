"""The faults that are planted in the compiler of StoffelLang: lexer, parser, checker, code, registers, modules."""

from __future__ import annotations

from tests.faults.faults import Fault

LEXER = "stoffel/lang/lexer.py"
TOKENS = "stoffel/lang/token_stream.py"
EXPRESSIONS = "stoffel/lang/expression_parser.py"
PARSER = "stoffel/lang/parser.py"
TYPES = "stoffel/lang/types.py"
ADAPTATION = "stoffel/lang/adaptation.py"
SCOPES = "stoffel/lang/scopes.py"
INFERENCE = "stoffel/lang/inference.py"
OPERATORS = "stoffel/lang/expression_checker.py"
CALLS = "stoffel/lang/call_checker.py"
CHECKER = "stoffel/lang/checker.py"
CODE = "stoffel/lang/codegen.py"
REGISTERS = "stoffel/lang/registers.py"
FUNCTIONS = "stoffel/lang/functions.py"
MODULES = "stoffel/lang/modules.py"
LAYOUT = "stoffel/lang/formatting.py"
DIAGNOSTICS = "stoffel/lang/diagnostics.py"

LANG_FAULTS: tuple[Fault, ...] = (
    Fault(
        "brackets do not join lines",
        LEXER,
        "                        depth += 1\n",
        "                        depth += 0\n",
    ),
    Fault("wide characters do not count", LEXER, "start -= len(word.encode()) - len(word)", "start -= 0"),
    Fault(
        "an operator swallows a sign", LEXER, 'elif mark[-1] == "-" and mark[:-1]', 'elif mark[-1] == "~" and mark[:-1]'
    ),
    Fault("a bad escape at the wrong place", LEXER, "column + escape.start(),", "column,"),
    Fault("tabs indent", LEXER, 'if following == "\\t":', 'if following == "\\v":'),
    Fault("no limit of nesting", TOKENS, "if self.depth > NESTING_LIMIT:", "if self.depth > 10**9:"),
    Fault("right-associative operators", EXPRESSIONS, "if level <= minimum:", "if level < minimum:"),
    Fault("shifts bind like sums", EXPRESSIONS, '"shl": 6,', '"shl": 5,'),
    Fault("a prefix takes a sum", EXPRESSIONS, "PREFIX_LEVEL: Final = 6", "PREFIX_LEVEL: Final = 4"),
    Fault(
        "an omitted step of two",
        EXPRESSIONS,
        "bounds.append(IntegerLiteral(where, 1, None))",
        "bounds.append(IntegerLiteral(where, 2, None))",
    ),
    Fault(
        "sums in loop headers",
        PARSER,
        "iterable = self.expression(RANGE_LEVEL + 1)",
        "iterable = self.expression(RANGE_LEVEL)",
    ),
    Fault(
        "two statements on a line",
        PARSER,
        'if token.kind in ("name", "keyword"):\n            self.end(what)',
        'if token.kind in ("name", "keyword"):\n            return',
    ),
    Fault("case _ anywhere", PARSER, "if default is not None:", "if default is True:"),
    Fault(
        "unsigned widens to signed of its width",
        TYPES,
        "inner.maximum <= outer.maximum",
        "inner.maximum <= 2 * outer.maximum + 1",
    ),
    Fault(
        "secrets become clear",
        TYPES,
        'if source.kind == "secret" and target.kind not in ("secret", "parameter"):',
        'if source.kind == "secret" and target.kind == "void":',
    ),
    Fault("one is no Bool", ADAPTATION, "if target == BOOL and value in (0, 1):", "if target == BOOL and value == 0:"),
    Fault(
        "constants are not fitted",
        ADAPTATION,
        "            if not fits(expression.value, wanted):",
        "            if False and not fits(expression.value, wanted):",
    ),
    Fault(
        "a sum keeps the type of its operands",
        ADAPTATION,
        "is_primitive(expression.type) and passes_context(operator, inner)",
        "False and passes_context(operator, inner)",
    ),
    Fault(
        "inner lists of reals keep integers",
        OPERATORS,
        'if wanted is not None and underlying(wanted).kind == "real" and is_adaptable',
        'if wanted is not None and underlying(wanted).kind == "void" and is_adaptable',
    ),
    Fault(
        "the first element decides",
        OPERATORS,
        "next((one for one in known if not is_untyped(one)), known[0] if known else None)",
        "known[0] if known else None",
    ),
    Fault(
        "a comparison is told at its left side",
        OPERATORS,
        "right.position if is_numeric(a) else left.position",
        "left.position",
    ),
    Fault(
        "keys of dictionaries stay int64",
        OPERATORS,
        "if is_untyped(index) and is_adaptable(index, key):",
        "if False and is_adaptable(index, key):",
    ),
    Fault("the last constraint counts", INFERENCE, "first = constraints[0]", "first = constraints[-1]"),
    Fault("one round of inference", INFERENCE, "_MOST_ROUNDS: Final = 100", "_MOST_ROUNDS: Final = 1"),
    Fault(
        "loop variables stay unknown",
        INFERENCE,
        'self.loops[statement.names[0]] = STRING if of.kind == "string" else element',
        "self.loops[statement.names[0]] = UNKNOWN",
    ),
    Fault(
        "arguments in written order",
        CALLS,
        "arranged.append(placed[name])",
        "arranged.append(list(placed.values())[len(arranged)])",
    ),
    Fault(
        "one variadic argument is lost",
        CALLS,
        "for argument in written[fixed:]]",
        "for argument in written[fixed + 1 :]]",
    ),
    Fault(
        "results bind nothing", CALLS, 'if wanted.kind not in ("unknown", "parameter"):', 'if wanted.kind == "void":'
    ),
    Fault(
        "list elements of arguments unchecked",
        CALLS,
        'elif declared.kind in ("list", "dict") and source.kind == declared.kind:',
        'elif declared.kind == "dict" and source.kind == declared.kind:',
    ),
    Fault(
        "loops leave no scope",
        CHECKER,
        "        self.scopes.append({})\n        local = self.new_local(statement.names[0]",
        "        self.scopes.append(self.scopes[-1])\n        local = self.new_local(statement.names[0]",
    ),
    Fault(
        "a while loop always returns",
        CHECKER,
        "return is_endless and not has_break(statement.body)",
        "return is_endless",
    ),
    Fault("enum members count from one", CHECKER, "        following = 0\n", "        following = 1\n"),
    Fault("a second try is never made", CHECKER, "if not self.is_second_try:", "if self.is_second_try:"),
    Fault(
        "base fields last",
        CHECKER,
        "ObjectDefinition({**fields, **own}, frozenset(own))",
        "ObjectDefinition({**own}, frozenset(own))",
    ),
    Fault("a range includes its end", CODE, 'self.jump_when(">=", end)', 'self.jump_when(">", end)'),
    Fault(
        "continue skips the increment", CODE, "self.loops.append((following, end))", "self.loops.append((again, end))"
    ),
    Fault("less or equal is less", CODE, '"<=": ("JMPLT", "JMPEQ"),', '"<=": ("JMPLT",),'),
    Fault("the opposite of greater is less", CODE, '">": "<="', '">": "<"'),
    Fault(
        "mod keeps the sign of the dividend",
        CODE,
        'self.emit("MOD", found, sum_, right)',
        'self.emit("MOD", found, rest, right)',
    ),
    Fault(
        "inner lists are not made",
        CODE,
        'if isinstance(base, typed.Element) and base.type.kind == "list":',
        "if False:",
    ),
    Fault("zero of another width", CODE, "CLASS_OF.get(of.name, int)(0)", "0"),
    Fault(
        "a known flag from another branch",
        CODE,
        "self.loaded_constant(max(inside, self.latest_label))",
        "self.loaded_constant(inside)",
    ),
    Fault(
        "repetition with sides changed",
        CODE,
        "first, second = (right, left) if operation.left.type.kind",
        "first, second = (left, right) if operation.left.type.kind",
    ),
    Fault(
        "a call spares register 0",
        REGISTERS,
        "if at < len(calls) and calls[at] < end:",
        "if at < len(calls) and calls[at] < end - 99:",
    ),
    Fault(
        "what a loop brings back is forgotten",
        REGISTERS,
        "            out |= live_in[following]\n",
        "            out |= live_in[following] if following > at else set()\n",
    ),
    Fault(
        "registers overlap by one", REGISTERS, "if at and ends[at - 1] > start:", "if at and ends[at - 1] > start + 2:"
    ),
    Fault(
        "a circle of parameters loses a value",
        REGISTERS,
        "moves = {to: aside if from_ == target else from_ for to, from_ in moves.items()}",
        "moves = {to: from_ for to, from_ in moves.items() if from_ != target}",
    ),
    Fault("unassigned variables keep what was there", REGISTERS, "        if unwritten:\n", "        if False:\n"),
    Fault("a constant of two values", REGISTERS, "written[step.target] == 1", "written[step.target] >= 1"),
    Fault(
        "jumps past the end of a chain", FUNCTIONS, "at = labels[steps[at].value]", "at = labels[steps[at].value] + 1"
    ),
    Fault("code behind a return", FUNCTIONS, 'if step.name in ("JMP", "RET"):', 'if step.name == "JMP":'),
    Fault("modules are compiled for each import", MODULES, "if identity in self.modules:", "if key in self.modules:"),
    Fault("imports from the working directory", MODULES, "directory = os.path.dirname(source.path)", 'directory = ""'),
    Fault(
        "functions of modules clash",
        MODULES,
        'checked = self.load(inner, f"{self.prefix(key)}.")',
        'checked = self.load(inner, "")',
    ),
    Fault("the caret one column off", DIAGNOSTICS, "' ' * (one.column - 1)", "' ' * one.column"),
    Fault(
        "a comment joins the code",
        LAYOUT,
        '            if kind == "comment":\n                gap = 2',
        '            if kind == "comment":\n                gap = 0',
    ),
    Fault("slices with spaces", LAYOUT, "gap = 0 if in_index or kind", "gap = 0 if kind"),
    Fault("blank lines stay", LAYOUT, "        blank = False\n        if not", "        if not"),
)
