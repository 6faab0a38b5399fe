"""The whole demo, from an empty directory to the last process stopped."""

import asyncio
from dataclasses import dataclass, field

from rich.console import Console
from rich.text import Text

from app.dev.demo.commands import commands
from app.dev.demo.crew import Crew
from app.dev.demo.interrupts import Interrupts
from app.dev.demo.judging import judge
from app.dev.demo.place import taken
from app.dev.demo.plan import PARTITIONS, Plan
from app.dev.demo.playing import perform, supervise
from app.dev.demo.scene import Scene
from app.dev.demo.screen import Sentence
from app.dev.demo.setting_up import LoadConfig, Stage, open_workers, raise_stage, set_up
from app.dev.demo.showing import show
from app.dev.demo.together import together
from app.dev.demo.verdict import Comparison, decisions_line, mails_line
from app.dev.demo.watch import watch

INTERRUPTED = 130


@dataclass
class Demo:
    """One run; `load` reads a directory of rules, `tell` says a decision to people."""

    plan: Plan
    load: LoadConfig
    tell: Sentence
    console: Console
    status: int = field(default=INTERRUPTED, init=False)

    def run(self) -> int:
        """Return 0, 1 where anything differs, 130 where it was interrupted before that was known.

        Raises WhimbrelError where a part fails; no process is left behind.
        """
        with Interrupts() as interrupts, taken(self.plan.directory):
            crew = Crew()
            try:
                self.console.print("\n  [bold]Whimbrel[/] · a provider's two months, a day a second\n")
                stage = raise_stage(self.plan, crew, self.load, self.console)
                interrupts.run(self._show(stage))
            except KeyboardInterrupt:
                self.console.print()
            finally:
                self._stop(crew)
        return self.status

    async def _show(self, stage: Stage) -> None:
        await set_up(stage)
        scene = Scene(self.plan.span, stage.names, PARTITIONS, stage.ports.page_url)
        settled = await together(self._play(stage, scene), watch(stage.ports.bootstrap, scene), supervise(stage.crew))
        await self._conclude(stage, scene, settled=settled)
        if self.console.is_terminal:
            await asyncio.Event().wait()

    async def _play(self, stage: Stage, scene: Scene) -> bool:
        await open_workers(stage, scene)
        return await together(perform(stage, scene), show(scene, self.tell, self.console))

    async def _conclude(self, stage: Stage, scene: Scene, *, settled: bool) -> None:
        decisions, mails = await judge(stage, scene)
        self.status = 0 if settled and decisions.equal and mails.equal else 1
        self.console.print()
        if not settled:
            self._say("✗", "nothing has moved for a minute, though not all is worked off", "red")
        self._compared(decisions_line(decisions), decisions)
        self._compared(mails_line(mails), mails)
        if scene.repeats:
            self._say("·", f"{scene.repeats:,} decisions came again after the kill, and were known by their ids", "dim")
        self._offer(stage, scene)

    def _compared(self, line: str, comparison: Comparison) -> None:
        self._say(*(("✓", line, "bold green") if comparison.equal else ("✗", line, "bold red")))
        for each in comparison.differences:
            self.console.print(Text(f"    {each}"), soft_wrap=True)

    def _offer(self, stage: Stage, scene: Scene) -> None:
        self.console.print("\n  To copy, into another terminal, here:")
        for each in commands(self.plan, stage.ports.bootstrap, scene.decisions, stage.config.rules):
            self.console.print(Text(f"\n  {each.asks}", style="dim"), soft_wrap=True)
            self.console.print(Text("\n".join(each.lines)), soft_wrap=True)
        self.console.print()
        if self.console.is_terminal:
            self.console.print(
                f"  All of it stands until Ctrl-C; the mails are at {stage.ports.page_url}\n", soft_wrap=True
            )

    def _stop(self, crew: Crew) -> None:
        stopped = crew.stop()
        count = f"{stopped} process{'' if stopped == 1 else 'es'}"
        self.console.print(f"stopped {count}, data in {self.plan.directory} (make clean)", soft_wrap=True)

    def _say(self, sign: str, line: str, style: str) -> None:
        self.console.print(Text.assemble("  ", (sign, style), " ", (line, style)), soft_wrap=True)
