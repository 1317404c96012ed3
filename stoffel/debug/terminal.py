"""The debugger in a terminal or by a script: commands with pdb's names."""

from __future__ import annotations

import cmd
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from stoffel.debug import replay as back
from stoffel.debug import views
from stoffel.debug.breakpoints import Watch
from stoffel.debug.expressions import DebugError, evaluate, parsed
from stoffel.debug.places import places_of
from stoffel.debug.session import Quit, Session, Stop
from stoffel.errors import escaped, frame_lines, nearest

if TYPE_CHECKING:
    from stoffel.runtime.frames import ActivationRecord

PROMPT: Final = "(stoffel) "
ALIASES: Final = {
    "b": "break",
    "tb": "tbreak",
    "cl": "clear",
    "delete": "clear",
    "c": "continue",
    "cont": "continue",
    "s": "step",
    "si": "stepi",
    "n": "next",
    "ni": "nexti",
    "r": "finish",
    "return": "finish",
    "w": "where",
    "bt": "where",
    "u": "up",
    "d": "down",
    "l": "list",
    "p": "print",
    "regs": "registers",
    "a": "args",
    "restart": "run",
    "rc": "reverse-continue",
    "rs": "reverse-step",
    "rn": "reverse-next",
    "q": "quit",
    "exit": "quit",
    "h": "help",
    "EOF": "quit",
}
"""Short and other names of commands."""


class Terminal(cmd.Cmd):
    """Reads commands: from *lines* until they end, then from the terminal if *interactive*; the end of both quits.

    *write* shows text, *sources* are the lines of source files by name. Commands of a script are shown with it.
    """

    prompt = PROMPT

    def __init__(
        self,
        lines: Iterator[str],
        write: Callable[[str], object],
        sources: Mapping[str, list[str]],
        convert: Callable[[list[str]], list[Any]],
        *,
        interactive: bool,
    ) -> None:
        super().__init__()
        self._lines = lines
        self._write = write
        self._sources = sources
        self._convert = convert
        self._interactive = interactive
        self._last = ""
        self._current = 0
        self._stop = Stop("entry")
        self._goes_on = False
        self.session: Session

    # What the session calls

    def printed(self, line: str) -> None:
        """Show a line of the program."""
        self._write(line + "\n")

    def stopped(self, stop: Stop) -> None:
        """Show where the run has stopped, and carry out commands until it is to go on."""
        self._stop, self._current, self._goes_on = stop, 0, False
        records = self.session.records()
        if stop.reason == "end":
            if stop.error is None:
                self._say(
                    f"* the program has ended: {views.shown(stop.result)}" + (f" ({stop.text})" if stop.text else "")
                )
            elif not self.session.stops_on_error or not stop.error.stack:
                self._say(f"* the program has failed: {escaped(str(stop.error))}")
            else:
                self._say("* the program has ended by this error")
        else:
            if stop.reason == "error":
                self._say(
                    f"* error: {escaped(stop.text)}",
                    *[f"    {n} = {v}" for n, v in (stop.error.operands if stop.error else ())],
                )
            elif stop.text:
                self._say(f"* {escaped(stop.text)}")
            if stop.error is not None and stop.error.stack and len(stop.error.stack) > len(records):
                self._say(*frame_lines(stop.error.backtrace))
            elif records:
                self._say(f"> {views.where(records[0])}")
        while not self._goes_on:
            self._command(self._read())

    def _read(self) -> str:
        line = next(self._lines, None)
        if line is not None:
            self._say(f"{PROMPT}{line.rstrip()}")
            return line
        if not self._interactive:
            return "quit"
        try:
            return input(PROMPT)
        except EOFError:
            self._say("")
            return "quit"
        except KeyboardInterrupt:
            self._say("", "quit ends the debugger")
            return "#"

    def _command(self, line: str) -> None:
        line = line.strip()
        if line.startswith("#"):
            return
        if not line:
            line = self._last if self._interactive else ""
        if not line:
            return
        self._last = line
        word, _, rest = line.partition(" ")
        name = ALIASES.get(word, word)
        action = getattr(self, "do_" + name.replace("-", "_"), None)
        try:
            if action is None:
                close = nearest(name, [*self._names(), *ALIASES])
                raise DebugError(f"there is no command {word}{f'; did you mean {close}?' if close else ''} (see help)")
            action(rest.strip())
        except DebugError as error:
            self._say(f"*** {escaped(str(error))}")

    def _names(self) -> list[str]:
        return sorted(name[3:].replace("_", "-") for name in dir(type(self)) if name.startswith("do_"))

    def completenames(self, text: str, *_: Any) -> list[str]:
        """Return the commands that begin with *text*."""
        return [name for name in self._names() if name.startswith(text)]

    def _say(self, *lines: str) -> None:
        for line in lines:
            self._write(line + "\n")

    def _record(self) -> ActivationRecord:
        records = self.session.records()
        if not records and self._stop.reason == "error":
            raise DebugError("what failed ran in compiled code, which has no registers to show; back goes back into it")
        if not records:
            raise DebugError("the program is not running; run starts it again, back goes back into it")
        return records[min(self._current, len(records) - 1)]

    def _resume(self, how: str) -> None:
        if self._stop.reason == "end" and how != "continue":
            raise DebugError("the program has ended; run starts it again, back goes back into it")
        self.session.how = how
        self._goes_on = True

    # Going on

    def do_continue(self, _: str) -> None:
        """Continue: go on until a breakpoint, an error or the end."""
        self._resume("continue")

    def do_step(self, _: str) -> None:
        """Step: go on to another line, into calls."""
        self._resume("step")

    def do_stepi(self, _: str) -> None:
        """Stepi: go on by one instruction, into calls."""
        self._resume("stepi")

    def do_next(self, _: str) -> None:
        """Next: go on to another line, over calls."""
        self._resume("next")

    def do_nexti(self, _: str) -> None:
        """Nexti: go on by one instruction, over calls."""
        self._resume("nexti")

    def do_finish(self, _: str) -> None:
        """Finish: go on until this function has returned."""
        self._resume("finish")

    def do_run(self, text: str) -> None:
        """Run [ARG...]: run the program from its start, with other arguments if there are some."""
        self.session.restart(self._convert(text.split()) if text else None)

    def do_quit(self, _: str) -> None:
        """Quit: end the debugger, and the program."""
        raise Quit

    def do_back(self, text: str) -> None:
        """Back [COUNT]: go back by one instruction, or by COUNT."""
        if text and (re.fullmatch("[0-9]{1,12}", text) is None or int(text) == 0):
            raise DebugError(f"back takes a number of instructions, not {text}")
        self.session.rewind(back.INSTRUCTION, int(text or 1))

    def do_reverse_continue(self, _: str) -> None:
        """Reverse-continue: go back to the last breakpoint, or to the first instruction."""
        self.session.rewind(back.BREAKPOINT)

    def do_reverse_step(self, _: str) -> None:
        """Reverse-step: go back to where a line began, into calls."""
        self.session.rewind(back.LINE)

    def do_reverse_next(self, _: str) -> None:
        """Reverse-next: go back to where a line began, over calls."""
        self.session.rewind(back.LINE_OF_CALLER)

    # Breakpoints

    def do_break(self, text: str) -> None:
        """Break [PLACE [if CONDITION]]: stop at FUNCTION, FUNCTION:INSTRUCTION, FILE:LINE or LINE; alone: list them."""
        if text:
            self._set(text, once=False)
            return
        for item in self.session.breakpoints:
            more = f" if {item.condition}" if item.condition else ""
            self._say(f"{item.number} {item.text}{more}  {'' if item.enabled else 'disabled, '}hit {item.hits} times")

    def do_tbreak(self, text: str) -> None:
        """Tbreak PLACE [if CONDITION]: stop there once."""
        self._set(text, once=True)

    def _set(self, text: str, *, once: bool) -> None:
        place, found, condition = text.partition(" if ")
        if found:
            parsed(condition)
        records = self.session.records()
        tables = [record.code.function.line_table for record in records[self._current :]]
        tables += [code.function.line_table for code in self.session.codes.values()]
        file = next((table.file for table in tables if table is not None), None)
        places = places_of(place, self.session.codes, file)
        made = self.session.breakpoints.add(place.strip(), places, condition.strip(), once=once)
        self._say(f"breakpoint {made.number} at {', '.join(f'{name}:{index}' for name, index in places)}")

    def do_condition(self, text: str) -> None:
        """Condition NUMBER [CONDITION]: have a breakpoint stop on a condition, or always."""
        number, _, condition = text.partition(" ")
        if condition:
            parsed(condition)
        self._breakpoint(number).condition = condition.strip()

    def do_clear(self, text: str) -> None:
        """Clear [NUMBER]: remove a breakpoint, or all of them and all watches."""
        if text:
            self.session.breakpoints.remove(self._breakpoint(text).number)
            return
        for item in self.session.breakpoints:
            self.session.breakpoints.remove(item.number)
        self.session.watches.clear()

    def do_disable(self, text: str) -> None:
        """Disable NUMBER: pass a breakpoint."""
        self._breakpoint(text).enabled = False

    def do_enable(self, text: str) -> None:
        """Enable NUMBER: stop at it again."""
        self._breakpoint(text).enabled = True

    def _breakpoint(self, text: str) -> Any:
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise DebugError(f"the number of a breakpoint is wanted, not '{text}'")
        return self.session.breakpoints[int(text)]

    def do_watch(self, text: str) -> None:
        """Watch EXPRESSION: stop when a register, a field or an element has changed: watch r2, watch r1.name."""
        self.session.watches.append(Watch(text, self._record()))

    def do_watch_print(self, text: str) -> None:
        """Watch-print [TEXT]: stop at printed lines, or at those that contain TEXT; watch-print off ends that."""
        self.session.stops_on_print = None if text == "off" else text

    def do_on_error(self, text: str) -> None:
        """On-error stop|go: whether an error stops the program where it happens."""
        if text not in ("stop", "go"):
            raise DebugError(f"on-error takes stop or go, not '{text}'")
        self.session.stops_on_error = text == "stop"

    # Looking

    def do_where(self, _: str) -> None:
        """Where: show the calls, the innermost last."""
        self._record()
        self._say(*views.calls(self.session.records(), self._current))

    def do_up(self, _: str) -> None:
        """Up: look at the caller."""
        self._move(1, "this is the oldest call")

    def do_down(self, _: str) -> None:
        """Down: look at what was called."""
        self._move(-1, "this is the newest call")

    def _move(self, by: int, refusal: str) -> None:
        self._record()
        if not 0 <= self._current + by < len(self.session.records()):
            raise DebugError(refusal)
        self._current += by
        self._say(f"> {views.where(self._record())}")

    def do_list(self, _: str) -> None:
        """List: show the source, or the instructions, around this place."""
        self._say(*views.listing(self._record(), self._sources, self.session.breakpoints.traps()))

    def do_print(self, text: str) -> None:
        """Print EXPRESSION: show the value of r0, a parameter, a variable, x.field, x[1], a + b, a < b and c == 1."""
        if not text:
            raise DebugError("print takes an expression: print r0")
        self._say(*views.printed(evaluate(text, self._record())))

    def do_registers(self, _: str) -> None:
        """Registers: show all registers."""
        self._say(*views.registers(self._record()))

    def do_args(self, _: str) -> None:
        """Args: show the arguments as they were passed."""
        self._say(*(f"{name} = {views.shown(value)}" for name, value in self._record().locals.items()))

    def do_upvalues(self, _: str) -> None:
        """Upvalues: show what the function has captured."""
        self._say(*(f"{name} = {views.shown(value)}" for name, value in self._record().upvalues))

    def do_set(self, text: str) -> None:
        """Set REGISTER = EXPRESSION: change a register, called by number, parameter or variable."""
        name, equals, value = text.partition("=")
        record = self._record()
        name = name.strip()
        numbers = {known: number for number, known in views.register_names(record).items()}
        if re.fullmatch(r"r[0-9]{1,9}", name) and name not in numbers:
            numbers[name] = int(name[1:])
        if not equals or name not in numbers:
            close = nearest(name, [*numbers, *(f"r{number}" for number in range(len(record.registers)))])
            raise DebugError(f"set takes REGISTER = EXPRESSION{f'; did you mean {close}?' if equals and close else ''}")
        self._say(f"{name} = {views.shown(self.session.set_register(record, numbers[name], value))}")

    def do_help(self, text: str) -> None:
        """Help [COMMAND]: show the commands, or what one does."""
        names = [ALIASES.get(text, text)] if text else self._names()
        if text and names[0] not in self._names():
            raise DebugError(f"there is no command {text}")
        texts = [str(getattr(self, "do_" + name.replace("-", "_")).__doc__) for name in names]
        self._say(*(text[0].lower() + text[1:] for text in texts))
