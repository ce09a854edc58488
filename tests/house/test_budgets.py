"""How large things may grow before they are taken apart."""

import statistics

from tests.house.code import Function, lines, modules

MEDIAN, MOST, LONGEST, FILE, ARGUMENTS = 8, 30, 60, 400, 5


def test_functions_stay_short() -> None:
    sizes = sorted(lines(function) for module in modules() for function in module.functions())
    assert statistics.median(sizes) <= MEDIAN
    assert sizes[int(len(sizes) * 0.9)] <= MOST


def test_no_function_is_over_the_limit() -> None:
    wrong = [f"{m.name}:{f.lineno} {f.name} {lines(f)}" for m in modules() for f in m.functions() if lines(f) > LONGEST]
    assert wrong == []


def test_no_file_is_over_the_limit() -> None:
    sizes = {module.name: module.text.count("\n") for module in modules()}
    assert {name: size for name, size in sizes.items() if size > FILE} == {}


def _positional(function: Function) -> int:
    arguments = [one.arg for one in (*function.args.posonlyargs, *function.args.args)]
    return len([one for one in arguments if one not in ("self", "cls")])


def test_more_than_five_arguments_are_named() -> None:
    wrong = [f"{m.name}:{f.lineno} {f.name}" for m in modules() for f in m.functions() if _positional(f) > ARGUMENTS]
    assert wrong == []
