"""Names that a lesson's cells read and give a value to: where a cell that is run again would find another value.

It is found by reading, in a moment; `course_build.notebooks.rerun` runs the cells, and has the proof. A name is
followed through the functions of the lesson that read it. What a library changes inside a value stays unseen.
"""

import ast
import symtable
from collections.abc import Iterator
from dataclasses import dataclass, field

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from course_build.notebooks.read_notebook import code_cells

CHANGING = {
    *("add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft"),
    *("remove", "reverse", "setdefault", "sort", "update"),
}
"""Methods of Python's collections that change the value they are called on."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp


@dataclass
class Names:
    """Names at the top level of a cell.

    `reads` are those whose value comes from before the cell, `binds` those that it gives a value to. Of `reads`,
    `changes` are those whose value another run would change once more, or not find any longer, and `sets` those of
    which it sets an item or an attribute. `functions` has the names that each function or class of the cell reads when
    it is called.
    """

    reads: set[str] = field(default_factory=set)
    binds: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    sets: set[str] = field(default_factory=set)
    functions: dict[str, set[str]] = field(default_factory=dict)


def reused_names(notebook: NotebookNode) -> Iterator[str]:
    """Yield, in words, each name that is in the way of running a cell again, at once or when the lesson is at its end.

    Such a name is one that a cell makes or changes out of what it was, or one that a later cell gives another value to.
    """
    cells = [names_of(cell.source) for cell in code_cells(notebook)]
    functions = {name: read for cell in cells for name, read in cell.functions.items()}
    for place, cell in enumerate(cells):
        for name in sorted(cell.reads & cell.binds):
            yield f"cell {place + 1} makes {name} of what {name} was before: run again, it goes on from its own result"
        for name in sorted(cell.changes):
            yield f"cell {place + 1} changes or deletes {name}, which another cell makes: run again, it finds another"
        for name in sorted(_through(cell.reads, functions) - cell.binds):
            before = [at for at in range(place) if name in cells[at].binds]
            after = [at for at in range(place + 1, len(cells)) if name in cells[at].binds | cells[at].sets]
            if before and after:
                yield (
                    f"cell {place + 1} reads {name}, as cell {before[-1] + 1} makes it; cell {after[0] + 1} gives it"
                    " another value, which cells before it find when they are run again"
                )


def _through(names: set[str], functions: dict[str, set[str]]) -> set[str]:
    """Return names with all that the functions among them read, and so on."""
    found: set[str] = set()
    wanted = list(names)
    while wanted:
        if (name := wanted.pop()) not in found:
            found.add(name)
            wanted += functions.get(name, ())
    return found


def names_of(source: str) -> Names:
    """Return the names of a cell; none, where it isn't Python.

    Args:
        source: the cell's code, with magics if it has any.
    """
    try:
        tree = ast.parse(TransformerManager().transform_cell(source))
    except SyntaxError:
        return Names()
    reader = _Reader()
    reader.read_all(tree.body)
    return reader.names


class _Reader:
    """A reader that goes through a cell in the order in which it is run, through each branch and loop once."""

    def __init__(self) -> None:
        self.names = Names()
        self.inner: set[str] = set()
        """Names of the comprehensions around, which are no names of the cell."""

    def read_all(self, nodes: list[ast.AST] | list[ast.stmt] | list[ast.expr]) -> None:
        for node in nodes:
            self.read(node)

    def read(self, node: ast.AST) -> None:
        match node:
            case ast.Name(id=name):
                self._name(name, node.ctx)
            case ast.Assign():
                self.read_all([node.value, *node.targets])
            case ast.AugAssign():
                self.read(node.value)
                self._change(node.target, self.names.changes)
            case ast.AnnAssign():
                self.read_all([node.value, node.target] if node.value else [])
            case ast.NamedExpr():
                self.read(node.value)
                self.names.binds.add(node.target.id)
            case ast.For():
                self.read_all([node.iter, node.target, *node.body, *node.orelse])
            case ast.Attribute() | ast.Subscript():
                self.read_all([*ast.iter_child_nodes(node)])
                if not isinstance(node.ctx, ast.Load):
                    self._change(node, self.names.sets if isinstance(node.ctx, ast.Store) else self.names.changes)
            case ast.Call():
                self.read_all([*ast.iter_child_nodes(node)])
                if isinstance(node.func, ast.Attribute) and node.func.attr in CHANGING:
                    self._change(node.func.value, self.names.changes)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                self._comprehension(node)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                self._definition(node)
            case ast.Lambda():
                self.read_all([*node.args.defaults])
                for name in _read_by(node):
                    self._name(name, ast.Load())
            case ast.Import() | ast.ImportFrom():
                self.names.binds |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
            case _:
                self.read_all([*ast.iter_child_nodes(node)])

    def _name(self, name: str, context: ast.expr_context) -> None:
        if name in self.inner:
            return
        if isinstance(context, ast.Store):
            self.names.binds.add(name)
        elif name not in self.names.binds:
            self.names.reads.add(name)
            if isinstance(context, ast.Del):
                self.names.changes.add(name)
        elif isinstance(context, ast.Del):
            self.names.binds.remove(name)

    def _change(self, node: ast.AST, kind: set[str]) -> None:
        """Note that a value changes: that of a name, or an item or an attribute of it."""
        while isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        if isinstance(node, ast.Name) and node.id not in self.names.binds | self.inner:
            self.names.reads.add(node.id)
            kind.add(node.id)

    def _comprehension(self, node: Comprehension) -> None:
        around = self.inner
        for part in node.generators:
            self.read(part.iter)
            self.inner = self.inner | {each.id for each in ast.walk(part.target) if isinstance(each, ast.Name)}
            self.read_all(part.ifs)
        self.read_all([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])
        self.inner = around

    def _definition(self, node: Function | ast.ClassDef) -> None:
        self.read_all(node.decorator_list)
        if isinstance(node, ast.ClassDef):
            self.read_all(node.bases)
        else:
            self.read_all([*node.args.defaults, *filter(None, node.args.kw_defaults)])
        self.names.functions[node.name] = _read_by(node)
        self.names.binds.add(node.name)


def _read_by(node: Function | ast.ClassDef | ast.Lambda) -> set[str]:
    """Return the names that a function, a lambda or a class reads from outside when it is called."""
    found: set[str] = set()
    tables = symtable.symtable(ast.unparse(node), "cell", "exec").get_children()
    while tables:
        table = tables.pop()
        found |= {each.get_name() for each in table.get_symbols() if each.is_global() and each.is_referenced()}
        tables += table.get_children()
    return found
