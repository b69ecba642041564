"""Read a pickle as data: a machine for its few harmless instructions, which can run no code.

A name in a pickle is never imported. It is looked up in a table of stand-ins and refused if it is
not there, so the worst that a file can do is to be refused. ``pickletools`` of the standard library
knows the instructions and reads no more bytes than there are.
"""

from __future__ import annotations

import codecs
import pickletools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from muybridge.errors import CheckpointError

MOST_INSTRUCTIONS = 1_000_000  # a model of 400 tensors takes some 10,000, its optimiser's as many

LITERALS = {
    "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE",
    "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
    "BYTEARRAY8",
    "INT", "LONG", "FLOAT", "STRING", "UNICODE",  # as text, before protocol 2
}  # fmt: skip
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
EMPTY: dict[str, Callable[[], Any]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_SET": list}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
IDLE = {"PROTO", "FRAME"}
INSTRUCTIONS = {known.code.encode("latin1"): known for known in pickletools.opcodes}
QUOTES = (b"'", b'"')
ANY = ".*"  # after a package in a table of names: whatever stands in it


@dataclass(frozen=True)
class Name:
    """Stand for a class or function that a pickle names; ``make`` is what takes its place."""

    text: str
    make: Callable[..., Any]


class Record:
    """Be a stand-in that takes the state that a pickle gives it."""

    def build(self, state: Any) -> None:
        """Take the state."""
        raise NotImplementedError


Names = Mapping[str, Callable[..., Any]]


def rebuilt(kind: Any, parent: Any, state: Any) -> Record:
    """Stand for copy_reg's _reconstructor, with which protocols 0 and 1 make an object."""
    if not isinstance(kind, Name) or state is not None:
        raise ValueError("what is made anew is no object")
    return made(kind)


def made(name: Name) -> Record:
    """Make an object that a name stands for: only of what takes its state next."""
    record = name.make()
    if not isinstance(record, Record):
        raise ValueError(f"a {name.text} is made as no file does")
    return record


def load(stream: Any, names: Names, outside: Callable[[Any], Any] | None = None) -> Any:
    """Read one pickle from a stream; CheckpointError if it asks for a name that ``names`` lacks.

    A row ``package.*`` takes the names in that package that have no row, and is told them first.
    ``outside`` makes something of a reference to what stands outside the pickle.
    """
    machine = _Machine(names, outside)
    try:
        for count, (instruction, argument) in enumerate(_instructions(stream)):
            if count > MOST_INSTRUCTIONS:
                raise CheckpointError(
                    f"the pickle has more than {MOST_INSTRUCTIONS:,} instructions"
                )
            machine.step(instruction, argument)
        return machine.stack.pop()
    except (ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
        raise CheckpointError(
            f"the pickle is broken or cut off ({error}); fetch the file again"
        ) from error


@dataclass
class _Machine:
    names: Names
    outside: Callable[[Any], Any] | None
    stack: list[Any] = field(default_factory=list)
    below: list[list[Any]] = field(default_factory=list)  # what lies under each mark
    memo: dict[int, Any] = field(default_factory=dict)

    def step(self, name: str, argument: Any) -> None:
        if name in LITERALS:
            self.stack.append(argument)
        elif name in CONSTANTS:
            self.stack.append(CONSTANTS[name])
        elif name in EMPTY:
            self.stack.append(EMPTY[name]())
        elif name in TUPLES:
            self.stack[-TUPLES[name] :] = [tuple(self.stack[-TUPLES[name] :])]
        elif name not in IDLE:
            STEPS.get(name, _refused(name))(self, argument)

    def remember(self, place: int | None) -> None:
        self.memo[len(self.memo) if place is None else place] = self.stack[-1]

    def recall(self, place: int) -> None:
        self.stack.append(self.memo[place])

    def mark(self, _: None) -> None:
        self.below.append(self.stack)
        self.stack = []

    def marked(self) -> list[Any]:
        """Take what lies above the last mark."""
        above, self.stack = self.stack, self.below.pop()
        return above

    def pack(self, _: None) -> None:
        items = self.marked()
        self.stack.append(tuple(items))

    def table(self, _: None) -> None:
        items = self.marked()
        self.stack.append({})
        self._set(items)

    def row(self, _: None) -> None:
        items = self.marked()
        self.stack.append(items)

    def append(self, _: None) -> None:
        item = self.stack.pop()
        self._list().append(item)

    def appends(self, _: None) -> None:
        items = self.marked()
        self._list().extend(items)

    def put(self, _: None) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set([key, value])

    def puts(self, _: None) -> None:
        self._set(self.marked())

    def drop(self, _: None) -> None:
        self.stack.pop()

    def named(self, text: str) -> None:
        self._name(text.replace(" ", ".", 1))

    def named_on_stack(self, _: None) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self._name(f"{module}.{name}")

    def reduce(self, _: None) -> None:
        arguments, name = self.stack.pop(), self.stack.pop()
        if not isinstance(name, Name) or not isinstance(arguments, tuple):
            raise ValueError("what is called is no function")
        self.stack.append(name.make(*arguments))

    def new(self, _: None) -> None:
        """Make an object without its class being called."""
        arguments, name = self.stack.pop(), self.stack.pop()
        if not isinstance(name, Name) or arguments != ():
            raise ValueError("what is made is no object")
        self.stack.append(made(name))

    def build(self, _: None) -> None:
        """Give an object its state; what a plain dict carries besides its items is dropped."""
        state = self.stack.pop()
        if isinstance(self.stack[-1], Record):
            self.stack[-1].build(state)
        elif not isinstance(self.stack[-1], dict):
            raise ValueError("what gets a state is no object")

    def refer(self, _: None) -> None:
        if self.outside is None:
            raise ValueError("it refers to what stands outside it")
        self.stack.append(self.outside(self.stack.pop()))

    def stop(self, _: None) -> None:
        if self.below or len(self.stack) != 1:
            raise ValueError("it ends in the middle")

    def _name(self, text: str) -> None:
        package = text.partition(".")[0] + ANY
        if text in self.names:
            self.stack.append(Name(text, self.names[text]))
        elif package in self.names:
            self.stack.append(Name(text, partial(self.names[package], text)))
        else:
            raise refused(text)

    def _list(self) -> list[Any]:
        if type(self.stack[-1]) is not list:
            raise ValueError("what is appended to is no list")
        return self.stack[-1]

    def _set(self, items: list[Any]) -> None:
        target = self.stack[-1]
        keys, values = items[::2], items[1::2]
        if type(target) is not dict or not all(type(key) in (str, int) for key in keys):
            raise ValueError("its keys are not words")
        target.update(zip(keys, values, strict=True))


def refused(text: str) -> CheckpointError:
    """Say that a pickle asks for a name that is not given to it."""
    return CheckpointError(
        f"refused: it asks for {text}, which no model needs; nothing was run. Use the official file"
    )


def _instructions(stream: Any) -> Iterator[tuple[str, Any]]:
    """Split a stream into instructions and their arguments, up to the end of the pickle."""
    while code := stream.read(1):
        known = INSTRUCTIONS.get(code)
        if known is None:
            raise ValueError(f"no instruction starts with {code!r}")
        if known.name == "STRING":
            yield known.name, _quoted(stream.readline())
        else:
            yield known.name, known.arg.reader(stream) if known.arg else None
        if known.name == "STOP":
            return
    raise ValueError("it has no end")


def _quoted(line: bytes) -> str:
    """Read bytes as Python 2 wrote them in text: in quotes, each that is no letter as an escape."""
    text = line.rstrip(b"\n")
    if len(text) < 2 or text[:1] not in QUOTES or text[:1] != text[-1:]:
        raise ValueError("a string has no quotes")
    return codecs.escape_decode(text[1:-1])[0].decode("latin1")


def _refused(name: str) -> Callable[[_Machine, Any], None]:
    def step(machine: _Machine, argument: Any) -> None:
        raise CheckpointError(f"refused: the pickle's instruction {name} is in no model's file")

    return step


STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "PUT": _Machine.remember,
    "BINPUT": _Machine.remember,
    "LONG_BINPUT": _Machine.remember,
    "MEMOIZE": _Machine.remember,
    "GET": _Machine.recall,
    "BINGET": _Machine.recall,
    "LONG_BINGET": _Machine.recall,
    "MARK": _Machine.mark,
    "TUPLE": _Machine.pack,
    "DICT": _Machine.table,
    "LIST": _Machine.row,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "ADDITEMS": _Machine.appends,
    "SETITEM": _Machine.put,
    "SETITEMS": _Machine.puts,
    "POP": _Machine.drop,
    "GLOBAL": _Machine.named,
    "STACK_GLOBAL": _Machine.named_on_stack,
    "REDUCE": _Machine.reduce,
    "NEWOBJ": _Machine.new,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.refer,
    "STOP": _Machine.stop,
}
