"""Makes the mutants of one Python file by cosmic-ray: each is the file with one small error, as a line of JSON.

python mutants.py FILE

Of cosmic-ray's replacements only those are made that others do not imply: what tells `<` from `<=`, from `>=` and from
`!=` tells it from `==` too. One operator is our own: a statement that changes something and returns nothing is taken
away. Left out are mutants that are the same program but for its text, its annotations, what it promises not to do
(`frozen`, `slots`, `strict`), or a limit, a module's constant that is a plain number: a test could only repeat it.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path

import parso
from cosmic_ray.ast import ast_nodes
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.operators.provider import OperatorProvider

REPLACED = re.compile(r"Replace(?:Comparison|Binary|Unary)Operator_([^_]+)_([^_]+)")
REPLACEMENTS = {
    "Eq": {"NotEq"},
    "NotEq": {"Eq"},
    "Lt": {"LtE", "GtE", "NotEq"},
    "LtE": {"Lt", "Gt", "Eq"},
    "Gt": {"GtE", "LtE", "NotEq"},
    "GtE": {"Gt", "Lt", "Eq"},
    "Is": {"IsNot"},
    "IsNot": {"Is"},
    "Add": {"Sub"},
    "Sub": {"Add"},
    "Mul": {"Add", "FloorDiv"},
    "Div": {"Mul"},
    "FloorDiv": {"Mul"},
    "Mod": {"FloorDiv"},
    "Pow": {"Mul"},
    "LShift": {"RShift"},
    "RShift": {"LShift"},
    "BitOr": {"BitAnd"},
    "BitAnd": {"BitOr"},
    "BitXor": {"BitAnd"},
    "USub": {"UAdd"},
    "Delete": {"Not"},
}
PROMISES = {"frozen", "slots", "strict"}
OPPOSITES = {ast.Is: ast.IsNot, ast.Eq: ast.NotEq, ast.Lt: ast.GtE, ast.Gt: ast.LtE, ast.In: ast.NotIn}
OPPOSITES |= {other: one for one, other in OPPOSITES.items()}
ARITHMETIC = (ast.Constant, ast.UnaryOp, ast.BinOp, ast.operator, ast.unaryop)


class RemoveStatement(Operator):
    """Takes away a call whose result nobody uses, an assignment to an attribute or an item, and what is added to."""

    def mutation_positions(self, node: parso.tree.NodeOrLeaf) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        """Yield where the statement is, if the node is one."""
        if node.type == "simple_stmt" and _has_effect(node.children[0]):
            yield node.children[0].start_pos, node.children[0].end_pos

    def mutate(self, node: parso.tree.BaseNode, index: int) -> parso.tree.BaseNode:
        """Put `pass` where the statement was."""
        assert index == 0
        node.children[0] = parso.python.tree.Keyword("pass", node.start_pos, node.children[0].get_first_leaf().prefix)
        return node

    @classmethod
    def examples(cls) -> tuple[()]:
        """Return none: cosmic-ray's own tests would ask for them."""
        return ()


def _has_effect(statement: parso.tree.NodeOrLeaf) -> bool:
    if statement.type == "atom_expr":
        return statement.children[-1].type == "trailer" and statement.children[-1].children[0].value == "("
    if statement.type != "expr_stmt":
        return False
    target, sign = statement.children[0], statement.children[1]
    if sign.type == "annassign":
        return target.type == "atom_expr" and len(sign.children) > 2
    return sign.value != "=" or target.type in {"atom_expr", "testlist_star_expr"}


def operators() -> Iterator[tuple[str, Operator]]:
    """Yield the operators that are used, with their names."""
    known = OperatorProvider()
    for name in known:
        replaced = REPLACED.fullmatch(name)
        if known[name].arguments() or (replaced and replaced[2] not in REPLACEMENTS.get(replaced[1], ())):
            continue
        yield name, known[name]()
    yield "RemoveStatement", RemoveStatement()


def essence(source: str) -> str:
    """Return what a program does: without limits and promises, and without annotations, which nobody evaluates."""
    tree = ast.parse(source)
    for node in tree.body:
        if isinstance(node, ast.Assign) and all(isinstance(part, ARITHMETIC) for part in ast.walk(node.value)):
            node.value = ast.Constant(None)
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(None)
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        elif isinstance(node, ast.Call):
            node.keywords = [given for given in node.keywords if given.arg not in PROMISES]
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            node.test = ast.Constant(None)
    return ast.dump(Plain().visit(tree))


class Plain(ast.NodeTransformer):
    """Writes `not a < b` as `a >= b`, and `while not True` as `while False`."""

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        """Return the opposite where it has a name of its own."""
        self.generic_visit(node)
        if not isinstance(node.op, ast.Not):
            return node
        if isinstance(node.operand, ast.Constant):
            return ast.Constant(not node.operand.value)
        if isinstance(node.operand, ast.UnaryOp) and isinstance(node.operand.op, ast.Not):
            return node.operand.operand
        if isinstance(node.operand, ast.Compare) and len(node.operand.ops) == 1:
            of = node.operand
            return ast.Compare(of.left, [OPPOSITES[type(of.ops[0])]()], of.comparators)
        return node


def mutants(source: str) -> Iterator[dict[str, str | int]]:
    """Yield each mutant once, with what was changed."""
    seen = {essence(source)}
    tree = parso.parse(source)
    for name, operator in operators():
        count = sum(1 for node in ast_nodes(tree) for _ in operator.mutation_positions(node))
        for occurrence in range(count):
            mutated = mutate_code(source, operator, occurrence)
            try:
                found = essence(mutated)
            except SyntaxError:  # no program at all
                continue
            if found not in seen:
                seen.add(found)
                yield {"operator": name, **change(source, mutated), "source": mutated}


def change(before: str, after: str) -> dict[str, str | int]:
    """Return the first line that differs, counted from 1, with what the lines were and what they have become."""
    old, new = before.splitlines(), after.splitlines()
    changed = [of for of in SequenceMatcher(None, old, new, autojunk=False).get_opcodes() if of[0] != "equal"]
    (_, first, _, start, _), (_, _, last, _, stop) = changed[0], changed[-1]
    return {"line": first + 1, "was": _one_line(old[first:last]), "becomes": _one_line(new[start:stop])}


def _one_line(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())


if __name__ == "__main__":
    for mutant in mutants(Path(sys.argv[1]).read_text()):
        print(json.dumps(mutant))
