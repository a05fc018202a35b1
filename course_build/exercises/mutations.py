"""Wrong answers made by machine: a solution's mutants, by cosmic-ray's operators and by those of this trade.

A mutant is the solution with one change. Cosmic-ray knows the changes that fit any Python: operators, comparisons,
`and` for `or`, numbers off by one, `break` for `continue`. Added here is what people get wrong in these lessons:
another reduction or axis, a term or a line forgotten, the first instead of all, an argument ignored or changed.
"""

import ast
import copy
import difflib
import hashlib
import itertools
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import parso
from cosmic_ray.ast import ast_nodes
from cosmic_ray.mutating import MutationVisitor
from cosmic_ray.operators.provider import OperatorProvider

Kinds = Mapping[str, set[str]]
"""What a solution was seen to take and to return: the kinds of each parameter, and under `return` of what came back.

A kind is the name of a type, or such as `list of float` and `Tensor of torch.bool`."""

BOTH_WAYS = (
    ("mean", "sum", "max", "min", "median"),
    ("amax", "amin", "mean", "sum"),
    ("argmax", "argmin"),
    ("all", "any"),
    ("exp", "log"),
    ("log", "log2", "log10"),
    ("cos", "sin"),
    ("ceil", "floor"),
    ("softmax", "log_softmax", "sigmoid"),
    ("split", "rsplit"),
    ("startswith", "endswith"),
    ("lower", "upper"),
    ("append", "extend"),
    ("zeros", "ones", "empty_like"),
    ("round", "floor", "ceil", "trunc"),
    ("quantize_absmax", "quantize_per_channel"),
)
"""Functions that are taken for one another."""

AXES = ("0", "1", "-1", "-2")

DRESS = {"tolist", "item", "detach", "list", "dict"}
"""Calls that give the same in another dress: without one it is no mistake of the kind that is looked for here."""


@dataclass(frozen=True)
class Mutant:
    """A wrong answer: its short id, what was changed (`line 3: ... becomes ...`), and its source."""

    id: str
    description: str
    source: str

    def diff(self, solution: str) -> str:
        """Return what was changed, as a diff of the two without comments and line breaks within a statement."""
        lines = difflib.unified_diff(_plain(solution).split("\n"), self.source.split("\n"), n=1, lineterm="")
        return "\n".join(itertools.islice(lines, 2, None))


def mutants(solution: str, kinds: Kinds | None = None) -> list[Mutant]:
    """Return a solution's mutants, each once, in the order of their lines.

    Args:
        solution: the code, of a function or of values.
        kinds: what is known of the types that it takes and returns; operators that need to know are left out without.
    """
    tree = _Signs().visit(ast.parse(solution))
    others = itertools.chain(_by_cosmic_ray(solution), _of_this_trade(tree, kinds or {}))
    sources = dict.fromkeys(filter(None, map(_plain_if_it_parses, others)))
    whole = _plain(solution)
    sources.pop(whole, None)
    found = []
    for source in sources:
        try:
            with warnings.catch_warnings(action="ignore"):
                changed = _Signs().visit(ast.parse(source))
                compile(source, "mutant", "exec")
        except SyntaxError:
            continue
        line, words = _difference(tree, changed, whole)
        found.append((line, f"line {line}: {words}", source))
    found.sort(key=lambda each: each[0])
    seen: Counter[str] = Counter()
    for place, (line, description, source) in enumerate(found):
        seen[description] += 1
        if seen[description] > 1:
            found[place] = (line, f"{description} ({seen[description]})", source)
    return [
        Mutant(hashlib.sha256(source.encode()).hexdigest()[:6], description, source) for _, description, source in found
    ]


def _plain(source: str) -> str:
    """Return code in one fixed form, so that only what it does makes a difference."""
    return ast.unparse(_Signs().visit(ast.parse(source))).replace("strict=False", "strict=True")


class _Signs(ast.NodeTransformer):
    """Makes one number of a number with signs before it: `--1` and `+1` are `1`."""

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        match node:
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return ast.copy_location(ast.Constant(-number if number else number), node)
            case ast.UnaryOp(op=ast.UAdd(), operand=ast.Constant(value=int() | float()) as number):
                return number
        return node


def _plain_if_it_parses(source: str) -> str | None:
    try:
        with warnings.catch_warnings(action="ignore"):
            return _plain(source)
    except SyntaxError:
        return None


# --- cosmic-ray's operators

ARITHMETIC, BITS = {"Add", "Sub", "Mul", "Div", "FloorDiv", "Mod"}, {"BitOr", "BitAnd", "BitXor", "RShift", "LShift"}


def _worth_while(operator: str) -> bool:
    """Tell whether an operator of cosmic-ray makes mistakes that people make, and none that fill the memory."""
    name, _, pair = operator.partition("_")
    before, _, after = pair.partition("_")
    if "Invert" in pair:
        return False
    if name == "ReplaceBinaryOperator":
        if after == "LShift":
            return before == "RShift"
        return after in BITS if before in BITS else after in ARITHMETIC
    if name == "ReplaceComparisonOperator":
        return after not in {"Is", "IsNot"} or before in {"Is", "IsNot"}
    return name not in {"ExceptionReplacer", "VariableReplacer", "VariableInserter", "RemoveDecorator"}


def _by_cosmic_ray(solution: str) -> Iterator[str]:
    """Yield what cosmic-ray's operators make of a piece of code."""
    nodes = list(ast_nodes(parso.parse(solution)))
    provider = OperatorProvider()
    for name in filter(_worth_while, provider):
        operator = provider[name]()
        for occurrence in range(sum(len(list(operator.mutation_positions(node))) for node in nodes)):
            yield MutationVisitor.mutate_code(solution, operator, occurrence)


# --- those of this trade

Place = tuple[ast.AST, str, int | None]
"""Where a node stands: its parent, the field, and the place in the field if that is a list."""


def _of_this_trade(tree: ast.Module, kinds: Kinds) -> Iterator[str]:
    """Yield the code with one change after the other. Each is made in the tree itself and taken back."""
    parameters = {
        argument.arg for node in tree.body if isinstance(node, ast.FunctionDef) for argument in node.args.args
    }
    documented = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) and isinstance(node.body[0], ast.Expr)
    }
    for node in list(ast.walk(tree)):
        for field, value in ast.iter_fields(node):
            if isinstance(value, ast.expr) and id(value) not in documented:
                yield from _put(tree, (node, field, None), _instead(value, parameters, node))
            elif isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                for block in _other_blocks(value, node, kinds):
                    setattr(node, field, block or [ast.Pass()])
                    yield ast.unparse(tree)
                setattr(node, field, value)
            elif isinstance(value, list):
                for place, part in enumerate(value):
                    if isinstance(part, ast.expr):
                        yield from _put(tree, (node, field, place), _instead(part, parameters, node))
        yield from _without_a_part(tree, node)


def _put(tree: ast.Module, place: Place, others: Iterator[ast.expr | str]) -> Iterator[str]:
    """Yield the code with other expressions at a place."""
    parent, field, index = place
    value = getattr(parent, field)
    before = value if index is None else value[index]
    for other in others:
        new = ast.parse(f"({other})", mode="eval").body if isinstance(other, str) else other
        if index is None:
            setattr(parent, field, new)
        else:
            value[index] = new
        yield ast.unparse(tree)
        if index is None:
            setattr(parent, field, before)
        else:
            value[index] = before


def _without_a_part(tree: ast.Module, node: ast.AST) -> Iterator[str]:
    """Yield the code with a part of a node left out: an argument, an element, a keyword, a condition."""
    lists: list[list[list[Any]]] = []
    match node:
        case ast.Call():
            lists = [[node.args], [node.keywords]]
        case ast.Tuple() | ast.List() | ast.Set():
            lists = [[node.elts]]
        case ast.Dict():
            lists = [[node.keys, node.values]]
        case ast.JoinedStr() | ast.BoolOp():
            lists = [[node.values]]
        case ast.comprehension():
            lists = [[node.ifs]]
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if len(targets) == len(values):
            lists = [[targets, values]]
    if isinstance(node, ast.Call) and any(keyword.arg == "strict" for keyword in node.keywords):
        lists = [[node.args]]  # what it forbids doesn't happen
    for together in lists:
        whole = [list(part) for part in together]
        for place in range(len(whole[0])):
            if len(whole[0]) == 1 and isinstance(node, ast.BoolOp | ast.Assign | ast.JoinedStr):
                continue
            for part in together:
                del part[place]
            yield ast.unparse(tree)
            for part, all_of_it in zip(together, whole, strict=True):
                part[:] = all_of_it
        if isinstance(node, ast.Call | ast.Tuple | ast.List) and together[0] and isinstance(together[0][0], ast.expr):
            for place in range(len(whole[0]) - 1):
                together[0][place : place + 2] = reversed(whole[0][place : place + 2])
                yield ast.unparse(tree)
                together[0][:] = whole[0]
    if isinstance(node, ast.FunctionDef) and node.args.defaults:
        defaults, node.args.defaults = node.args.defaults, node.args.defaults[1:]
        yield ast.unparse(tree)
        node.args.defaults = defaults


def _instead(node: ast.expr, parameters: set[str], parent: ast.AST) -> Iterator[ast.expr | str]:
    """Yield what people write in the place of an expression."""
    text = ast.unparse(node) if not isinstance(parent, ast.JoinedStr) else ""
    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float()) if not isinstance(parent, ast.JoinedStr):
            yield from (f"{node.value * 10:.12g}", "0", *([f"-{text}"] if node.value else []))
        case ast.Constant(value=str()):
            yield from map(ast.Constant, _other_texts(node.value))
        case ast.Name(id=name, ctx=ast.Load()) if name in parameters:
            yield from sorted(parameters - {name})
        case ast.Call():
            yield from _other_calls(node, text)
        case ast.Attribute(value=ast.expr(), ctx=ast.Load()) if not isinstance(parent, ast.Call):
            yield node.value
        case ast.Subscript(ctx=ast.Load()):
            yield node.value
            if isinstance(node.slice, ast.Slice):
                yield from _other_slices(node)
        case ast.BinOp(left=left, op=op, right=right):
            yield from (left, right)
            if not isinstance(op, ast.Add | ast.Mult | ast.BitOr | ast.BitAnd | ast.BitXor):
                yield ast.BinOp(left=right, op=op, right=left)
        case ast.Compare(ops=[ast.In()]):
            yield ast.Compare(left=node.left, ops=[ast.NotIn()], comparators=node.comparators)
        case ast.Compare(ops=[ast.NotIn()]):
            yield ast.Compare(left=node.left, ops=[ast.In()], comparators=node.comparators)
        case ast.IfExp():
            yield from (node.body, node.orelse)
        case ast.ListComp() | ast.GeneratorExp() | ast.SetComp() | ast.DictComp():
            first, *_ = node.generators
            for part in ("[:1]", "[1:]", "[:-1]", "[::-1]"):
                if part == "[::-1]" and not isinstance(node, ast.ListComp):
                    continue
                other = copy.deepcopy(node)
                other.generators[0].iter = ast.parse(f"list({ast.unparse(first.iter)}){part}", mode="eval").body
                yield other
            for place, condition in enumerate(first.ifs):
                other = copy.deepcopy(node)
                other.generators[0].ifs[place] = ast.UnaryOp(op=ast.Not(), operand=condition)
                yield other
    if isinstance(parent, ast.If | ast.While) and parent.test is node:
        yield "True"
        if isinstance(parent, ast.If) and parent.orelse:
            yield "False"


def _other_texts(text: str) -> Iterator[str]:
    """Yield a text without one of its signs, line breaks or lines; in other letters; and none at all."""
    lines = text.split("\n")
    others = [
        text[:place] + text[place + 1 :] for place, sign in enumerate(text) if not (sign.isalnum() or sign == " ")
    ]
    others += ["\n".join(lines[:place] + lines[place + 1 :]) for place in range(len(lines) - 1)]
    for other in dict.fromkeys(["", text.upper(), text.lower(), *others]):
        if other != text:
            yield other


def _other_calls(node: ast.Call, text: str) -> Iterator[ast.expr | str]:
    """Yield a call of another function, of none, along another axis, with one less or one more."""
    function = node.func
    name = (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )
    for other in dict.fromkeys(itertools.chain(*(group for group in BOTH_WAYS if name in group))):
        if other != name:
            called = copy.deepcopy(function)
            setattr(called, "id" if isinstance(called, ast.Name) else "attr", other)
            yield ast.Call(func=called, args=node.args, keywords=node.keywords)
    if isinstance(function, ast.Attribute):
        if name not in DRESS:
            yield function.value
        if isinstance(inner := function.value, ast.BinOp):  # (a + b).f() -> a.f() + b
            called = ast.Attribute(value=inner.left, attr=function.attr, ctx=ast.Load())
            yield ast.BinOp(
                left=ast.Call(func=called, args=node.args, keywords=node.keywords), op=inner.op, right=inner.right
            )
    if node.args and not isinstance(node.args[0], ast.Starred):
        if name not in DRESS:
            yield node.args[0]
        if isinstance(inner := node.args[0], ast.BinOp):  # f(a / b) -> f(a) / b
            called = ast.Call(func=function, args=[inner.left, *node.args[1:]], keywords=node.keywords)
            yield ast.BinOp(left=called, op=inner.op, right=inner.right)
    for place, keyword in enumerate(node.keywords):
        if keyword.arg in {"dim", "axis"}:
            for axis in AXES:
                other = copy.deepcopy(node)
                other.keywords[place].value = ast.parse(axis, mode="eval").body
                yield other
    if name == "len":
        yield from (f"{text} - 1", f"{text} + 1")
    if name == "range":
        for place, argument in enumerate(node.args):
            for change in ("+ 1", "- 1"):
                other = copy.deepcopy(node)
                other.args[place] = ast.parse(f"{ast.unparse(argument)} {change}", mode="eval").body
                yield other


def _other_slices(node: ast.Subscript) -> Iterator[ast.expr]:
    """Yield a slice without one of its ends, or with one moved by one."""
    for end in ("lower", "upper"):
        bound = getattr(node.slice, end)
        others: list[ast.expr | None] = [ast.parse("1" if end == "lower" else "-1", mode="eval").body]
        if bound is not None:
            others = [ast.parse(f"({ast.unparse(bound)}) {by}", mode="eval").body for by in ("+ 1", "- 1")] + [None]
        for other in others:
            changed = copy.deepcopy(node)
            setattr(changed.slice, end, other)
            yield changed


def _other_blocks(block: list[ast.stmt], parent: ast.AST, kinds: Kinds) -> Iterator[list[ast.stmt]]:
    """Yield the statements of a block with one dropped, or written as people write it."""
    for place, statement in enumerate(block):
        before, after = block[:place], block[place + 1 :]
        if isinstance(statement, ast.FunctionDef | ast.Import | ast.ImportFrom) or _is_docstring(statement):
            continue
        is_last = isinstance(parent, ast.FunctionDef) and not after
        if not isinstance(parent, ast.Module) and not (is_last and ast.unparse(statement) == "return None"):
            yield before + after
        for other in _other_statements(statement, after, kinds):
            yield before + other + after
    if isinstance(parent, ast.FunctionDef):
        documented = 1 if _is_docstring(block[0]) else 0
        for argument in parent.args.args:
            for first in _other_arguments(argument.arg, parent, kinds):
                yield [*block[:documented], *ast.parse(first).body, *block[documented:]]


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _other_statements(statement: ast.stmt, after: list[ast.stmt], kinds: Kinds) -> Iterator[list[ast.stmt]]:
    """Yield what people write in the place of a statement; `after` are those that follow it."""
    match statement:
        case ast.For():
            changed = copy.copy(statement)
            changed.body = [*statement.body, ast.Break()]
            yield [changed]
            if after and isinstance(after[0], ast.Return):
                changed = copy.copy(statement)
                changed.body = [*statement.body, after[0]]
                yield [changed]
            for part in ("[:1]", "[1:]", "[:-1]", "[::-1]"):
                changed = copy.copy(statement)
                changed.iter = ast.parse(f"list({ast.unparse(statement.iter)}){part}", mode="eval").body
                yield [changed]
            if len(statement.body) > 1:
                changed = copy.copy(statement)
                changed.body = statement.body[:-1]
                yield [changed, statement.body[-1]]
        case ast.AugAssign(target=target, value=value):
            yield ast.parse(f"{ast.unparse(target)} = {ast.unparse(value)}").body
            yield [ast.AugAssign(target=target, op=ast.Sub(), value=value)]
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.BinOp(left=ast.Name(id=left), op=op, right=right)):
            if name == left:
                yield [ast.AugAssign(target=statement.targets[0], op=op, value=right)]
        case ast.Try():
            yield statement.body
        case ast.Return(value=ast.expr() as value) if not isinstance(value, ast.Constant | ast.Dict):
            for other in _other_results(value, kinds.get("return", set())):
                yield ast.parse(f"return {other}").body


def _other_results(value: ast.expr, kinds: set[str]) -> Iterator[str]:
    """Yield what people return instead of a result of these kinds."""
    text = f"({ast.unparse(value)})"
    # What is picked from what was given comes back as it was.
    picked = isinstance(value, ast.Name) or (isinstance(value, ast.Call) and ast.unparse(value.func) in {"min", "max"})
    if kinds & {"float", "float64", "float32"}:
        yield from (f"round({text}, 2)", f"int({text})", f"-{text}")
    if "int" in kinds:
        yield from (f"{text} + 1", f"{text} - 1", f"-{text}")
    if "bool" in kinds:
        yield f"not {text}"
    if "str" in kinds and not picked:
        yield from (f"{text}{change}" for change in (".strip()", ".lower()", ".upper()", ".title()", " + '\\n'"))
    if "list" in kinds:
        yield from (f"{text}{part}" for part in ("[:1]", "[1:]", "[:-1]", "[::-1]"))
        yield from (f"sorted({text})", f"list(dict.fromkeys({text}))")
    if "list of float" in kinds:
        yield f"[round(value, 2) for value in {text}]"
    if "Tensor" in kinds:
        yield from (f"{text}{change}" for change in (".round(decimals=2)", ".flip(-1)", ".abs()", "[:1]"))
    if "Tensor of torch.bool" in kinds:
        yield f"{text}.float()"
    if "ndarray" in kinds:
        yield from (f"{text}{change}" for change in ("[::-1]", ".astype(float)"))
    if "dict" in kinds:
        yield f"dict(list({text}.items())[:-1])"


def _other_arguments(name: str, function: ast.FunctionDef, kinds: Kinds) -> Iterator[str]:
    """Yield first statements that ignore an argument, or change it."""
    names = kinds.get(name, set())
    if not names:  # a function inside the answer
        return
    with_default = dict(zip(reversed(function.args.args), reversed(function.args.defaults), strict=False))
    for argument, default in with_default.items():
        if argument.arg == name:
            yield f"{name} = {ast.unparse(default)}"
    # What a check that never varies an argument can't tell from the solution.
    yield f"{name} = {function.name}.__dict__.setdefault({name!r}, {name})"
    if names & {"int", "float"}:
        yield from (f"{name} = 0", f"{name} = 1", f"{name} += 1", f"{name} *= 2")
    if "Tensor" in names or "ndarray" in names:
        yield from (f"{name} += 1", f"{name} *= 2", f"{name} -= {name}.mean()", f"{name}[:1] *= 2")
    if "list" in names:
        yield from (
            f"{name} = {name}[:1]",
            f"{name} = {name}[1:]",
            f"{name}.reverse()",
            f"{name} *= 2",
        )
        yield from (f"{name} = list(dict.fromkeys({name}))", f"{name} = {name}[:-1]")
    if names & {"str", "bytes"}:
        yield from (f"{name} = {name}{change}" for change in (".strip()", ".lower()", "[1:]", "[:-1]"))
    if "dict" in names:
        yield f"{name} = dict(list({name}.items())[:1])"


# --- what was changed, in words


def _difference(solution: ast.AST, mutant: ast.AST, whole: str, line: int = 1) -> tuple[int, str]:
    """Return the line and the words for the smallest part of a solution that is another one in a mutant.

    The smallest whose text isn't found twice in the whole, so that the words say which is meant.
    """
    line = getattr(solution, "lineno", line)
    parts: list[tuple[object, object]] = []
    if type(solution) is type(mutant):
        for name, before in ast.iter_fields(solution):
            after = getattr(mutant, name)
            if not isinstance(before, list):
                parts.append((before, after))
            elif before and isinstance(before[0], ast.stmt) and _several(before, after):
                return _block_difference(before, after)
            elif len(before) == len(after):
                parts += zip(before, after, strict=True)
            else:
                return line, _becomes(solution, mutant)
    parts = [(before, after) for before, after in parts if _dumped(before) != _dumped(after)]
    if len(parts) == 1:
        before, after = parts[0]
        small = isinstance(before, ast.expr | ast.keyword | ast.comprehension | ast.arguments)
        unique = isinstance(before, ast.stmt | ast.ExceptHandler) or (small and whole.count(_shown(before)) == 1)
        if unique and isinstance(before, ast.AST) and isinstance(after, ast.AST):
            return _difference(before, after, whole, line)
    return line, _becomes(solution, mutant)


def _several(before: list[ast.stmt], after: list[ast.stmt]) -> bool:
    """Tell whether more differs between two blocks than the inside of one statement."""
    if len(before) != len(after):
        return True
    changed = [(one, other) for one, other in zip(before, after, strict=True) if _dumped(one) != _dumped(other)]
    return len(changed) > 1 or any(type(one) is not type(other) for one, other in changed)


def _block_difference(before: list[ast.stmt], after: list[ast.stmt]) -> tuple[int, str]:
    """Return the line and the words for statements that were dropped, added or written otherwise."""
    old, new = list(map(_dumped, before)), list(map(_dumped, after))
    start = next(
        (i for i, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), min(len(old), len(new))
    )
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    gone, come = before[start : len(before) - end], after[start : len(after) - end]
    if not gone:
        line = before[min(start, len(before) - 1)].lineno if start < len(before) else before[-1].end_lineno or 1
        return line, f"{_shown(come)} comes {'first' if start < len(before) else 'last'}"
    if not come or isinstance(come[0], ast.Pass):
        return gone[0].lineno, f"{_shown(gone)} is dropped"
    return gone[0].lineno, f"{_shown(gone)} becomes {_shown(come)}"


HEADS = ast.For | ast.If | ast.While | ast.Try | ast.FunctionDef


def _becomes(before: object, after: object) -> str:
    """Return the words for one thing written instead of another; of a text of several lines, the lines that differ."""
    if isinstance(before, ast.Constant) and isinstance(after, ast.Constant) and "\n" in str(before.value):
        one, other = str(before.value).split("\n"), str(after.value).split("\n")
        (_, start, end, first, last), *more = [
            code
            for code in difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes()
            if code[0] != "equal"
        ]
        if not more:
            here, there = "\n".join(one[start:end]), "\n".join(other[first:last])
            return (
                f"row {start} of the text, {here!r}, becomes {there!r}"
                if first < last
                else f"row {start} of the text, {here!r}, is dropped"
            )
    if isinstance(before, HEADS) and isinstance(after, HEADS):
        here, there = (ast.unparse(each).partition("\n")[0] for each in (before, after))
        if here != there:
            return f"{here} becomes {there}"
    return f"{_shown(before)} becomes {_shown(after)}"


def _shown(code: object) -> str:
    """Return code on one line, as a description has it."""
    if isinstance(code, list):
        return "; ".join(map(_shown, code))
    if not isinstance(code, ast.AST):
        return repr(code)
    return re.sub(r"\s*\n\s*", " ", ast.unparse(code))


def _dumped(part: object) -> str:
    return ast.dump(part) if isinstance(part, ast.AST) else repr(part)
