"""`whimbrel templates`: what there is, what a template may name, how a message looks, and a test send."""

import asyncio
import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from app import clock, settings
from app.config.check import load_dir
from app.contract.codec import Fact, decode
from app.contract.errors import ContractError, UnknownType
from app.contract.instants import format_instant, parse_instant
from app.delivery import trial
from app.delivery.catalogue import Variable, catalogue, common_variables, variables_of
from app.delivery.message import build
from app.delivery.render import BUILT_IN, Rendered, Renderer
from app.engine.outbox import Notification
from app.errors import WhimbrelError
from app.simulate.preview import Foreseen, foresee, newest
from app.triggers import REGISTRY

templates_app = typer.Typer(help="Templates: list them, look at their messages, test them.", no_args_is_help=True)


@templates_app.command("list")
def list_() -> None:
    """Print every template with its languages: those built in, and those of WHIMBREL_TEMPLATES, which come first."""
    directory = settings.load().templates
    sources = [BUILT_IN, *([directory] if directory else [])]
    heading = ("template", "built in", *map(str, sources[1:]))
    rows = ((name, *(", ".join(has.get(s, ())) for s in sources)) for name, has in catalogue(directory).items())
    _print_table([heading, *rows])


@templates_app.command()
def variables(trigger: Annotated[str, typer.Argument(metavar="TRIGGER", help="A trigger's id.")]) -> None:
    """Print what a template of the trigger's rules may name: each variable, its type, and how to write it."""
    if trigger not in REGISTRY:
        raise typer.BadParameter(f"there is no trigger {trigger}; there are: {', '.join(REGISTRY)}")
    typed = REGISTRY[trigger].variables
    print(f"{trigger}: {' '.join((typed.__doc__ or '').split())}\n")
    _print_table([("variable", "type", "write as"), *map(_row, variables_of(typed))])
    print("\nin every template:\n")
    _print_table([("variable", "type", "write as"), *map(_row, common_variables())])
    print("\nAsk first for what may be none: {% if account_number %}{{ account_number }}{% endif %}.")


@templates_app.command()
def preview(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="A rule's id.")],
    event: Annotated[
        Path,
        typer.Option(
            exists=True, dir_okay=False, help="CloudEvents, one a line: the last is tried, others precede it."
        ),
    ],
    config: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Holds rules.yaml and companies.yaml.")],
    account_events: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Events that precede those of --event.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Instead of the recipients' own, as es.")] = None,
    out: Annotated[Path, typer.Option(file_okay=False, help="Where .html and .eml go, one each a recipient.")] = Path(
        "previews"
    ),
) -> None:
    """Decide what the rule would send for an event, were it enabled, and show it. Nothing is sent."""
    written = load_dir(config, REGISTRY)
    version = newest(written.rules, rule)
    if version is None:
        raise WhimbrelError(f"there is no rule {rule}; there are: {', '.join(sorted({r.id for r in written.rules}))}")
    *before, last = _lines([each for each in (account_events, event) if each])
    foreseen = foresee(version, written.companies, before, last, _fact(last))
    if foreseen.sent is None:
        raise WhimbrelError(_nothing(rule, foreseen))
    out.mkdir(parents=True, exist_ok=True)
    renderer = Renderer(settings.load().templates)
    for number, each in enumerate(foreseen.notifications, 1):
        spoken = replace(each, language=language) if language else each
        rendered = renderer.render(spoken, REGISTRY[each.trigger].variables)
        page = _write(out / f"{re.sub('[^A-Za-z0-9._-]', '_', rule)}-{number}", spoken, rendered)
        _show(spoken, rendered, page)


@templates_app.command()
def send(
    previews: Annotated[list[Path], typer.Argument(metavar="PREVIEW...", help="Files that a preview wrote.")],
    to: Annotated[str, typer.Option(metavar="ADDRESS", help="Your own address.")],
) -> None:
    r"""Send previews to an address, by the configured SMTP relay; their subjects begin with \[test]."""
    current = settings.load()
    mode, _, redirected = current.delivery.partition(":")
    if mode == "off":
        raise WhimbrelError("WHIMBREL_DELIVERY is off: nothing may be sent from here")
    address = redirected or to
    if redirected:
        print(f"WHIMBREL_DELIVERY redirects to {redirected}")
    envelopes = [trial.for_test(_mail(path), address, clock.now()) for path in previews]
    outcomes = asyncio.run(trial.send(envelopes, current))
    for path, outcome in zip(previews, outcomes, strict=True):
        print(f"{path}: {outcome}")
    if any(outcome != "accepted" for outcome in outcomes):
        raise typer.Exit(1)


def _mail(path: Path) -> bytes:
    try:
        return path.with_suffix(".eml").read_bytes()
    except OSError as error:
        raise WhimbrelError(f"{path.with_suffix('.eml')}: {error.strerror}") from None


def _lines(files: Sequence[Path]) -> list[bytes]:
    lines = [line for line in chain(*(path.read_bytes().splitlines() for path in files)) if line.strip()]
    if not lines:
        raise WhimbrelError(f"{files[-1]} holds no event")
    return lines


def _fact(line: bytes) -> Fact:
    try:
        return decode(line, None, keyed=False)
    except ContractError as breach:
        raise WhimbrelError(f"the event breaks the contract: {breach}") from None
    except UnknownType as unknown:
        raise WhimbrelError(f"the event is not in the contract: {unknown}") from None


def _nothing(rule: str, foreseen: Foreseen) -> str:
    if not foreseen.decisions:
        return f"nothing comes up for {rule} after this event: is it one of its trigger's, and is its account known?"
    last = foreseen.decisions[-1]
    reason = f": {last.reason.value.replace('_', ' ')}" if last.reason else ""
    return f"{rule} sends nothing: its moment {format_instant(last.moment)} is {last.outcome.value}{reason}"


def _write(stem: Path, notification: Notification, rendered: Rendered) -> Path:
    envelope = build(notification, rendered, parse_instant(notification.decided_at))
    stem.with_name(f"{stem.name}.eml").write_bytes(envelope.content)
    page = stem.with_name(f"{stem.name}.html")
    page.write_text(rendered.html, encoding="utf-8")
    return page


def _show(notification: Notification, rendered: Rendered, page: Path) -> None:
    print(f"At:       {notification.decided_at}, language {rendered.language}")
    print(f"To:       {notification.name} <{notification.address}>")
    print(f"Subject:  {rendered.subject}\n")
    print(rendered.text)
    print(f"written: {page} and {page.with_suffix('.eml').name}\n")


def _row(variable: Variable) -> tuple[str, str, str]:
    filtered = f" | {variable.filter}" if variable.filter else ""
    if variable.type.startswith("list"):
        return variable.name, variable.type, f"{{% for each in {variable.name} %}}"
    if variable.type.startswith("record"):
        return variable.name, variable.type, ""
    name = re.sub(r".*\[\]", "each", variable.name)
    return variable.name, variable.type, f"{{{{ {name}{filtered} }}}}"


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
