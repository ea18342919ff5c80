"""Command lines in Torch's style: `-name value` options, arguments, a help text, and a log of what is printed."""

from __future__ import annotations

import builtins
import difflib
import math
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NoReturn

from .dtypes import lua_type, tostring
from .registry import register
from .tables import Table, pairs

DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(inf(inity)?|nan)", re.ASCII | re.IGNORECASE)
HEXADECIMAL = re.compile(r"[+-]?0x([\da-f]+\.?[\da-f]*|\.[\da-f]+)(p[+-]?\d+)?", re.ASCII | re.IGNORECASE)
HELP = ("-help", "-h", "--help")


def tonumber(text: Any) -> int | float | None:
    """The number that Lua's `tonumber` reads in `text`, None where it reads none. Whole numbers come as int.

    >>> tonumber("1e-3"), tonumber("0x10"), tonumber("5.0"), tonumber("5 apples")
    (0.001, 16, 5, None)
    """
    if lua_type(text) == "number":
        return text
    digits = text.strip(" \t\n\v\f\r") if isinstance(text, str) else ""
    if DECIMAL.fullmatch(digits):
        value = float(digits)
    elif HEXADECIMAL.fullmatch(digits):
        value = _from_hexadecimal(digits)
    else:
        return None
    return int(value) if abs(value) <= 2**53 and value.is_integer() else value


def _from_hexadecimal(digits: str) -> float:
    try:
        return float.fromhex(digits)
    except OverflowError:
        return -math.inf if digits.startswith("-") else math.inf


def strip(key: str) -> str:
    """The name of an option or argument: its key without the leading dashes."""
    return key.lstrip("-")


@register("torch.CmdLine")
class CmdLine:
    """Reads a program's command line, writes its help text, names and logs its runs.

    `argseparator` and `keyseparator` are what `string` puts between options and between a name and its value.

    >>> cmd = CmdLine()
    >>> cmd.argument("-model", "checkpoint")
    >>> cmd.option("-seed", 123, "random number generator's seed")
    >>> cmd.option("-verbose", False, "tell more")
    >>> opt = cmd.parse(["-seed", "5", "cv/lm.t7", "--verbose"])
    >>> opt.model, opt.seed, opt.verbose
    ('cv/lm.t7', 5, True)
    >>> cmd.help()
    Usage: [options] <model>
      <model>  checkpoint
      -seed    random number generator's seed [123]
      -verbose tell more [false]
    """

    def __init__(self, argseparator: str | None = None, keyseparator: str | None = None):
        self.argseparator = "," if argseparator is None else argseparator
        self.keyseparator = "=" if keyseparator is None else keyseparator
        self.options: dict[str, Table] = {}
        self.arguments: list[Table] = []
        self.helplines: list[Table | str] = []
        self.dateformat: str | None = None
        self.silentio = False

    # --- declaring

    def argument(self, key: str, help: str | None = None, _type_: str | None = None) -> None:
        """Declares an argument, known by its place; `_type_` "number" has it read as a number."""
        argument = Table(key=key, help=help, type=_type_)
        self.arguments.append(argument)
        self.helplines.append(argument)

    def option(self, key: str, default: Any, help: str | None = None, _type_: str | None = None) -> None:
        """Declares the option `key`, with its dash; the type of its default is the type that it accepts.

        Raises ValueError without a default, and when `_type_` is another type than the default's.
        """
        kind = lua_type(default)
        if default is None:
            raise ValueError(f"torch7.CmdLine: option {key} has no default value")
        if _type_ not in (None, kind):
            raise ValueError(f"torch7.CmdLine: option {key} has a {kind} as default, expected a {_type_}")
        option = Table(key=key, default=default, help=help, type=kind)
        self.options[key] = option
        self.helplines.append(option)

    def text(self, txt: str | None = None) -> None:
        """Adds a line to the help text, an empty one by default."""
        if not isinstance(txt, (str, type(None))):
            raise TypeError(f"torch7.CmdLine.text: expected a string, got a {lua_type(txt)}")
        self.helplines.append(txt or "")

    # --- reading

    def default(self) -> Table:
        """The values of the options when none is given."""
        return Table({strip(key): option.default for key, option in self.options.items()})

    def parse(self, arg: Sequence[Any] | None = None) -> Table:
        """The values of options and arguments by name, from the program's command line or the list `arg`.

        `-name value`, `--name value`, `-name=value` and `--name=value` mean the same. A boolean option takes no value
        and turns its default over. `-h`, `-help` and `--help` write the help text and exit with status 0; a mistake
        writes one line on stderr and exits with status 2.
        """
        if isinstance(arg, str):
            raise TypeError("torch7.CmdLine.parse: expected a list of words, got a string")
        words = list(sys.argv[1:] if arg is None else arg)
        params, given = self.default(), 0
        while words:
            word = words.pop(0)
            if word in HELP:
                self.help(sys.argv)
                raise SystemExit(0)
            option, value = self._find(word)
            if option is not None:
                params[strip(option.key)] = self._read_option(option, value, words)
            else:
                self._read_argument(params, word, given)
                given += 1
        if given < len(self.arguments):
            self.error(f"missing argument <{strip(self.arguments[given].key)}>")
        return params

    def _find(self, word: Any) -> tuple[Table | None, str | None]:
        """The option that a word names, and the value after its equals sign."""
        if word in self.options:
            return self.options[word], None
        if not isinstance(word, str) or not word.startswith("-"):
            return None, None
        names = {strip(key): option for key, option in self.options.items()}
        key, equals, value = word.partition("=")
        return names.get(strip(key)), (value if equals else None)

    def _read_option(self, option: Table, value: Any, words: list[Any]) -> Any:
        if option.type == "boolean":
            if value is not None:
                self.error(f"option {option.key} takes no value, got {value}")
            return not option.default
        if option.type not in ("string", "number"):
            self.error(f"option {option.key} is a {option.type} and cannot be set from the command line")
        if value is None and not words:
            self.error(f"missing value for option {option.key} (a {option.type})")
        value = words.pop(0) if value is None else value
        return self._number(f"option {option.key}", value) if option.type == "number" else value

    def _read_argument(self, params: Table, word: Any, given: int) -> None:
        if isinstance(word, str) and re.match(r"-+[^\W\d]", word):
            self._unknown(word.partition("=")[0])
        if given == len(self.arguments):
            self.error(f"unexpected argument {word}")
        argument = self.arguments[given]
        name = strip(argument.key)
        # Torch refuses every word of a command line as a number argument, for being a string; here it is read.
        value = self._number(f"argument <{name}>", word) if argument.type == "number" else word
        if argument.type is not None and lua_type(value) != argument.type:
            self.error(f"argument <{name}> should be a {argument.type}, got {word}")
        params[name] = value

    def _number(self, what: str, word: Any) -> int | float:
        value = tonumber(word)
        return self.error(f"{what} should be a number, got {word}") if value is None else value

    def _unknown(self, key: str) -> NoReturn:
        if strip(key) in (strip(argument.key) for argument in self.arguments):
            self.error(f"unknown option {key}, give the argument <{strip(key)}> without a name before it")
        names = {strip(known): known for known in self.options}
        close = difflib.get_close_matches(strip(key), names, n=1)
        self.error(f"unknown option {key}" + "".join(f", did you mean {names[name]}?" for name in close))

    def error(self, msg: str) -> NoReturn:
        """Ends the program with status 2 and the line `program: msg` on stderr."""
        program = os.path.basename(sys.argv[0]) if sys.argv else ""
        sys.stderr.write(f"{program}: {msg} (-help lists the options)\n")
        raise SystemExit(2)

    # --- writing

    def help(self, arg: Sequence[str] | None = None) -> None:
        """Writes the help text; the first word of `arg`, a list like sys.argv, is the program's name in it."""
        program = f"{arg[0]} " if arg and arg[0] else ""
        usage = "".join(f" <{strip(argument.key)}>" for argument in self.arguments)
        width = max((len(_label(line)) for line in self.helplines if isinstance(line, Table)), default=0)
        lines = [line if isinstance(line, str) else _help_line(line, width) for line in self.helplines]
        sys.stdout.write("\n".join([f"Usage: {program}[options]{usage}", *lines, ""]))

    def string(self, prefix: str | None, params: Mapping[str, Any], ignore: Mapping[str, Any] | None = None) -> str:
        """A name for a run: `prefix`, the arguments, and in alphabetical order the options not at their default.

        `ignore` maps names to True (left out) or False (put in, default or not). Like Torch's, it prints what it
        leaves out or puts in, and ends in a separator when there are arguments but no options.

        >>> cmd = CmdLine()
        >>> cmd.option("-seed", 123)
        >>> cmd.string("run", {"seed": 5})
        seed	5	123
        'run,seed=5'
        """
        arguments: dict[int, str] = {}
        options = []
        places = {strip(argument.key): i for i, argument in enumerate(self.arguments)}
        for name, value in pairs(params):
            option = self.options.get(f"-{tostring(name)}")
            asked = (ignore or {}).get(name)
            if value is None:
                continue
            if asked:
                print(f"-- ignore option {tostring(name)}")
            elif option is not None:
                if asked is not None or _differ(value, option.default):
                    options.append(self._pair(name, value))
                    print(name, _brief(value), tostring(option.default), sep="\t")
            elif name in places:
                arguments[places[name]] = self._pair(name, value)
            else:
                print(f"WARNING: unknown option/argument: {tostring(name)} IGNORING for DIRECTORY NAME")
        text = self.argseparator.join(sorted(options))
        if arguments:
            text = self.argseparator.join([*(arguments[i] for i in sorted(arguments)), text])
        return self.argseparator.join([prefix or "", text]) if text else prefix or ""

    def _pair(self, name: Any, value: Any) -> str:
        if lua_type(value) not in ("string", "number", "boolean"):
            raise TypeError(f"torch7.CmdLine.string: the value of {name} is a {lua_type(value)}, which has no text")
        return f"{tostring(name)}{self.keyseparator}{_brief(value)}"

    # --- logging

    def silent(self) -> None:
        """Has `print` write to the log alone."""
        self.silentio = True

    def addTime(self, name: str | None = None, format: str = "%Y-%m-%d %H:%M:%S") -> None:
        """Begins each line of the log with the date, and with `[name]: ` when there is a name."""
        if not isinstance(format, str):
            raise TypeError(f"torch7.CmdLine.addTime: expected a string as format, got a {lua_type(format)}")
        self.dateformat = format + ("" if name is None else f"[{name}]: ".replace("%", "%%"))

    def log(self, file: str | os.PathLike[str] | IO[str], params: Mapping[str, Any] | None = None) -> PrintLog:
        """Has `print` write to `file` as well, from now on and everywhere in the program, and prints `params`.

        Covered is what goes through the built-in function `print` to the standard output: not sys.stdout.write, not
        `print(..., file=...)` with another file, not what other programs write. A second log takes the first one's
        place. `file` is a name, whose file is written anew, or an open text file. Closing the result, or leaving a
        `with` block on it, gives `print` back.
        """
        log = PrintLog(self, file)
        print(f"[program started on {time.strftime('%c')}]")
        print("[command line arguments]")
        for name, value in pairs(params or {}):
            print(tostring(name), tostring(value), sep="\t")
        print("[----------------------]")
        return log


def _label(line: Table) -> str:
    return line.key if line.default is not None else f"<{strip(line.key)}>"


def _help_line(line: Table, width: int) -> str:
    text = "" if line.help is None else f" {line.help}"
    default = "" if line.default is None else f" [{tostring(line.default)}]"
    return f"  {_label(line):<{width}}{text}{default}"


def _brief(value: Any) -> str:
    return tostring(value)[0] if lua_type(value) == "boolean" else tostring(value)


def _differ(a: Any, b: Any) -> bool:
    """Lua's `~=`: values of different types differ, tables are compared by identity."""
    if lua_type(a) in ("string", "number", "boolean"):
        return lua_type(a) != lua_type(b) or bool(a != b)
    return a is not b


class PrintLog:
    """The function that stands for `print` while a log is written."""

    screen: Any  # the print that it stands for

    def __init__(self, cmd: CmdLine, file: Any):
        self.cmd = cmd
        self.opened = not hasattr(file, "write")
        self.file: IO[str] = Path(file).open("w", encoding="utf-8") if self.opened else file  # noqa: SIM115
        current: Any = builtins.print
        self.screen = current.screen if isinstance(current, PrintLog) else current
        builtins.print = self

    def __call__(self, *values: Any, file: Any = None, **how: Any) -> None:
        """Prints as `print` does, and writes to the log what is for the standard output."""
        other = file is not None and file is not sys.stdout
        if other or not self.cmd.silentio:
            self.screen(*values, file=file, **how)
        if not other:
            self._write(values, **how)

    def _write(self, values: Sequence[Any], sep: str | None = None, end: str | None = None, flush: bool = True) -> None:
        stamp = [time.strftime(self.cmd.dateformat)] if self.cmd.dateformat else []
        # Torch puts tabs between values on the screen and blanks in the file, one of them before the line's end.
        text = (" " if sep in (None, "\t") else sep).join(map(str, values))
        parts = [*stamp, text] if values else stamp
        self.file.write(" ".join([*parts, "\n"]) if end in (None, "\n") else " ".join(parts) + end)
        self.file.flush()

    def close(self) -> None:
        """Gives `print` back, and closes the file if its name was given."""
        current: Any = builtins.print
        if current is self:
            builtins.print = self.screen
        if self.opened:
            self.file.close()

    def __enter__(self) -> PrintLog:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
