"""A dataclass of options is one parameter of a command, and its options are on the command line one by one."""

from dataclasses import dataclass, field
from typing import Annotated

import typer
import typer.main
from typer.testing import CliRunner

from orchestrator.cli.groups import grouped


@dataclass(frozen=True)
class Size:
    width: Annotated[int, typer.Option("--width", min=1)] = 3
    tag: Annotated[list[str], typer.Option("--tag")] = field(default_factory=list)


def app() -> typer.Typer:
    made = typer.Typer(add_completion=False)

    def paint(*, name: Annotated[str, typer.Argument()], size: Size, wet: bool = False) -> None:
        typer.echo(f"{name} {size.width} {size.tag} {wet}")

    made.command()(grouped(paint))
    return made


def typed(*words: str) -> str:
    done = CliRunner().invoke(app(), words)
    return done.output.strip() if done.exit_code == 0 else f"exit {done.exit_code}"


def test_the_options_of_a_group_are_typed_like_any_other() -> None:
    assert typed("wall", "--tag", "a", "--width", "5", "--tag", "b", "--wet") == "wall 5 ['a', 'b'] True"


def test_what_is_not_typed_has_the_default_of_the_group() -> None:
    assert typed("wall") == "wall 3 [] False"


def test_a_group_refuses_what_its_option_refuses() -> None:
    assert typed("wall", "--width", "0") == "exit 2"


def test_the_command_has_them_where_the_group_stands() -> None:
    assert [param.name for param in typer.main.get_command(app()).params] == ["name", "width", "tag", "wet"]
